"""How much has been found and not been fetched yet: so that finding waits when it is far ahead."""

import asyncio

MOST = 5_000
"""Artifacts that may wait; beyond that finding waits too."""


class Backlog:
    """Finding adds to it, fetching takes from it. `news` is set when there is more, or when there will be none."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._waiting = 0
        self._is_lifted = False
        self._room = asyncio.Event()
        self._room.set()

    def add(self, count: int) -> None:
        """Note that so many artifacts more are to be fetched."""
        if count:
            self._waiting += count
            self.news.set()
        if self._waiting > MOST and not self._is_lifted:
            self._room.clear()

    def take(self, count: int) -> None:
        """Note that so many have been taken; none means that there are none."""
        self._waiting = max(0, self._waiting - count) if count else 0
        if self._waiting <= MOST:
            self._room.set()

    def lift(self) -> None:
        """Let finding go on whatever waits: nothing is taken any more."""
        self._is_lifted = True
        self._room.set()

    async def room(self) -> None:
        """Wait until there is room for more."""
        await self._room.wait()
