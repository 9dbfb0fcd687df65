"""The tables of a ledger, with their columns and keys."""

import sqlite3

from attrs import frozen


@frozen
class Table:
    """A table. `key`: the columns that identify a row: the rowid, or the primary key of a table without one."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    key_types: tuple[str, ...]

    @property
    def insert(self) -> str:
        """The statement that writes a row, given its key and its columns."""
        names = (*self.key, *self.columns) if self.key == ("rowid",) else self.columns
        return f"INSERT OR REPLACE INTO {quoted(self.name)} ({listed(names)}) VALUES ({', '.join('?' * len(names))})"

    @property
    def delete(self) -> str:
        """The statement that deletes a row, given its key."""
        return f"DELETE FROM {quoted(self.name)} WHERE {self._has_key}"

    @property
    def select(self) -> str:
        """The query for the columns of a row, given its key."""
        return f"SELECT {listed(self.columns)} FROM main.{quoted(self.name)} WHERE {self._has_key}"

    @property
    def _has_key(self) -> str:
        return " AND ".join(f"{quoted(name)} = ?" for name in self.key)


def read_tables(sql: sqlite3.Connection) -> dict[str, Table]:
    """Return the tables of a ledger by their names."""
    names = sql.execute(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    return {name: _table(sql, name) for (name,) in names.fetchall()}


def quoted(name: str) -> str:
    """Return a name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: tuple[str, ...], table: str = "") -> str:
    """Return names of columns as SQL."""
    return ", ".join(f"{table}{quoted(name)}" for name in names)


def _table(sql: sqlite3.Connection, name: str) -> Table:
    columns = sql.execute("SELECT name, pk, type FROM pragma_table_info(?, 'main') ORDER BY cid", (name,)).fetchall()
    names = tuple(column for column, *_ in columns)
    try:
        # Not quoted: SQLite reads an unknown name in quotes as text.
        sql.execute(f"SELECT rowid FROM main.{quoted(name)} LIMIT 0")
    except sqlite3.OperationalError:
        primary = sorted((position, column, type_) for column, position, type_ in columns if position)
        return Table(name, names, tuple(each[1] for each in primary), tuple(each[2] for each in primary))
    return Table(name, names, ("rowid",), ("INTEGER",))
