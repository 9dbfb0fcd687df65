"""How often an organization's exports are looked after: no more than the API allows."""

import asyncio
from collections import deque

LOOKS = 10
"""Of one organization, within `WINDOW`."""

WINDOW = 61.0
"""Seconds. The API counts by the minute; requests do not all take the same time to reach it."""


class Pace:
    """Gives all that wait for exports their turn, first come, first served, so that together they stay within that."""

    def __init__(self) -> None:
        self._looks: dict[str, deque[float]] = {}

    async def turn(self, organization_id: str) -> None:
        """Wait until there may be one more look."""
        now = asyncio.get_running_loop().time()
        looks = self._looks.setdefault(organization_id, deque(maxlen=LOOKS))
        turn = max(now, looks[0] + WINDOW) if len(looks) == LOOKS else now
        looks.append(turn)
        await asyncio.sleep(turn - now)
