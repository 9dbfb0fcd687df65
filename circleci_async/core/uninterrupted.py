"""Wait for work that must finish although the caller is cancelled, such as a thread that writes a file."""

import asyncio
from typing import Any, TypeVar

T = TypeVar("T")


async def uninterrupted(work: "asyncio.Future[T]", *, timeout: float | None = None) -> T:
    """Wait until a future is done, even if cancelled meanwhile. Return its result, or raise the cancellation.

    Raises `TimeoutError` if it is not done after `timeout` seconds; the work continues.
    """
    cancelled: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    while not work.done():
        try:
            done, _ = await asyncio.wait([work], timeout=None if deadline is None else max(0, deadline - loop.time()))
        except asyncio.CancelledError as error:
            cancelled = error
        else:
            if not done:
                work.add_done_callback(retrieve)
                raise cancelled or TimeoutError
    if cancelled is not None:
        retrieve(work)
        raise cancelled
    return work.result()


def retrieve(work: "asyncio.Future[Any]") -> None:
    """Retrieve the exception of a future, or asyncio logs that nothing did."""
    if not work.cancelled():
        work.exception()
