"""The calls of `on_file` that are due: one for each file that a run with `on_file` has placed."""

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from ..destination.files import FinishedFiles
from .records import FILE_COLUMNS, FILE_TABLES
from .runs import Run
from .values import error_text
from .writer import LedgerWriter, transactional

_DUE: Final = (
    f"{FILE_TABLES} JOIN calls ON calls.artifact = artifacts.id WHERE artifacts.state = 'done' AND calls.id > ?"
)


class CallQueue:
    """Hands out the due calls, in the order in which the files were placed.

    A call is removed after it returned: the run after a killed one repeats it, and calls that failed.
    """

    def __init__(self, writer: LedgerWriter, files: FinishedFiles, run: Run) -> None:
        self.writer = writer
        self._files = files
        self._run = run
        self._position = 0

    def add(self, sql: sqlite3.Connection, ids: Iterable[int]) -> None:
        """Record calls for those of these artifacts that are finished files, within the transaction of the commit."""
        sql.executemany(
            "INSERT OR REPLACE INTO calls (artifact, run) SELECT id, ? FROM artifacts WHERE id = ? AND state = 'done'",
            [(self._run.id, id) for id in ids],
        )

    @transactional
    def claim(self, sql: sqlite3.Connection, limit: int) -> list[tuple[int, tuple[Any, ...]]]:
        """Return the next due calls with the rows of their files; none if all have been claimed.

        Calls for files that do not exist any more are removed.
        """
        claimed: list[tuple[int, tuple[Any, ...]]] = []
        query = f"SELECT calls.id, target, {FILE_COLUMNS} FROM {_DUE} ORDER BY calls.id LIMIT ?"
        while not claimed and (rows := sql.execute(query, (self._position, limit)).fetchall()):
            for id, target, *file in rows:
                if not self._files.has(target):
                    sql.execute("DELETE FROM calls WHERE id = ?", (id,))
                else:
                    claimed.append((id, tuple(file)))
            self._position = rows[-1][0]
        return claimed

    @transactional
    def has_due(self, sql: sqlite3.Connection, count: int) -> bool:
        """Return whether at least this number of calls is due and not claimed."""
        query = f"SELECT 1 FROM {_DUE} LIMIT 1 OFFSET ?"
        return sql.execute(query, (self._position, count - 1)).fetchone() is not None

    @transactional
    def finish(self, sql: sqlite3.Connection, id: int, error: Exception | None) -> None:
        """Remove a call that returned; keep one that failed, for the next run."""
        if error is None:
            sql.execute("DELETE FROM calls WHERE id = ?", (id,))
        else:
            sql.execute("UPDATE calls SET error = ?, run = ? WHERE id = ?", (error_text(error), self._run.id, id))
