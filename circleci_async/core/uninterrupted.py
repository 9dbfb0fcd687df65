"""Wait for what must not be left alone, such as a thread that holds a file."""

import asyncio
from typing import TypeVar

T = TypeVar("T")


async def uninterrupted(work: "asyncio.Future[T]") -> T:
    """Wait for a future to be done, even if cancelled meanwhile; return its result, or then be cancelled."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        work.exception()  # somebody has looked at it
        raise cancelled
    return work.result()
