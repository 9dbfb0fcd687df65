"""The jobs and artifacts that discovery records."""

import sqlite3
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ...downloads.destination import checked_parts, numbered
from ...errors import UnsafePath
from ...globs import matches_path
from ...models.artifacts import Artifact
from ..destination.files import FinishedFiles
from ..destination.parts import Part
from ..layout import JobRef, Layout, PathAllocator, PipelineRef
from .queue import mark_failed
from .records import Recorded
from .runs import Run
from .values import MAX_INTEGER, is_storable, valid_text
from .writer import LedgerWriter, transactional

MAX_ROWS: Final = 1_000
"""Rows that are in memory at once, however many artifacts a job has."""

INVALID_NODE: Final = -1
"""The node of an artifact whose node cannot be stored; its path names the node."""

_Outcome: TypeAlias = Literal["discovered", "skipped", "failed", "unchanged"]

_COLUMNS: Final = "artifacts.id, node, path, state, artifacts.run, target, size, sha256"


class _Row(NamedTuple):
    """A known artifact, with the fields in `_COLUMNS`."""

    id: int
    node: int
    path: str
    state: str
    run: int
    target: str | None
    size: int | None
    sha256: str | None


class Catalog:
    """Records jobs and their artifacts, and queues the artifacts that match the path glob of the selection."""

    def __init__(self, writer: LedgerWriter, files: FinishedFiles, layout: Layout, run: Run) -> None:
        self.writer = writer
        self._files = files
        self._layout = layout
        self._run = run
        self._position = run.first_position

    @transactional
    def add_pipeline(self, sql: sqlite3.Connection, project: str, number: int, pipeline: PipelineRef) -> None:
        """Record a pipeline, which the files of its jobs are described with."""
        created = pipeline.created_at and pipeline.created_at.astimezone(UTC).isoformat()
        sql.execute(
            "INSERT OR IGNORE INTO pipelines (project, number, id, created, branch, tag, revision)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (project, number, pipeline.id, created, pipeline.branch, pipeline.tag, pipeline.revision),
        )

    @transactional
    def pipeline(self, sql: sqlite3.Connection, project: str, number: int) -> PipelineRef:
        """Return what is recorded about a pipeline; nothing, if the ledger is of an older version."""
        query = "SELECT id, created, branch, tag, revision FROM pipelines WHERE project = ? AND number = ?"
        row = sql.execute(query, (project, number)).fetchone()
        return PipelineRef() if row is None else PipelineRef(row[0], datetime.fromisoformat(row[1]), *row[2:])

    @transactional
    def visit(self, sql: sqlite3.Connection, job: JobRef, glob: str | None, *, is_queued: bool) -> Recorded:
        """Record that this run reached a job, and queue its matching artifacts (`is_queued`) if all are recorded."""
        row = sql.execute(
            "SELECT id, listed, run FROM jobs WHERE project = ? AND number = ? AND kind = ?",
            (job.project, job.number, job.kind),
        ).fetchone()
        if row is None:
            sql.execute(
                "INSERT INTO jobs (project, number, kind, name, workflow, pipeline, listed, run)"
                " VALUES (?, ?, ?, ?, ?, ?, 'begun', ?)",
                (job.project, job.number, job.kind, job.job, job.workflow, job.pipeline, self._run.id),
            )
            return Recorded()
        id, listed, run = row
        if run == self._run.id:
            return Recorded(is_first_visit=False, is_complete=listed == "whole")
        sql.execute("UPDATE jobs SET run = ? WHERE id = ?", (self._run.id, id))
        if listed != "whole":
            return Recorded()
        return self._queue_matching(sql, id, glob) if is_queued else Recorded(is_complete=True)

    @transactional
    def add(
        self, sql: sqlite3.Connection, job: JobRef, artifacts: Iterable[Artifact], glob: str | None, *, is_queued: bool
    ) -> Recorded:
        """Record a page of a job's artifacts, and queue the matching ones (`is_queued`)."""
        id = _job_id(sql, job)
        return _summary(
            self._add(sql, id, each, is_queued=is_queued and matches_path(glob, each.path)) for each in artifacts
        )

    @transactional
    def queue_matching(self, sql: sqlite3.Connection, job: JobRef, glob: str | None) -> Recorded:
        """Queue the recorded artifacts of a job that match."""
        return self._queue_matching(sql, _job_id(sql, job), glob)

    @transactional
    def has_matching(self, sql: sqlite3.Connection, job: JobRef, glob: str | None) -> bool:
        """Return whether a job has recorded artifacts that match."""
        query = "SELECT path FROM artifacts WHERE job = ? AND state != 'gone'"
        rows = sql.execute(query, (_job_id(sql, job),))
        return any(matches_path(glob, path) for (path,) in rows)

    @transactional
    def queue_leftovers(self, sql: sqlite3.Connection, project: str) -> Recorded:
        """Queue what earlier runs with the same selection queued and did not download."""
        # A temporary table: without it, each batch would search and sort all that are left.
        sql.execute(
            "CREATE TEMPORARY TABLE leftovers AS SELECT artifacts.id AS artifact FROM artifacts"
            " JOIN jobs ON jobs.id = job WHERE project = ? AND state IN ('found', 'failed') AND artifacts.run < ?"
            " AND artifacts.run IN (SELECT id FROM runs WHERE selection = ?) ORDER BY turn",
            (project, self._run.id, self._run.selection),
        )
        outcomes: list[str] = []
        query = (
            f"SELECT leftovers.rowid, {_COLUMNS} FROM leftovers JOIN artifacts ON artifacts.id = artifact"
            " WHERE leftovers.rowid > ? ORDER BY leftovers.rowid LIMIT ?"
        )
        last = 0
        while rows := sql.execute(query, (last, MAX_ROWS)).fetchall():
            outcomes.extend(self._queue(sql, _Row(*row)) for _, *row in rows)
            last = rows[-1][0]
        sql.execute("DROP TABLE leftovers")
        return _summary(outcomes)

    @transactional
    def complete(self, sql: sqlite3.Connection, job: JobRef, *, is_final: bool) -> None:
        """Assign paths to the artifacts of a job, now that all are listed.

        `is_final`: whether the job has finished, so that no artifacts will be added. If one was refused, the next run
        lists them again: the server can correct it.
        """
        id = _job_id(sql, job)
        sql.execute(
            "UPDATE artifacts SET state = 'gone' WHERE job = ? AND listed_by < ?"
            " AND state NOT IN ('done', 'fetched', 'pruning', 'pruned')",
            (id, self._run.id),
        )
        refused = sql.execute("SELECT 1 FROM artifacts WHERE job = ? AND NOT safe AND state != 'gone' LIMIT 1", (id,))
        listed = "whole" if is_final and refused.fetchone() is None else "open"
        sql.execute("UPDATE jobs SET listed = ? WHERE id = ?", (listed, id))
        query = "SELECT min(node) != max(node) FROM artifacts WHERE job = ? AND node >= 0"
        (has_nodes,) = sql.execute(query, (id,)).fetchone()
        taken = sql.execute(  # by the files of all kinds
            "SELECT target FROM artifacts JOIN jobs ON jobs.id = job"
            " WHERE project = ? AND number = ? AND target IS NOT NULL",
            (job.project, job.number),
        )
        paths = PathAllocator(self._layout, job, has_nodes=bool(has_nodes), taken=(target for (target,) in taken))
        unplaced = _artifacts(sql, id, "1", "target IS NULL AND safe AND state != 'gone'")
        assigned = ((paths.allocate(node, path), artifact) for artifact, node, path, _ in unplaced)
        while batch := list(islice(assigned, MAX_ROWS)):
            _assign(sql, batch)

    def _add(self, sql: sqlite3.Connection, job: int, artifact: Artifact, *, is_queued: bool) -> _Outcome:
        path, url, node = valid_text(artifact.path), valid_text(artifact.url), artifact.node_index
        if not is_storable(node):
            path, node = f"{path} (node {node})", INVALID_NODE
        refusal = _refusal(node, path)
        is_pending = is_queued and refusal is None
        state, run, position = ("found", self._run.id, self._position + 1) if is_pending else ("listed", 0, 0)
        inserted = sql.execute(
            "INSERT OR IGNORE INTO artifacts (job, node, path, url, safe, state, listed_by, run, turn)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (job, node, path, url, refusal is None, state, self._run.id, run, position),
        ).rowcount
        if inserted and is_pending:
            self._position += 1
            return "discovered"
        *known, listed_by, known_url = sql.execute(
            f"SELECT {_COLUMNS}, listed_by, url FROM artifacts WHERE job = ? AND node = ? AND path = ?",
            (job, node, path),
        ).fetchone()
        row = _Row(*known)
        if row.state == "failed" and url != known_url:  # perhaps in this run, with the URL of an earlier one
            row = row._replace(run=0)
        if not inserted and listed_by == self._run.id:  # a duplicate in the list
            return "unchanged"
        row = row._replace(state="failed" if row.state == "gone" else row.state)
        sql.execute(
            "UPDATE artifacts SET url = ?, state = ?, listed_by = ? WHERE id = ?",
            (url, row.state, self._run.id, row.id),
        )
        return self._queue(sql, row) if is_queued else "unchanged"

    def _queue_matching(self, sql: sqlite3.Connection, job: int, glob: str | None) -> Recorded:
        rows = _artifacts(sql, job, "state, run, target, size, sha256", "state != 'gone'")
        queued = [row for row in map(_Row._make, rows) if matches_path(glob, row.path)]
        return _summary(self._queue(sql, row) for row in queued)._replace(is_complete=True)

    def _queue(self, sql: sqlite3.Connection, row: "_Row") -> _Outcome:
        """Make an artifact part of this run: pending, unless its file exists or its path is unsafe."""
        if row.run == self._run.id or row.state in {"pruning", "pruned"}:
            return "unchanged"
        is_downloaded = row.state in {"done", "fetched"}
        if is_downloaded and self._exists(row):
            sql.execute("UPDATE artifacts SET run = ? WHERE id = ?", (self._run.id, row.id))
            return "skipped"
        if (refusal := _refusal(row.node, row.path)) is not None:
            mark_failed(sql, self._run.id, row.id, refusal)
            return "failed"
        forget = ", size = NULL, sha256 = NULL, etag = NULL" if is_downloaded else ""
        self._position += 1
        sql.execute(
            f"UPDATE artifacts SET state = 'found', run = ?, turn = ?, tries = 0, error = NULL{forget} WHERE id = ?",
            (self._run.id, self._position, row.id),
        )
        return "discovered"

    def _exists(self, row: "_Row") -> bool:
        if row.state == "done" and row.target is not None:
            return row.size is not None and self._files.has(row.target, row.size)
        return row.size == self._files.parts.size(Part(row.id, row.sha256))


def _summary(outcomes: Iterable[str]) -> Recorded:
    counts = Counter(outcomes)
    return Recorded(discovered=counts["discovered"], skipped=counts["skipped"], failed=counts["failed"])


def _job_id(sql: sqlite3.Connection, job: JobRef) -> int:
    query = "SELECT id FROM jobs WHERE project = ? AND number = ? AND kind = ?"
    (id,) = sql.execute(query, (job.project, job.number, job.kind)).fetchone()
    return int(id)


def _artifacts(sql: sqlite3.Connection, job: int, columns: str, condition: str) -> Iterator[Any]:
    """Yield id, node, path and `columns` of a job's artifacts, by node and path; rows may be changed meanwhile."""
    query = (
        f"SELECT id, node, path, {columns} FROM artifacts WHERE job = ? AND (node, path) > (?, ?) AND {condition}"
        " ORDER BY node, path LIMIT ?"
    )
    node, path = -1, ""
    while rows := sql.execute(query, (job, node, path, MAX_ROWS)).fetchall():
        yield from rows
        _, node, path, *_ = rows[-1]


def _assign(sql: sqlite3.Connection, targets: list[tuple[str, int]]) -> None:
    try:
        with _savepoint(sql):
            sql.executemany("UPDATE artifacts SET target = ? WHERE id = ?", targets)
    except sqlite3.IntegrityError:  # two projects whose names differ only in case
        for target, id in targets:
            _assign_numbered(sql, target, id)


def _assign_numbered(sql: sqlite3.Connection, target: str, id: int) -> None:
    parent, _, name = target.rpartition("/")
    for folder in numbered(parent):
        try:
            sql.execute("UPDATE artifacts SET target = ? WHERE id = ?", (f"{folder}/{name}", id))
        except sqlite3.IntegrityError:
            continue
        return


@contextmanager
def _savepoint(sql: sqlite3.Connection) -> Generator[None]:
    sql.execute("SAVEPOINT inner")
    try:
        yield
    except BaseException:
        sql.execute("ROLLBACK TO inner")
        raise
    finally:
        sql.execute("RELEASE inner")


def _refusal(node: int, path: str) -> UnsafePath | None:
    if node == INVALID_NODE:
        return UnsafePath(f"artifact {path!r} refused: its node is not a number from 0 to {MAX_INTEGER}")
    try:
        checked_parts(path)
    except UnsafePath as error:
        return error
    return None
