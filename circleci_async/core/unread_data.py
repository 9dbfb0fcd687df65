"""Whether a connection has data that the event loop has not read yet."""

import select
from typing import Protocol


class HasFileno(Protocol):
    """A socket, or what an event loop shows instead."""

    def fileno(self) -> int:
        """Return the file descriptor; -1 once it is closed."""
        ...


class UnreadData:
    """Asks whether data has arrived on a socket, or the other side has closed it. Does not wait."""

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
