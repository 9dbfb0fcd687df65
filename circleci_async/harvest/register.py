"""The ledger's ends that the finding holds. Plain blocking work: all of it happens in the ledger's one thread."""

import json
import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from ..downloads.destination import checked_parts, numbered
from ..errors import UnsafePath
from ..globs import matches_path
from ..models.artifacts import Artifact
from .layout import Place, Placer
from .records import Settled, Unlisted, Visit, Wanted
from .store import COLUMNS, Store, text

READ_AT_ONCE: Final = 1_000
"""Rows that are in memory at once, however many a job has."""


class Register(Store):
    """The ledger of one run, with all that the finding writes into it."""

    def visit(self, job: Place, glob: str | None, *, want: bool) -> Visit:
        """Note that this run came by a job; if its artifacts are all known, want those that the glob asks for."""
        with self._transaction():
            row = self._sql.execute(
                "SELECT id, listed, run FROM jobs WHERE project = ? AND number = ?", (job.project, job.number)
            ).fetchone()
            if row is None:
                self._insert(
                    "INSERT INTO jobs (project, number, name, workflow, pipeline, listed, run)"
                    " VALUES (?, ?, ?, ?, ?, 'begun', ?)",
                    *(job.project, job.number, job.job, job.workflow, job.pipeline, self.run),
                )
                return Visit()
            number, listed, run = row
            if run == self.run:
                return Visit(is_first=False, is_whole=listed == "whole")
            self._sql.execute("UPDATE jobs SET run = ? WHERE id = ?", (self.run, number))
            if listed != "whole":
                return Visit()
            return self._want_all(number, glob) if want else Visit(is_whole=True)

    def add(self, job: Place, artifacts: Iterable[Artifact], glob: str | None, *, want: bool) -> Visit:
        """Write down a page of a job's artifacts, and want those that the glob asks for."""
        found = skipped = failed = 0
        with self._transaction():
            number = self._job(job)
            for each in artifacts:
                wanted = want and matches_path(glob, each.path)
                outcome = self._add(number, each, wanted=wanted)
                found += outcome == "found"
                skipped += outcome == "done"
                failed += outcome == "failed"
        return Visit(found=found, skipped=skipped, failed=failed)

    def _add(self, job: int, artifact: Artifact, *, wanted: bool) -> str:
        path, url = text(artifact.path), text(artifact.url)
        refusal = _refusal(path)
        is_found = wanted and refusal is None
        state, run, turn = ("found", self.run, self._turn + 1) if is_found else ("listed", 0, 0)
        new = self._sql.execute(
            "INSERT OR IGNORE INTO artifacts (job, node, path, url, safe, state, listed_by, run, turn)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (job, artifact.node_index, path, url, refusal is None, state, self.run, run, turn),
        )
        if new.rowcount and is_found:
            self._turn += 1
            return "found"
        row = self._sql.execute(
            "SELECT id, path, state, run, target, size, listed_by FROM artifacts"
            " WHERE job = ? AND node = ? AND path = ?",
            (job, artifact.node_index, path),
        ).fetchone()
        id, path, state, run, target, size, listed_by = row
        if not new.rowcount and listed_by == self.run:  # the list has it twice
            return ""
        state = "failed" if state == "gone" else state
        self._sql.execute(
            "UPDATE artifacts SET url = ?, state = ?, listed_by = ? WHERE id = ?", (url, state, self.run, id)
        )
        return self._want(id, path, state, run, target, size) if wanted else ""

    def want(self, job: Place, glob: str | None) -> Visit:
        """Want those artifacts of a job that the glob asks for."""
        with self._transaction():
            return self._want_all(self._job(job), glob)

    def has(self, job: Place, glob: str | None) -> bool:
        """Say whether a job has artifacts that the glob asks for."""
        rows = self._sql.execute("SELECT path FROM artifacts WHERE job = ? AND state != 'gone'", (self._job(job),))
        return any(matches_path(glob, path) for (path,) in rows)

    def _job(self, job: Place) -> int:
        (number,) = self._sql.execute(
            "SELECT id FROM jobs WHERE project = ? AND number = ?", (job.project, job.number)
        ).fetchone()
        return int(number)

    def _want_all(self, job: int, glob: str | None) -> Visit:
        found = skipped = failed = 0
        for id, _, path, *row in self._artifacts(job, "state, run, target, size", "state != 'gone'"):
            if matches_path(glob, path):
                outcome = self._want(id, path, *row)
                found += outcome == "found"
                skipped += outcome == "done"
                failed += outcome == "failed"
        return Visit(is_whole=True, found=found, skipped=skipped, failed=failed)

    def _artifacts(self, job: int, columns: str, condition: str) -> Iterator[Any]:
        """Yield id, node, path and more of a job's artifacts, by node and path; they may be changed meanwhile."""
        query = (
            f"SELECT id, node, path, {columns} FROM artifacts WHERE job = ? AND (node, path) > (?, ?) AND {condition}"
            " ORDER BY node, path LIMIT ?"
        )
        node, path = -1, ""
        while rows := self._sql.execute(query, (job, node, path, READ_AT_ONCE)).fetchall():
            yield from rows
            _, node, path, *_ = rows[-1]

    def _want(self, id: int, path: str, state: str, run: int, target: str | None, size: int | None) -> str:
        """Make an artifact part of this run, and say where it stands: to be fetched, done already, or failed."""
        if run == self.run:
            return ""
        if state in {"done", "fetched"} and self._is_there(id, target if state == "done" else None, size):
            self._sql.execute("UPDATE artifacts SET run = ? WHERE id = ?", (self.run, id))
            return "done"
        if (refusal := _refusal(path)) is not None:
            self._fail(id, refusal)
            return "failed"
        forget = ", size = NULL, sha256 = NULL, etag = NULL" if state in {"done", "fetched"} else ""
        self._turn += 1
        self._sql.execute(
            f"UPDATE artifacts SET state = 'found', run = ?, turn = ?, tries = 0, error = NULL{forget} WHERE id = ?",
            (self.run, self._turn, id),
        )
        return "found"

    def _is_there(self, id: int, target: str | None, size: int | None) -> bool:
        if target is not None:
            return self._tree.size(target) == size
        try:
            return os.path.getsize(self._tree.part(id)) == size
        except OSError:
            return False

    def complete(self, job: Place, *, whole: bool) -> None:
        """Give the artifacts of a job their places, now that all are known. Files that waited for that can be settled.

        `whole`: whether the job has ended, so that there will be no more.
        """
        with self._transaction():
            number = self._job(job)
            self._sql.execute("UPDATE jobs SET listed = ? WHERE id = ?", ("whole" if whole else "open", number))
            self._sql.execute(
                "UPDATE artifacts SET state = 'gone'"
                " WHERE job = ? AND listed_by < ? AND state NOT IN ('done', 'fetched')",
                (number, self.run),
            )
            query = "SELECT min(node) != max(node) FROM artifacts WHERE job = ?"
            (has_nodes,) = self._sql.execute(query, (number,)).fetchone()
            query = "SELECT target FROM artifacts WHERE job = ? AND target IS NOT NULL"
            taken = (target for (target,) in self._sql.execute(query, (number,)))
            placer = Placer(self._layout, job, has_nodes=bool(has_nodes), taken=taken)
            unplaced = self._artifacts(number, "1", "target IS NULL AND safe AND state != 'gone'")
            placed = ((placer.place(node, path), id) for id, node, path, _ in unplaced)
            while some := list(islice(placed, READ_AT_ONCE)):
                self._place(some)

    def settle(self, job: Place) -> tuple[list[Settled], bool]:
        """Settle some of the files that waited for their places; say whether there may be more."""
        rows = self._sql.execute(
            f"SELECT sha256, fetched_by, {COLUMNS} FROM artifacts JOIN jobs ON jobs.id = job"
            " WHERE job = ? AND state = 'fetched' LIMIT ?",
            (self._job(job), READ_AT_ONCE),
        ).fetchall()
        files = [(digest, fetched_by, Wanted(*row)) for digest, fetched_by, *row in rows]
        with self._transaction():
            self._sql.executemany(
                "UPDATE artifacts SET state = 'done' WHERE id = ?", [(wanted.id,) for *_, wanted in files]
            )
        outcomes = [
            (fetched_by, self._settle(wanted, wanted.size or 0, digest)) for digest, fetched_by, wanted in files
        ]
        return [settled for fetched_by, settled in outcomes if fetched_by == self.run], len(rows) == READ_AT_ONCE

    def _place(self, places: list[tuple[str, int]]) -> None:
        try:
            with self._savepoint():
                self._sql.executemany("UPDATE artifacts SET target = ? WHERE id = ?", places)
        except sqlite3.IntegrityError:  # two projects that differ by case only
            for target, id in places:
                self._place_apart(target, id)

    def _place_apart(self, target: str, id: int) -> None:
        first, _, rest = target.rpartition("/")
        for folder in numbered(first):
            try:
                self._sql.execute("UPDATE artifacts SET target = ? WHERE id = ?", (f"{folder}/{rest}", id))
            except sqlite3.IntegrityError:
                continue
            return

    # Lists that could not be walked to their ends

    def note_unlisted(self, unlisted: Unlisted) -> None:
        """Note that a list was not walked to its end, yet or for good: another run with the same selection does it."""
        with self._transaction():
            self._sql.execute(
                "INSERT OR REPLACE INTO listings VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(self._selection, unlisted.kind, unlisted.project, unlisted.key, text(unlisted.name)),
                    *(json.dumps(unlisted.detail), self.run, unlisted.error and text(unlisted.error)),
                ),
            )

    def note_listed(self, kind: str, project: str, key: str) -> None:
        """Note that a list was walked to its end."""
        with self._transaction():
            self._sql.execute(
                "DELETE FROM listings WHERE selection = ? AND kind = ? AND project = ? AND key = ?",
                (self._selection, kind, project, key),
            )

    def unlisted(self, project: str) -> list[Unlisted]:
        """Return the lists of a project that earlier runs with the same selection did not walk to their ends."""
        rows = self._sql.execute(
            "SELECT kind, project, key, name, detail, error FROM listings"
            " WHERE selection = ? AND project = ? AND run < ? ORDER BY kind, key",
            (self._selection, project, self.run),
        )
        return [Unlisted(*row)._replace(detail=json.loads(row[4])) for row in rows]

    def left_over(self, project: str) -> Visit:
        """Want what earlier runs with the same selection asked for and did not get."""
        with self._transaction():
            query = (
                "SELECT artifacts.id, path, state, artifacts.run, target, size"
                " FROM artifacts JOIN jobs ON jobs.id = job"
                " WHERE project = ? AND state IN ('found', 'failed') AND artifacts.run < ?"
                " AND artifacts.run IN (SELECT id FROM runs WHERE selection = ?) ORDER BY turn LIMIT ?"
            )
            found = failed = 0
            values = (project, self.run, self._selection, READ_AT_ONCE)
            while rows := self._sql.execute(query, values).fetchall():  # what is wanted now is not among them any more
                outcomes = [self._want(*row) for row in rows]
                found += outcomes.count("found")
                failed += outcomes.count("failed")
        return Visit(found=found, failed=failed)

    @contextmanager
    def _savepoint(self) -> Generator[None]:
        self._sql.execute("SAVEPOINT inner")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK TO inner")
            raise
        finally:
            self._sql.execute("RELEASE inner")


def _refusal(path: str) -> UnsafePath | None:
    try:
        checked_parts(path)
    except UnsafePath as error:
        return error
    return None
