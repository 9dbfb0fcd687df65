"""The body of a request, read within bounds: anybody may send one, and its signature can only be checked at its end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

from .signature import Body, raw_bytes

__all__ = ["BodyRefused", "read_body"]


class BodyRefused(Exception):
    """A body was not read to its end. `status` is that of the answer; the message says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_body(body: Body | AsyncIterable[bytes], *, most: int, timeout: float) -> bytes:
    """Return the whole body, of `most` bytes and read in `timeout` seconds at most; raise `BodyRefused` otherwise.

    Whatever length the request promises, what counts is what comes: reading stops at the bound.
    """
    if not isinstance(body, AsyncIterable):
        content = raw_bytes(body)
        if len(content) > most:
            raise _too_large(most)
        return content
    chunks = bytearray()
    try:
        async with asyncio.timeout(timeout):
            async for chunk in body:
                chunks += raw_bytes(chunk)
                if len(chunks) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise BodyRefused(408, f"the body did not come within {timeout:g} seconds") from None
    finally:
        if isinstance(body, AsyncGenerator):  # one that is not at its end would linger
            await body.aclose()
    return bytes(chunks)


def _too_large(most: int) -> BodyRefused:
    return BodyRefused(413, f"the body is larger than {most} bytes")
