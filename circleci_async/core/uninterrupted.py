"""Wait for work that must finish although the caller is cancelled, such as a thread that writes to a file."""

import asyncio
from typing import TypeVar

T = TypeVar("T")


async def uninterrupted(work: "asyncio.Future[T]") -> T:
    """Wait until `work` is done and return its result. A cancellation meanwhile is raised afterwards instead."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not work.cancelled():
            work.exception()  # retrieve it, or asyncio logs that nothing did
        raise cancelled
    return work.result()
