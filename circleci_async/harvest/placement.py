"""Turns downloaded artifacts into finished files: bytes on disk, then recorded in the ledger, then renamed."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from ..errors import DownloadError
from .destination.files import FinishedFiles
from .destination.parts import Part
from .layout import JobRef
from .ledger.calls import CallQueue
from .ledger.queue import COLUMNS, LedgerQueue, mark_failed
from .ledger.records import CommitResult, FetchedArtifact, QueuedArtifact
from .ledger.runs import Run
from .ledger.schema import DISK_FULL_ERRNOS
from .ledger.values import is_value_error
from .ledger.writer import transaction

MAX_RENAMES: Final = 1_000
"""Files that are renamed in one step, however many wait for their paths."""

MAX_TWINS: Final = 8
"""Finished files of the same content that are tried for a hard link."""


class Placement:
    """Places files in the destination. All methods block: call those with a connection in the ledger's thread.

    A file is renamed only after the commit that records it, and `recover` repeats renames that a kill prevented. So a
    finished file is always complete, and one in the ledger is never downloaded twice. `calls`: where calls of `on_file`
    are recorded, if there is one.
    """

    def __init__(
        self,
        queue: LedgerQueue,
        files: FinishedFiles,
        run: Run,
        *,
        dedupe: bool = False,
        calls: CallQueue | None = None,
    ) -> None:
        self._queue = queue
        self._files = files
        self._parts = files.parts
        self._run = run
        self._dedupe = dedupe
        self._calls = calls

    def recover(self, sql: sqlite3.Connection) -> None:
        """Create the folder of partial files, or reconcile the files of a killed run with the ledger.

        Complete files that the run did not record are kept: they are `leftovers` of the folder.
        """
        self._parts.create()
        for part in self._parts.all():
            query = "SELECT state, target, size, sha256, etag FROM artifacts WHERE id = ?"
            row = sql.execute(query, (part.id,)).fetchone()
            if row is None or row[0] in {"gone", "pruning", "pruned"}:
                self._parts.remove(part)
                continue
            state, target, size, digest, etag = row
            if state in {"done", "fetched"}:
                if self._parts.checksum(part) != (size, digest):
                    self._parts.remove(part)
                elif target is not None:  # killed between commit and rename
                    with transaction(sql):
                        sql.execute("UPDATE artifacts SET state = 'done' WHERE id = ?", (part.id,))
                        self._add_calls(sql, [part.id])
                    self._place(sql, part, size, target)
            elif part.sha256 is not None:
                self._parts.leftovers[part.id] = part
            elif etag is None:  # cannot be resumed
                self._parts.remove(part)

    def commit(self, sql: sqlite3.Connection, files: Sequence[FetchedArtifact]) -> list[CommitResult]:
        """Write, record and rename downloaded artifacts."""
        errors: dict[int, Exception] = {}
        written: list[FetchedArtifact] = []
        for file in files:
            try:
                written.append(self.write(file))
            except OSError as error:
                errors[file.artifact.id] = error
        errors |= self._record(sql, written)
        results = [CommitResult(each.artifact, each.size, None, errors.get(each.artifact.id)) for each in files]
        results = [result for result in results if result.error is not None]
        for file in written:
            if file.artifact.id not in errors:
                results.append(self._rename(sql, file.artifact, file.size, file.sha256))
        return results

    def write(self, file: FetchedArtifact) -> FetchedArtifact:
        """Write a file that is in memory to its partial file, and return it without content. Allowed in any thread."""
        if file.content is None:
            return file
        return file._replace(content=None, sha256=self._parts.write(file.artifact.id, file.content).sha256 or "")

    def _record(self, sql: sqlite3.Connection, files: Sequence[FetchedArtifact]) -> dict[int, Exception]:
        """Record files in one transaction or, if SQLite refuses one, each in its own. Return the errors by id."""
        try:
            with transaction(sql):
                self._queue.commit(sql, files)
                self._add_calls(sql, [file.artifact.id for file in files])
        except Exception as error:
            if not is_value_error(error):
                raise
        else:
            return {}
        errors: dict[int, Exception] = {}
        for file in files:
            try:
                with transaction(sql):
                    self._queue.commit(sql, [file])
                    self._add_calls(sql, [file.artifact.id])
            except Exception as error:
                if not is_value_error(error):
                    raise
                self._revert(sql, Part(file.artifact.id, file.sha256), error)
                errors[file.artifact.id] = error
        return errors

    def _add_calls(self, sql: sqlite3.Connection, ids: Sequence[int]) -> None:
        if self._calls is not None:
            self._calls.add(sql, ids)

    def rename_waiting(self, sql: sqlite3.Connection, job: JobRef) -> tuple[list[CommitResult], bool]:
        """Rename downloaded files of a job that waited for their paths; also return whether there can be more.

        The results are those of files that this run downloaded.
        """
        rows = sql.execute(
            f"SELECT sha256, fetched_by, {COLUMNS} FROM artifacts JOIN jobs ON jobs.id = job"
            " WHERE project = ? AND number = ? AND kind = ? AND state = 'fetched' LIMIT ?",
            (job.project, job.number, job.kind, MAX_RENAMES),
        ).fetchall()
        files = [(digest, run, QueuedArtifact(*row)) for digest, run, *row in rows]
        with transaction(sql):
            sql.executemany("UPDATE artifacts SET state = 'done' WHERE id = ?", [(each.id,) for *_, each in files])
            self._add_calls(sql, [each.id for *_, each in files])
        results = [(run, self._rename(sql, each, each.size or 0, digest)) for digest, run, each in files]
        return [result for run, result in results if run == self._run.id], len(rows) == MAX_RENAMES

    def check(self, sql: sqlite3.Connection, *, is_complete: bool) -> list[CommitResult]:
        """Return the files of this run that are missing or have another size, and record them as failed.

        `is_complete`: the run counts as complete, so an artifact that is still pending is a failure too.
        """
        unknown = DownloadError("the artifact was not downloaded: run the same command again")
        self._files.forget()  # a folder can have been moved, with its files
        done = f"SELECT {COLUMNS} FROM artifacts JOIN jobs ON jobs.id = job WHERE fetched_by = ? AND state = 'done'"
        lost = [
            CommitResult(each, each.size or 0, each.target, DownloadError("the file was changed or deleted meanwhile"))
            for each in map(QueuedArtifact._make, sql.execute(done, (self._run.id,)))
            if not self._files.has(each.target or "", each.size)
        ]
        if is_complete:
            rest = f"SELECT {COLUMNS} FROM artifacts JOIN jobs ON jobs.id = job WHERE artifacts.run = ? AND state IN"
            rows = sql.execute(f"{rest} ('found', 'fetched')", (self._run.id,)).fetchall()
            lost += [CommitResult(QueuedArtifact(*row), 0, None, unknown) for row in rows]
        with transaction(sql):
            for artifact, _, _, error in lost:
                mark_failed(sql, self._run.id, artifact.id, error or unknown)
        return lost

    def _rename(self, sql: sqlite3.Connection, artifact: QueuedArtifact, size: int, digest: str) -> CommitResult:
        target = artifact.target
        if target is None:  # it can have been assigned since the artifact was claimed
            (target,) = sql.execute("SELECT target FROM artifacts WHERE id = ?", (artifact.id,)).fetchone()
        if target is None:
            return CommitResult(artifact, size, None)
        error = self._place(sql, Part(artifact.id, digest), size, target)
        return CommitResult(artifact, size, None if error else target, error)

    def _place(self, sql: sqlite3.Connection, part: Part, size: int, target: str) -> Exception | None:
        """Give a file its name, or record why that is impossible, and return the error."""
        try:
            identical = self._identical(sql, part, size) if self._dedupe else None
            self._files.place(part, target, identical=identical)
        except Exception as error:
            if isinstance(error, sqlite3.Error):
                raise
            self._revert(sql, part, error)
            return error
        return None

    def _revert(self, sql: sqlite3.Connection, part: Part, error: Exception) -> None:
        """Undo the commit of a file that cannot be recorded or renamed."""
        self._parts.remove(part)
        with transaction(sql):
            if isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS:
                sql.execute("UPDATE artifacts SET state = 'found', size = NULL, etag = NULL WHERE id = ?", (part.id,))
            else:
                mark_failed(sql, self._run.id, part.id, error)

    def _identical(self, sql: sqlite3.Connection, part: Part, size: int) -> str | None:
        """Return the path of a finished file with the same content, which is read to check that."""
        query = "SELECT target FROM artifacts WHERE sha256 = ? AND state = 'done' AND id != ? LIMIT ?"
        for (target,) in sql.execute(query, (part.sha256, part.id, MAX_TWINS)):
            if self._files.is_intact(target, size, part.sha256 or ""):
                return str(target)
        return None
