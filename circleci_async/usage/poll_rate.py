"""The rate at which the exports of an organization are polled, within the limit of the API."""

import asyncio
from collections import deque

MAX_POLLS = 10
"""Polls of one organization's exports within `WINDOW`."""

WINDOW = 61.0
"""Seconds. The API counts per minute, and requests reach it with different delays."""


class PollRateLimiter:
    """Spaces out the polls of all waits of a client, first come, first served."""

    def __init__(self) -> None:
        self._polls: dict[str, deque[float]] = {}

    async def acquire(self, organization_id: str) -> None:
        """Wait until the limit allows another poll."""
        now = asyncio.get_running_loop().time()
        polls = self._polls.setdefault(organization_id, deque(maxlen=MAX_POLLS))
        start = max(now, polls[0] + WINDOW) if len(polls) == MAX_POLLS else now
        polls.append(start)
        await asyncio.sleep(start - now)
