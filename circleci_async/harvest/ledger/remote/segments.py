"""The segments of a remote ledger: numbered objects, each with the changes of one checkpoint, as compressed JSON Lines.

The first line is the header, the last one says how many rows are between them.
"""

import gzip
import json
import re
import sqlite3
import zlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import Factory, field, frozen
from attrs.validators import ge, le

from ....core.codec import loads
from ....errors import DecodeError
from ..schema import VERSION, upgrade
from ..writer import transaction
from .json_objects import FOLDER, MAX_NUMBER, NewerFormat, decode_json, encode_json
from .lease import Holder
from .table_info import Table, read_tables

Row: TypeAlias = tuple[str, Sequence[Any], Sequence[Any] | None]
"""The name of a table, the key of a row, and its columns; None if the row is deleted."""

SEGMENTS: Final = f"{FOLDER}/segments"
MAX_SEGMENT_SIZE: Final = 512 * 1024 * 1024
"""Bytes of a segment object."""

MAX_CONTENT: Final = 8 * 1024 * 1024 * 1024
"""Bytes of the decompressed content of a segment that are read."""

MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of one row that are read."""

_SEGMENT = re.compile(rf"{re.escape(SEGMENTS)}/([0-9]{{12}})\.jsonl\.gz")


@frozen(kw_only=True)
class Header:
    """The first line of a segment. `schema`: the version of the ledger's format."""

    number: int = field(validator=[ge(1), le(MAX_NUMBER)])
    holder: Holder
    schema: int = field(default=VERSION, validator=ge(1))
    is_fence: bool = False
    """Whether the segment begins those of a new holder. Segments of other holders after it do not count."""
    columns: dict[str, list[str]] = Factory(dict[str, list[str]])
    """The columns of each table."""


@frozen
class _End:
    rows: int


def segment_name(number: int) -> str:
    """Return the name of a segment."""
    return f"{SEGMENTS}/{number:012}.jsonl.gz"


def segment_number(key: str) -> int | None:
    """Return the number in the name of a segment; None for other names."""
    match = _SEGMENT.fullmatch(key)
    return None if match is None else int(match[1])


def encode_segment(header: Header, rows: Iterable[Row] = ()) -> bytes:
    """Return the content of a segment."""
    file = BytesIO()
    count = 0
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as zipped:
        zipped.write(encode_json(header) + b"\n")
        for row in rows:
            count += 1
            zipped.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        zipped.write(encode_json(_End(count)) + b"\n")
    return file.getvalue()


def segment_holder(content: bytes) -> Holder | None:
    """Return the holder that wrote a segment; None if that cannot be read."""
    try:
        return decode_json(Header, next(_lines(content), b"")).holder
    except ValueError:
        return None


class Replay:
    """Applies segments, in order, to a ledger. `holder`: whose segments count until the first fence."""

    def __init__(self, sql: sqlite3.Connection, path: Path, holder: str) -> None:
        self._sql = sql
        self._path = path
        self.holder: str = holder

    def apply(self, number: int, content: bytes) -> None:
        """Apply a segment in one transaction. Raises `ValueError` for a damaged segment, and `LedgerError`."""
        lines = _lines(content)
        header = decode_json(Header, next(lines, b""))
        if header.schema > VERSION:
            raise NewerFormat
        if header.number != number:
            raise ValueError(f"it is segment {header.number}")
        if header.is_fence:
            self.holder = header.holder.id
        elif header.holder.id != self.holder:
            return
        with transaction(self._sql):
            upgrade(self._sql, self._path, header.schema)
            tables = read_tables(self._sql)
            for name, names in header.columns.items():
                if name not in tables or names != list(tables[name].columns):
                    raise ValueError(f"the columns of {name!r} are not those of a ledger of version {header.schema}")
            self._apply_rows(lines, {name: tables[name] for name in header.columns})

    def _apply_rows(self, lines: Generator[bytes], tables: Mapping[str, Table]) -> None:
        for count, line in enumerate(lines):
            if line.startswith(b"{"):
                if decode_json(_End, line).rows != count or next(lines, None) is not None:
                    raise ValueError(f"it does not contain the {count:,} rows that it was written with")
                return
            self._apply_row(line, tables)
        raise ValueError("its end is missing")

    def _apply_row(self, line: bytes, tables: Mapping[str, Table]) -> None:
        try:
            name, key, values = loads(line)
            table = tables[name]
            if values is None:
                self._sql.execute(table.delete, key)
            else:
                self._sql.execute(table.insert, [*key, *values] if table.key == ("rowid",) else values)
        except sqlite3.OperationalError:
            raise
        except (DecodeError, ValueError, TypeError, KeyError, OverflowError, sqlite3.Error) as error:
            reason = f"a row is invalid: {error}"
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
