"""The runs of a harvest: each call of `harvest` is one, recorded with its selection, begin and end."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal

from attrs import frozen

from ...errors import InvalidArgument
from ..layout import Layout
from .writer import LedgerWriter

_UNFINISHED: Final = (
    "ended IS NULL AND NOT EXISTS (SELECT 1 FROM runs AS later"
    " WHERE later.id > runs.id AND later.selection = runs.selection AND later.ended IS NOT NULL)"
)


@frozen
class Run:
    """One run, as the ledger identifies it."""

    id: int
    selection: str
    """The key of its selection: later runs with the same key continue this one."""
    first_position: int
    """The queue position after which this run adds artifacts."""
    follows: Literal["ended", "interrupted"] | None = None
    """Whether a run before was interrupted, and none with its selection has ended since; None if this is the first."""


async def begin_run(
    writer: LedgerWriter, layout: Layout, projects: Iterable[str], selection: str, *, dedupe: bool = False
) -> Run:
    """Record a new run. `dedupe`: whether files will be looked up by their checksums.

    In a bucket it is stored before the run puts its first file: if the run is killed, the next one looks for files
    that are not in the ledger. Raises `InvalidArgument` if the destination has another layout, `LedgerError`.
    """
    run = await writer.execute(_begin, layout, set(projects), selection, dedupe)
    await writer.store()
    return run


async def end_run(writer: LedgerWriter, run: Run) -> None:
    """Record that a run finished. Raises `LedgerError`."""
    query = "UPDATE runs SET ended = ? WHERE id = ?"
    await writer.execute(lambda sql: sql.execute(query, (_now(), run.id)))


def _begin(sql: sqlite3.Connection, layout: Layout, projects: set[str], selection: str, dedupe: bool) -> Run:
    _record_layout(sql, layout, projects)
    runs, interrupted = sql.execute(f"SELECT count(*), count(*) FILTER (WHERE {_UNFINISHED}) FROM runs").fetchone()
    follows: Literal["ended", "interrupted"] | None = None
    if runs:
        follows = "interrupted" if interrupted else "ended"
    cursor = sql.execute("INSERT INTO runs (selection, began) VALUES (?, ?)", (selection, _now()))
    (position,) = sql.execute("SELECT coalesce(max(turn), 0) FROM artifacts").fetchone()
    if dedupe:
        sql.execute("CREATE INDEX IF NOT EXISTS contents ON artifacts (sha256) WHERE state = 'done'")
    return Run(id=cursor.lastrowid or 0, selection=selection, first_position=position, follows=follows)


def _record_layout(sql: sqlite3.Connection, layout: Layout, projects: set[str]) -> None:
    settings = dict(sql.execute("SELECT name, value FROM settings"))
    known = settings.get("layout", layout.template)
    if known != layout.template:
        raise InvalidArgument(
            f"layout must be {known!r}, which the files in this destination use, got {layout.template!r}: pass that"
            " layout, or another destination"
        )
    if not layout.separates_projects:
        projects |= {project for (project,) in sql.execute("SELECT DISTINCT project FROM jobs")}
        if len(projects) > 1:
            raise InvalidArgument(
                f"layout must contain {{project}} for several projects, got {layout.template!r}: without it files of"
                f" {', '.join(sorted(projects))} would collide"
            )
    sql.execute("INSERT OR REPLACE INTO settings VALUES ('layout', ?)", (known,))


def _now() -> str:
    return datetime.now(UTC).isoformat()
