"""Choose how many bytes of a stream are buffered: fewer if many streams are open."""

from typing import Final
from weakref import WeakSet

MAX_BUFFER: Final = 256 * 1024
"""Bytes after which reading from the connection pauses (at twice that, plus one read). Larger buffers do not help."""

MIN_BUFFER: Final = 64 * 1024

TOTAL: Final = 4 * 1024 * 1024
"""Bytes that the streams of a client share, until each has `MIN_BUFFER`."""


def buffer_size(open_streams: int) -> int:
    """Return the buffer of a stream, in bytes, that is opened next to `open_streams` others."""
    return max(MIN_BUFFER, min(MAX_BUFFER, TOTAL // (open_streams + 1)))


class StreamBuffers:
    """Counts the open streams of a client, and chooses the buffer of the next one."""

    def __init__(self) -> None:
        self._open = WeakSet[object]()

    @property
    def next_size(self) -> int:
        """Bytes to buffer of the next stream."""
        return buffer_size(len(self._open))

    def opened(self, stream: object) -> None:
        """Count a stream, until it is `closed` or deleted."""
        self._open.add(stream)

    def closed(self, stream: object) -> None:
        """Stop counting a stream. Idempotent."""
        self._open.discard(stream)
