"""Limit the time of an await."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

TIMER_MARGIN = 0.1
"""Seconds added to a limit, so that an aiohttp timer of the same length ends first: its error is more precise."""


async def within(seconds: float, work: Awaitable[T], new_error: Callable[[], Exception]) -> T:
    """Return the result of `work`, or raise `new_error()` if it takes longer than `seconds` and `TIMER_MARGIN`."""
    timeout = asyncio.timeout(seconds + TIMER_MARGIN)
    try:
        async with timeout:
            return await work
    except TimeoutError:
        if not timeout.expired():
            raise
    raise new_error()
