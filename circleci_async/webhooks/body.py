"""Reading the body of a request within bounds. Its signature, and so its sender, is unknown until its end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

from .signature import Body, raw_bytes

__all__ = ["BodyRefused", "read_body"]


class BodyRefused(Exception):
    """A body was not read completely. `status` is that of the response; the message says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_body(body: Body | AsyncIterable[bytes], *, max_size: int, timeout: float) -> bytes:
    """Return the body. Raises `BodyRefused` if it exceeds `max_size` bytes or takes longer than `timeout` seconds.

    The bound applies to the received bytes, not to the `Content-Length` of the request.
    """
    if not isinstance(body, AsyncIterable):
        content = raw_bytes(body)
        if len(content) > max_size:
            raise _too_large(max_size)
        return content
    chunks = bytearray()
    try:
        async with asyncio.timeout(timeout):
            async for chunk in body:
                chunks += raw_bytes(chunk)
                if len(chunks) > max_size:
                    raise _too_large(max_size)
    except TimeoutError:
        raise BodyRefused(408, f"the body did not arrive within {timeout:g} seconds") from None
    finally:
        if isinstance(body, AsyncGenerator):  # close it now, not when it is garbage-collected
            await body.aclose()
    return bytes(chunks)


def _too_large(max_size: int) -> BodyRefused:
    return BodyRefused(413, f"the body is larger than {max_size} bytes")
