"""Wait for something until a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

TIMER_MARGIN = 0.1
"""Seconds by which aiohttp's timers of the same length, whose errors are more precise, end first."""


async def within(seconds: float, work: Awaitable[T], late: Callable[[], Exception]) -> T:
    """Return the result of `work`, or raise `late()` if it takes longer than `seconds` and `TIMER_MARGIN`."""
    timeout = asyncio.timeout(seconds + TIMER_MARGIN)
    try:
        async with timeout:
            return await work
    except TimeoutError:
        if not timeout.expired():
            raise
    raise late()
