"""The changes to a ledger since the last checkpoint: temporary triggers record the keys of the rows that changed.

The recorded keys are in temporary tables, so that the file of the ledger is the same as without them.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from ....errors import LedgerError
from ..schema import LEDGER_NAME, connect_to_read
from ..writer import transaction
from .segments import Row
from .table_info import Table, listed, quoted, read_tables


def track_changes(sql: sqlite3.Connection) -> None:
    """Begin to record the keys of rows that change on this connection."""
    sql.execute("PRAGMA recursive_triggers = ON")  # so that INSERT OR REPLACE records the row that it replaces
    for table in read_tables(sql).values():
        changed, names = _changed(table), _key_names(table)
        # With their types: SQLite uses no index to compare a value with one of a column without a type.
        typed = ", ".join(f"{name} {type_}" for name, type_ in zip(names, table.key_types, strict=True))
        sql.execute(f"CREATE TEMPORARY TABLE {changed} ({typed}, PRIMARY KEY ({', '.join(names)}))")
        for event, row in (("INSERT", "new"), ("UPDATE", "old"), ("UPDATE", "new"), ("DELETE", "old")):
            pairs = zip(names, table.key, strict=True)
            is_recorded = " AND ".join(f"{name} = {row}.{quoted(column)}" for name, column in pairs)
            # Not INSERT OR IGNORE: the conflict clause of the statement that runs the trigger would replace it.
            sql.execute(
                f"CREATE TEMPORARY TRIGGER {quoted(f'record {event} {row} {table.name}')}"
                f" AFTER {event} ON main.{quoted(table.name)}"
                f" WHEN NOT EXISTS (SELECT 1 FROM {changed} WHERE {is_recorded})"
                f" BEGIN INSERT INTO {changed} VALUES ({listed(table.key, f'{row}.')}); END"
            )


@frozen
class ChangedRows:
    """The rows that changed, as they were at one moment. Allowed in any thread; close it after use."""

    tables: dict[str, Table]
    _keys: dict[str, list[tuple[Any, ...]]]
    _sql: sqlite3.Connection

    def __iter__(self) -> Iterator[Row]:
        for name, keys in self._keys.items():
            table = self.tables[name]
            for key in keys:
                yield name, key, self._sql.execute(table.select, key).fetchone()

    def close(self) -> None:
        """Close the connection that reads the rows."""
        self._sql.close()


def take_changes(sql: sqlite3.Connection, folder: Path) -> ChangedRows | None:
    """Return the rows that changed, and forget their keys; None if nothing changed.

    Only the keys are read at once: a second connection reads the rows as they are now, while this one writes others.
    """
    tables = read_tables(sql)
    with transaction(sql):
        keys: dict[str, list[tuple[Any, ...]]] = {}
        for table in tables.values():
            if found := sql.execute(f"SELECT * FROM {_changed(table)}").fetchall():
                keys[table.name] = found
                sql.execute(f"DELETE FROM {_changed(table)}")
        if not keys:
            return None
        if not (folder / LEDGER_NAME).exists():
            raise LedgerError(f"{folder / LEDGER_NAME} was deleted during the harvest: run the same command again")
        reader = connect_to_read(folder)
        try:
            reader.execute("BEGIN")
            reader.execute("SELECT 1 FROM settings").fetchone()  # the transaction reads this state from now on
        except BaseException:
            reader.close()
            raise
    return ChangedRows(tables, keys, reader)


def _changed(table: Table) -> str:
    return quoted(f"changed {table.name}")


def _key_names(table: Table) -> list[str]:
    return [f"key{position}" for position in range(len(table.key))]
