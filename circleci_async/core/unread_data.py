"""Whether a connection has data that the event loop has not read yet."""

import select
from typing import Protocol


class HasFileno(Protocol):
    """A socket, or what an event loop shows instead."""

    def fileno(self) -> int:
        """Return the file descriptor; -1 once it is closed."""
        ...


def has_unread_data(connected: HasFileno) -> bool:
    """Return whether data has arrived on a socket, or the other side has closed it. Does not wait."""
    if connected.fileno() < 0:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([connected], [], [], 0)[0])
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(0))
