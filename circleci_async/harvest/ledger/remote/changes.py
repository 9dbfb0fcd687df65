"""The changes to a ledger since the last checkpoint: temporary triggers note the keys of the rows that changed.

The notes are temporary tables, so that the file of the ledger is the same as without them.
"""

import sqlite3
import tempfile
from collections import deque
from pathlib import Path
from typing import IO, Final

from attrs import define, field

from .lease import Holder
from .segments import Header, SegmentWriter
from .tables import Table, listed, quoted, tables

MAX_ROWS: Final = 50_000
"""Rows of one segment."""

MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the rows of a segment after which the next one begins."""


@define
class Checkpoint:
    """The segments of one checkpoint, in a temporary file until they are stored."""

    file: IO[bytes]
    sizes: deque[int] = field(factory=deque[int])
    """The sizes of the segments that are not stored yet."""
    position: int = 0

    def content(self) -> bytes:
        """Return the first segment that is not stored yet."""
        self.file.seek(self.position)
        return self.file.read(self.sizes[0])

    def advance(self) -> None:
        """Note that this segment is stored."""
        self.position += self.sizes.popleft()

    def close(self) -> None:
        """Delete the temporary file. Idempotent."""
        self.file.close()


def note_changes(sql: sqlite3.Connection) -> None:
    """Begin to note the rows that change on this connection."""
    sql.execute("PRAGMA recursive_triggers = ON")  # so that INSERT OR REPLACE notes the row that it replaces
    for table in tables(sql).values():
        notes, names = _notes(table), _note_columns(table)
        # With their types: SQLite uses no index to compare a value with one of a column without a type.
        typed = ", ".join(f"{note} {type_}" for note, type_ in zip(names, table.key_types, strict=True))
        sql.execute(f"CREATE TEMPORARY TABLE {notes} ({typed}, PRIMARY KEY ({', '.join(names)}))")
        for event, row in (("INSERT", "new"), ("UPDATE", "old"), ("UPDATE", "new"), ("DELETE", "old")):
            # Not INSERT OR IGNORE: the conflict clause of the statement that runs the trigger would replace it.
            sql.execute(
                f"CREATE TEMPORARY TRIGGER {quoted(f'note {event} {row} {table.name}')}"
                f" AFTER {event} ON main.{quoted(table.name)}"
                f" WHEN NOT EXISTS (SELECT 1 FROM {notes} WHERE {_matches(table, f'{row}.')})"
                f" BEGIN INSERT INTO {notes} VALUES ({listed(table.key, f'{row}.')}); END"
            )


def capture(sql: sqlite3.Connection, folder: Path, holder: Holder, number: int) -> Checkpoint | None:
    """Write the changed rows into segments from this number on, and remove the notes; None if nothing changed.

    To be called in a transaction: the rows are those of one moment.
    """
    checkpoint: Checkpoint | None = None
    try:
        described = tables(sql)
        columns = {table.name: table.columns for table in described.values()}
        writer: SegmentWriter | None = None
        for table in described.values():
            for row in sql.execute(_changed(table)):
                if checkpoint is None:
                    checkpoint = Checkpoint(tempfile.TemporaryFile(dir=folder, prefix=".harvest.segments-"))  # noqa: SIM115
                if writer is not None and (writer.rows >= MAX_ROWS or writer.bytes >= MAX_BYTES):
                    _close(writer, checkpoint, is_last=False)
                    writer = None
                if writer is None:
                    header = Header(number=number + len(checkpoint.sizes), holder=holder)
                    writer = SegmentWriter(checkpoint.file, header, columns)
                length = len(table.key)
                exists = row[length] is not None
                writer.add(table.name, row[:length], row[length + 1 :] if exists else None)
            sql.execute(f"DELETE FROM {_notes(table)}")
        if checkpoint is not None and writer is not None:
            _close(writer, checkpoint, is_last=True)
        return checkpoint
    except BaseException:
        if checkpoint is not None:
            checkpoint.close()
        raise


def _close(writer: SegmentWriter, checkpoint: Checkpoint, *, is_last: bool) -> None:
    begin = sum(checkpoint.sizes)
    writer.close(is_last=is_last)
    checkpoint.sizes.append(checkpoint.file.tell() - begin)


def _notes(table: Table) -> str:
    return quoted(f"changed {table.name}")


def _note_columns(table: Table) -> list[str]:
    return [f"key{position}" for position in range(len(table.key))]


def _matches(table: Table, prefix: str) -> str:
    """Return the condition that a note is that of a row."""
    pairs = zip(_note_columns(table), table.key, strict=True)
    return " AND ".join(f"{note} = {prefix}{quoted(name)}" for note, name in pairs)


def _changed(table: Table) -> str:
    """Return the query for the changed rows: key, a part of the key of the existing row or NULL, and columns."""
    return (
        f"SELECT {', '.join(_note_columns(table))}, found.{quoted(table.key[0])}, {listed(table.columns, 'found.')}"
        f" FROM {_notes(table)} LEFT JOIN main.{quoted(table.name)} AS found ON {_matches(table, 'found.')}"
    )
