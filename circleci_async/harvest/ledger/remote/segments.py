"""The segments of a remote ledger: numbered objects with the changes since the snapshot, as compressed JSON Lines.

The first line is the header, the last one says how many rows are between them. The rows of one checkpoint can be in
several segments: they belong together, so that the ledger never contains half of a transaction.
"""

import gzip
import json
import re
import sqlite3
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

from attrs import asdict, frozen

from ..schema import VERSION, upgrade
from .documents import FOLDER, MAX_NUMBER, Document, NewerFormat, encoded, parsed, sequence
from .lease import Holder, parse_holder
from .tables import Table, tables

SEGMENTS: Final = f"{FOLDER}/segments"
MAX_SEGMENT_SIZE: Final = 128 * 1024 * 1024
"""Bytes of a segment object that are read."""

MAX_CONTENT: Final = 1024 * 1024 * 1024
"""Bytes of the decompressed content of a segment that are read."""

MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of one row that are read."""

_SEGMENT = re.compile(rf"{re.escape(SEGMENTS)}/([0-9]{{12}})\.jsonl\.gz")
_VALUE_TYPES = (str, int, float, type(None))


@frozen(kw_only=True)
class Header:
    """The first line of a segment. `schema`: the version of the ledger's format."""

    number: int
    holder: Holder
    schema: int = VERSION
    is_fence: bool = False
    """Whether the segment begins those of a new holder. Segments of other holders after it do not count."""


def segment_name(number: int) -> str:
    """Return the name of a segment."""
    return f"{SEGMENTS}/{number:012}.jsonl.gz"


def segment_number(key: str) -> int | None:
    """Return the number in the name of a segment; None for other names."""
    match = _SEGMENT.fullmatch(key)
    return None if match is None else int(match[1])


class SegmentWriter:
    """Writes a segment into a file."""

    def __init__(self, file: IO[bytes], header: Header, columns: Mapping[str, Sequence[str]]) -> None:
        self._zip = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=4, mtime=0)
        self.rows = 0
        self.bytes = 0
        holder = asdict(header.holder)
        fields = {"number": header.number, "schema": header.schema, "fence": header.is_fence, "columns": columns}
        self._write(encoded({**holder, **fields}))

    def add(self, table: str, key: Sequence[Any], row: Sequence[Any] | None) -> None:
        """Write a row; None if it is deleted."""
        self.rows += 1
        self._write(json.dumps([table, key, row], separators=(",", ":"), ensure_ascii=False).encode())

    def close(self, *, is_last: bool) -> None:
        """Write the last line. `is_last`: whether the checkpoint is complete with this segment."""
        self._write(json.dumps({"rows": self.rows, "last": is_last}).encode())
        self._zip.close()

    def _write(self, line: bytes) -> None:
        self.bytes += len(line)
        self._zip.write(line + b"\n")


def fence(header: Header) -> bytes:
    """Return the content of a segment that only begins those of its holder."""
    file = BytesIO()
    SegmentWriter(file, header, {}).close(is_last=True)
    return file.getvalue()


def segment_holder(content: bytes) -> Holder | None:
    """Return the holder that wrote a segment; None if that cannot be read."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as file:
            return parse_holder(Document(file.readline(MAX_LINE)))
    except (ValueError, OSError, EOFError, zlib.error):
        return None


class Replay:
    """Applies segments, in order, to a ledger. `holder`: whose segments count until the first fence."""

    def __init__(self, sql: sqlite3.Connection, path: Path, holder: str) -> None:
        self._sql = sql
        self._path = path
        self._tables: dict[str, Table] = {}
        self.holder = holder

    def apply(self, number: int, content: bytes) -> bool:
        """Apply a segment, and return whether the ledger contains it and all before it.

        A checkpoint is committed with its last segment. Raises `ValueError` for a damaged segment, and `LedgerError`.
        """
        lines = _lines(content)
        fields, header = self._header(next(lines, b""), number)
        if header.is_fence:
            self.roll_back()
            self.holder = header.holder.id
        elif header.holder.id != self.holder:
            _end_of(lines)
            return not self._sql.in_transaction
        if not self._sql.in_transaction:
            self._sql.execute("BEGIN IMMEDIATE")
            upgrade(self._sql, self._path, header.schema)
            self._tables = tables(self._sql)
        columns = fields.mapping("columns")
        for name, names in columns.items():
            if name not in self._tables or names != list(self._tables[name].columns):
                raise ValueError(f"the columns of {name!r} are not those of a ledger of version {header.schema}")
        is_last = self._apply_rows(lines, columns)
        if is_last:
            self._sql.execute("COMMIT")
        return is_last

    def roll_back(self) -> None:
        """Discard a checkpoint of which the last segment is missing: its holder was killed."""
        if self._sql.in_transaction:
            self._sql.execute("ROLLBACK")

    def _header(self, line: bytes, number: int) -> tuple[Document, Header]:
        fields = Document(line)
        fields.check_format()
        schema = fields.integer("schema", minimum=1)
        if schema > VERSION:
            raise NewerFormat
        header = Header(
            number=fields.integer("number", minimum=1, maximum=MAX_NUMBER),
            holder=parse_holder(fields),
            schema=schema,
            is_fence=fields.flag("fence"),
        )
        if header.number != number:
            raise ValueError(f"it is segment {header.number}")
        return fields, header

    def _apply_rows(self, lines: Iterator[bytes], columns: Mapping[str, Any]) -> bool:
        for count, line in enumerate(lines):
            if line.startswith(b"{"):
                end = Document(line)
                if end.integer("rows") != count or next(lines, None) is not None:
                    raise ValueError(f"it does not contain the {count:,} rows that it was written with")
                return end.flag("last")
            self._apply_row(sequence(parsed(line), 3), columns)
        raise ValueError("its end is missing")

    def _apply_row(self, row: Sequence[Any], columns: Mapping[str, Any]) -> None:
        name, key, values = row
        if not isinstance(name, str) or name not in columns:
            raise ValueError("a line is not a row of a table")
        table = self._tables[name]
        key = _checked(key, len(table.key))
        try:
            if values is None:
                self._sql.execute(table.delete, key)
                return
            values = _checked(values, len(table.columns))
            self._sql.execute(table.insert, [*key, *values] if table.key == ("rowid",) else values)
        except (OverflowError, UnicodeEncodeError, sqlite3.IntegrityError, sqlite3.DataError) as error:
            reason = f"a row of {name} is invalid: {error}"
        else:
            return
        raise ValueError(reason)


def _lines(content: bytes) -> Generator[bytes]:
    """Yield the lines of a segment. Raises `ValueError`."""
    size = 0
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as file:
            while line := file.readline(MAX_LINE):
                size += len(line)
                if size > MAX_CONTENT or not line.endswith(b"\n"):
                    raise ValueError("it is larger than any that a harvest writes")
                yield line
    except (OSError, EOFError, zlib.error) as error:
        reason = str(error)
    else:
        return
    raise ValueError(reason)


def _end_of(lines: Iterator[bytes]) -> None:
    """Read to the end, which checks that nothing is damaged."""
    for _ in lines:
        pass


def _checked(values: Any, length: int) -> Sequence[Any]:
    """Return values of a row. Raises `ValueError` for values that no ledger has."""
    checked = sequence(values, length)
    if not all(type(each) in _VALUE_TYPES for each in checked):
        raise ValueError("a row has values that no ledger has")
    return checked
