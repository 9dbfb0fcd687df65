"""Limits how far discovery runs ahead of the downloads, and stops it where the limits of a run are reached."""

import asyncio

MAX_PENDING = 5_000
"""Pending artifacts beyond which discovery waits."""

MAX_PENDING_BYTES_LIMITED = 64
"""The same if `max_bytes` is set, since it can be reached at any file."""


class Backpressure:
    """Counts the artifacts that discovery queued and the fetcher has not finished yet.

    With `max_files` or `max_bytes`, discovery requests only the lists that the run can need.
    """

    def __init__(self, *, max_files: int | None = None, max_bytes: int | None = None) -> None:
        self._changed = asyncio.Event()
        self._pending = 0
        self._is_disabled = False
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._max_files = None if max_files is None else max(1, max_files)  # 0: find out whether anything is new
        self._is_limited = max_bytes is not None
        self._needed = 0
        """Artifacts that were queued and have not failed."""
        self._unfinished = 0
        self._waiting = 0
        """Lists that discovery does not request yet."""
        self._may_list = asyncio.Event()
        self._update()

    def queued(self, count: int) -> None:
        """Count artifacts that were queued."""
        if count:
            self._pending += count
            self._needed += count
            self._unfinished += count
            self._changed.set()
        if self._pending > MAX_PENDING and not self._is_disabled:
            self._has_room.clear()
        self._update()

    def finished(self, *, is_downloaded: bool) -> None:
        """Count an artifact that was downloaded, or that this run does not try again."""
        self._needed -= not is_downloaded
        self._unfinished -= 1
        self._update()

    def discovery_ended(self) -> None:
        """End `wait_for_change`: no more is queued."""
        self._changed.set()

    def expect_change(self) -> None:
        """Let `wait_for_change` ignore what was queued before now."""
        self._changed.clear()

    async def wait_for_change(self) -> None:
        """Wait until, since `expect_change`, artifacts were queued, or discovery has ended or waits for downloads."""
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
        self._update()

    async def wait(self) -> None:
        """Wait until there is room for more pending artifacts."""
        await self._has_room.wait()

    async def wait_to_list(self) -> None:
        """Wait until another list can be needed, or the run ends."""
        if self._may_list.is_set():
            return
        self._waiting += 1
        self._changed.set()
        try:
            await self._may_list.wait()
        finally:
            self._waiting -= 1

    @property
    def is_holding(self) -> bool:
        """Whether discovery waits to request a list, until downloads have ended."""
        return self._waiting > 0 and not self._may_list.is_set()

    @property
    def has_enough(self) -> bool:
        """Whether as many artifacts as `max_files` are queued or downloaded."""
        return self._max_files is not None and self._needed >= self._max_files

    def bounded(self, concurrency: int) -> int:
        """Return the number of lists to read concurrently: no more than files are wanted."""
        return concurrency if self._max_files is None else min(concurrency, self._max_files)

    def _update(self) -> None:
        is_ahead = self._is_limited and self._unfinished >= MAX_PENDING_BYTES_LIMITED
        if self._is_disabled or not (self.has_enough or is_ahead):
            self._may_list.set()
        else:
            self._may_list.clear()
