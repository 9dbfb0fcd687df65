"""Lets blocking work in a thread end early."""

from threading import Event

from ....errors import LedgerError


class StopCheck:
    """Lets blocking work end early."""

    def __init__(self) -> None:
        self._event = Event()

    def stop(self) -> None:
        """Let the next check raise."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether `stop` was called."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `LedgerError` after `stop`."""
        if self.is_set:
            raise LedgerError("the harvest was cancelled")
