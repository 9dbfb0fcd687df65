"""Why a run ends before it is through."""

import asyncio

from ..errors import CircleCIError


class Stop:
    """Says stop; the first reason counts. Without an error it was asked for, and what is under way may end.

    With one, which counts more, it is a failure, and nothing more is to be had.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.error: CircleCIError | None = None
        self._asked = asyncio.Event()
        self._failed = asyncio.Event()

    def ask(self, reason: str | None) -> None:
        """Let what is under way end, and begin no more."""
        self.reason = self.reason or reason or "stopped"
        self._asked.set()

    def fail(self, reason: str, error: CircleCIError) -> None:
        """End the run now."""
        if self.error is None:
            self.reason = reason
            self.error = error
            self._asked.set()
            self._failed.set()

    async def asked(self) -> None:
        """Return when nothing more is to be begun."""
        await self._asked.wait()

    async def failed(self) -> None:
        """Return when all is to end."""
        await self._failed.wait()
