"""Detect data of a connection that the event loop has not read yet."""

import select
from typing import Protocol


class HasFileno(Protocol):
    """A socket, or the substitute for it that an event loop returns."""

    def fileno(self) -> int:
        """Return the file descriptor; -1 once it is closed."""
        ...


class UnreadData:
    """Polls a socket: true if data has arrived, or if the other side has closed it. Does not wait."""

    def __init__(self, connected: HasFileno) -> None:
        self._socket = connected
        self._poll = None
        if hasattr(select, "poll") and connected.fileno() >= 0:  # absent on Windows
            self._poll = select.poll()
            self._poll.register(connected, select.POLLIN)

    def __bool__(self) -> bool:
        if self._socket.fileno() < 0:
            return True
        return bool(self._poll.poll(0) if self._poll else select.select([self._socket], [], [], 0)[0])
