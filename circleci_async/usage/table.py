"""One part of an export, from its bytes to its rows: gzip, UTF-8, CSV with a header line. No I/O."""

import csv
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from ..core.gzip_decoder import GzipDecoder

TextRow: TypeAlias = dict[str, str]
"""A row as it is in the file."""

BATCH = 64 * 1024
"""Decompressed bytes that are parsed at once, which takes one or two milliseconds."""

MAX_RECORD = 1024 * 1024
"""Characters of one row. Without a bound, an unclosed quote would collect the rest of the file."""

_UTF_8 = getincrementaldecoder("utf-8-sig")  # skips a byte order mark before the first column's name


class MalformedTable(Exception):
    """The bytes are not a valid table. The message says why."""


class Table:
    """Parses a part that arrives in pieces, and buffers only the row that is not complete yet.

    Raises `MalformedTable` and `GzipError` for any fault: no row is skipped or repaired.
    """

    def __init__(self) -> None:
        self._gzip = GzipDecoder(max_piece=BATCH)
        self._utf_8 = _UTF_8()
        self._rest = ""
        """The incomplete line."""
        self._lines: list[str] = []
        """Complete lines of the incomplete row."""
        self._row_length = 0
        """Characters of the incomplete row. It is parsed again with as many new ones, so that the time is linear."""
        self._new: list[str] = []
        self._new_length = 0
        self._columns: list[str] | None = None
        self._count = 0

    def feed(self, data: bytes) -> Iterator[list[TextRow]]:
        """Yield the rows that these bytes complete, in batches. Exhaust it before the next call."""
        for piece in self._gzip.feed(data):
            if rows := self._rows(piece):
                yield rows

    def end(self) -> list[TextRow]:
        """Return the last rows, after all bytes."""
        self._gzip.end()
        return self._rows(b"", final=True)

    def _rows(self, data: bytes, *, final: bool = False) -> list[TextRow]:
        try:
            text = self._utf_8.decode(data, final)
        except UnicodeDecodeError:
            raise MalformedTable("not UTF-8") from None
        self._new.append(text)
        self._new_length += len(text)
        if not final and self._new_length < min(self._row_length, BATCH):
            return []
        # `splitlines` would split at more characters
        *complete, self._rest = "".join([self._rest, *self._new]).split("\n")
        lines = [*self._lines, *(f"{line}\n" for line in complete)]
        if final and self._rest:
            lines.append(self._rest)
        # A row can span lines, and only the parser finds its end. An incomplete row is parsed again with more lines.
        reader = csv.reader(lines if final else _until_exhausted(lines), strict=True)
        rows: list[TextRow] = []
        parsed = 0
        try:
            for fields in reader:
                parsed = reader.line_num
                if fields:
                    self._add(fields, rows)
        except _Exhausted:
            pass
        except csv.Error as error:
            raise MalformedTable(f"not CSV in row {self._count} ({error})") from None
        self._lines, self._new, self._new_length = lines[parsed:], [], 0
        self._row_length = sum(map(len, self._lines)) + len(self._rest)
        if self._row_length > MAX_RECORD:
            raise MalformedTable(f"more than {MAX_RECORD} characters in row {self._count}")
        return rows

    def _add(self, fields: list[str], rows: list[TextRow]) -> None:
        columns = self._columns
        if columns is None:
            if len(set(fields)) < len(fields):
                raise MalformedTable("two columns have the same name")
            self._columns = fields
        elif len(fields) != len(columns):
            raise MalformedTable(f"{len(fields)} fields in row {self._count}, but {len(columns)} columns")
        else:
            rows.append(dict(zip(columns, fields, strict=True)))
        self._count += 1


class _Exhausted(Exception):
    """All lines so far have been parsed."""


def _until_exhausted(lines: Iterable[str]) -> Iterator[str]:
    yield from lines
    raise _Exhausted
