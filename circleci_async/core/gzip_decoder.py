"""Decompress gzip, and the deflate coding of HTTP, that arrive in pieces."""

import zlib
from collections.abc import Iterator

MAGIC = b"\x1f\x8b"
"""First bytes of every gzip file; neither JSON nor text begins with them."""

INPUT = 16 * 1024
"""Compressed bytes that are passed to zlib at once: it copies what it cannot process yet."""

_GZIP, _ZLIB, _RAW = 31, 15, -15  # zlib's numbers for the formats


class GzipError(Exception):
    """The bytes are not a complete file of the format. The message says why."""


class GzipDecoder:
    """Decompresses a gzip file of one or several members into pieces of at most `max_piece` bytes.

    `is_deflate`: the format is zlib, or raw deflate, which some servers send under that name. Raises `GzipError`.
    """

    def __init__(self, *, max_piece: int, is_deflate: bool = False) -> None:
        self._max_piece = max_piece
        self._name = "deflate" if is_deflate else "gzip"
        self._format: int | None = None if is_deflate else _GZIP
        self._zlib = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes decompress to. Exhaust it before the next call."""
        if self._format is None and data:
            self._format = _ZLIB if data[0] & 0xF == 8 else _RAW  # 8: the number of the method in zlib's header
            self._zlib = zlib.decompressobj(self._format)
        for begin in range(0, len(data), INPUT):
            yield from self._decompress(data[begin : begin + INPUT])

    def end(self) -> None:
        """Check that the file is complete."""
        if not self._zlib.eof:
            raise GzipError(f"truncated {self._name} data")

    def _decompress(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._zlib.eof:
                data = data.lstrip(b"\0")  # padding between members
                if not data:
                    return
                self._zlib = zlib.decompressobj(self._format or _GZIP)
            try:
                piece = self._zlib.decompress(data, self._max_piece)
            except zlib.error as error:
                raise GzipError(f"invalid {self._name} data ({error})") from None
            if piece:
                yield piece
            data = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
            if not data and len(piece) < self._max_piece:  # after a full piece, zlib can have more output
                return
