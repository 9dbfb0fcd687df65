"""One part of an export, from its bytes to its rows: gzip, UTF-8, CSV with a header line. Knows of no network."""

import csv
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator

__all__ = ["Row"]

Row = dict[str, str]

PIECE = 16 * 1024
"""Compressed bytes that are unpacked in one go: what zlib can't take yet is copied each time."""

BATCH = 64 * 1024
"""Bytes that are parsed in one go, which takes a millisecond or two, however well they were compressed."""

LONGEST_RECORD = 1024 * 1024
"""Characters that one row may have. A quote that nobody closes would else swallow the rest of the file."""

_GZIP = 31  # what zlib calls it
_UTF_8 = getincrementaldecoder("utf-8-sig")  # a byte order mark is none of the first column's name


class Unreadable(Exception):
    """The bytes are no table. The message says what is wrong, to go after a name."""


class Table:
    """Reads a part whose bytes come in any pieces, holding no more of it than the row that is not whole yet.

    Raises `Unreadable` at whatever is wrong: no row is skipped, and none is mended.
    """

    def __init__(self) -> None:
        self._gzip = zlib.decompressobj(_GZIP)
        self._utf_8 = _UTF_8()
        self._rest = ""
        """The line that is not whole yet."""
        self._lines: list[str] = []
        """Whole lines before it, of a row that is not."""
        self._columns: list[str] | None = None
        self._count = 0

    def feed(self, data: bytes) -> Iterator[list[Row]]:
        """Yield the rows that these bytes complete, a batch after the other. Take all before the next call."""
        for begin in range(0, len(data), PIECE):
            for text in self._unpacked(data[begin : begin + PIECE]):
                if rows := self._rows(text):
                    yield rows

    def end(self) -> list[Row]:
        """Return the last rows, when all bytes have come."""
        if not self._gzip.eof:
            raise Unreadable("ends in the middle")
        return self._rows(b"", final=True)

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes become, at most a batch at a time. A gzip file may have several members."""
        while True:
            if self._gzip.eof:
                data = data.lstrip(b"\0")  # padding
                if not data:
                    return
                self._gzip = zlib.decompressobj(_GZIP)
            try:
                unpacked = self._gzip.decompress(data, BATCH)
            except zlib.error as error:
                raise Unreadable(f"is not whole gzip ({error})") from None
            if unpacked:
                yield unpacked
            data = self._gzip.unused_data if self._gzip.eof else self._gzip.unconsumed_tail
            if not data and len(unpacked) < BATCH:  # else zlib may hold back more
                return

    def _rows(self, data: bytes, *, final: bool = False) -> list[Row]:
        try:
            text = self._utf_8.decode(data, final)
        except UnicodeDecodeError:
            raise Unreadable("is not UTF-8") from None
        *whole, self._rest = f"{self._rest}{text}".split("\n")  # not `splitlines`, which knows of more ends of lines
        lines = [*self._lines, *(f"{line}\n" for line in whole)]
        if final and self._rest:
            lines.append(self._rest)
        # A row may have several lines, and only the parser knows where it ends. What it could not end is parsed anew
        # when more has come.
        reader = csv.reader(lines if final else _and_more(lines), strict=True)
        rows: list[Row] = []
        parsed = 0
        try:
            for fields in reader:
                parsed = reader.line_num
                if fields:
                    self._take(fields, rows)
        except _More:
            pass
        except csv.Error as error:
            raise Unreadable(f"is not CSV in row {self._count} ({error})") from None
        self._lines = lines[parsed:]
        if sum(map(len, self._lines)) + len(self._rest) > LONGEST_RECORD:
            raise Unreadable(f"has more than {LONGEST_RECORD} characters in row {self._count}")
        return rows

    def _take(self, fields: list[str], rows: list[Row]) -> None:
        columns = self._columns
        if columns is None:
            if len(set(fields)) < len(fields):
                raise Unreadable("has two columns of the same name")
            self._columns = fields
        elif len(fields) != len(columns):
            raise Unreadable(f"has {len(fields)} fields in row {self._count}, but {len(columns)} columns")
        else:
            rows.append(dict(zip(columns, fields, strict=True)))
        self._count += 1


class _More(Exception):
    """The lines that have come are used up."""


def _and_more(lines: Iterable[str]) -> Iterator[str]:
    yield from lines
    raise _More
