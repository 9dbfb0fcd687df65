"""Why a run ends early."""

import asyncio

from ..errors import CircleCIError
from .ledger.schema import DISK_FULL_ERRNOS, disk_full

DISK_FULL = "the destination disk is full"


class StopSignal:
    """Ends a run early: `request` lets running work finish, `fail` ends it at once.

    The first reason is kept, but a failure replaces a request.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.error: CircleCIError | None = None
        self._requested = asyncio.Event()
        self._failed = asyncio.Event()

    @property
    def is_set(self) -> bool:
        """Whether no new work may begin."""
        return self._requested.is_set()

    def note(self, reason: str) -> None:
        """Note why the run will not be complete although it continues."""
        self.reason = self.reason or reason

    def request(self, reason: str | None) -> None:
        """Begin no new work."""
        self.reason = self.reason or reason or "stopped"
        self._requested.set()

    def fail(self, error: CircleCIError, reason: str | None = None) -> None:
        """End the run now. The reason is the error's message by default."""
        if self.error is None:
            self.reason = reason or str(error)
            self.error = error
            self._requested.set()
            self._failed.set()

    def fail_if_disk_full(self, error: OSError) -> bool:
        """End the run now if this error means that the disk is full; return whether it does."""
        is_full = error.errno in DISK_FULL_ERRNOS
        if is_full:
            self.fail(disk_full(str(error)), DISK_FULL)
        return is_full

    async def requested(self) -> None:
        """Wait until no new work may begin."""
        await self._requested.wait()

    async def failed(self) -> None:
        """Wait until the run must end."""
        await self._failed.wait()
