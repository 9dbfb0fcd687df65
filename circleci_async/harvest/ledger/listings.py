"""The API lists that a run could not read to the end, or that will grow: a later run reads them again."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from .records import Listing
from .runs import Run
from .values import valid_text
from .writer import LedgerWriter, transactional


class IncompleteListings:
    """Records lists by selection: only runs with the same selection continue them."""

    def __init__(self, writer: LedgerWriter, run: Run) -> None:
        self.writer = writer
        self._run = run

    @transactional
    def add(self, sql: sqlite3.Connection, listing: Listing) -> None:
        """Record a list as incomplete, with its error if reading it failed."""
        sql.execute(
            "INSERT OR REPLACE INTO listings VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(self._run.selection, *listing.id, valid_text(listing.name)),
                *(json.dumps(listing.detail), self._run.id, listing.error and valid_text(listing.error)),
            ),
        )

    @transactional
    def remove(self, sql: sqlite3.Connection, listing: Listing) -> None:
        """Record that a list was read to the end."""
        sql.execute(
            "DELETE FROM listings WHERE selection = ? AND kind = ? AND project = ? AND key = ?",
            (self._run.selection, *listing.id),
        )

    @transactional
    def of_earlier_runs(self, sql: sqlite3.Connection, project: str) -> list[Listing]:
        """Return the lists of a project that earlier runs with the same selection left incomplete."""
        rows = sql.execute(
            "SELECT kind, project, key, name, detail, error FROM listings"
            " WHERE selection = ? AND project = ? AND run < ? ORDER BY kind, key",
            (self._run.selection, project, self._run.id),
        )
        return [Listing(*row)._replace(detail=_detail(row[4])) for row in rows]


def _detail(text: str) -> Sequence[Any]:
    """Parse what is needed to read a list again; empty if it is invalid."""
    try:
        detail: Sequence[Any] = json.loads(text) if text.startswith("[") else ()
    except (ValueError, RecursionError):
        return ()
    return detail
