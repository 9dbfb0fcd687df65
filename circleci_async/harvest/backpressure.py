"""Limits how far discovery runs ahead of the downloads."""

import asyncio

MAX_PENDING = 5_000
"""Pending artifacts beyond which discovery waits."""


class Backpressure:
    """Counts the artifacts that discovery queued and the fetcher has not claimed yet."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._pending = 0
        self._is_disabled = False
        self._has_room = asyncio.Event()
        self._has_room.set()

    def queued(self, count: int) -> None:
        """Count artifacts that were queued."""
        if count:
            self._pending += count
            self._changed.set()
        if self._pending > MAX_PENDING and not self._is_disabled:
            self._has_room.clear()

    def discovery_ended(self) -> None:
        """End `wait_for_change`: no more is queued."""
        self._changed.set()

    def expect_change(self) -> None:
        """Let `wait_for_change` ignore what was queued before now."""
        self._changed.clear()

    async def wait_for_change(self) -> None:
        """Wait until artifacts were queued, or discovery has ended, since `expect_change`."""
        await self._changed.wait()

    def claimed(self, count: int) -> None:
        """Count artifacts that were claimed; 0 means that the queue is empty."""
        self._pending = max(0, self._pending - count) if count else 0
        if self._pending <= MAX_PENDING:
            self._has_room.set()

    def disable(self) -> None:
        """Let discovery continue however much is pending, since no more is claimed."""
        self._is_disabled = True
        self._has_room.set()

    async def wait(self) -> None:
        """Wait until there is room for more pending artifacts."""
        await self._has_room.wait()
