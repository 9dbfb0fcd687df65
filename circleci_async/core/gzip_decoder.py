"""Decompress gzip that arrives in pieces."""

import zlib
from collections.abc import Iterator

MAGIC = b"\x1f\x8b"
"""First bytes of every gzip file; neither JSON nor text begins with them."""

INPUT = 16 * 1024
"""Compressed bytes that are passed to zlib at once: it copies what it cannot process yet."""

_GZIP = 31  # zlib's number for the gzip format


class GzipError(Exception):
    """The bytes are not a complete gzip file. The message says why."""


class GzipDecoder:
    """Decompresses a gzip file of one or several members into pieces of at most `max_piece` bytes.

    Raises `GzipError`.
    """

    def __init__(self, *, max_piece: int) -> None:
        self._max_piece = max_piece
        self._zlib = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes decompress to. Exhaust it before the next call."""
        for begin in range(0, len(data), INPUT):
            yield from self._decompress(data[begin : begin + INPUT])

    def end(self) -> None:
        """Check that the file is complete."""
        if not self._zlib.eof:
            raise GzipError("truncated gzip data")

    def _decompress(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._zlib.eof:
                data = data.lstrip(b"\0")  # padding between members
                if not data:
                    return
                self._zlib = zlib.decompressobj(_GZIP)
            try:
                piece = self._zlib.decompress(data, self._max_piece)
            except zlib.error as error:
                raise GzipError(f"invalid gzip data ({error})") from None
            if piece:
                yield piece
            data = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
            if not data and len(piece) < self._max_piece:  # after a full piece, zlib can have more output
                return
