"""Turns downloaded artifacts into finished files: bytes on disk, then recorded in the ledger, then renamed."""

import os
import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from ..errors import DownloadError
from .folder import HarvestFolder, checksum
from .layout import JobRef
from .ledger.queue import COLUMNS, LedgerQueue, mark_failed
from .ledger.records import CommitResult, FetchedArtifact, QueuedArtifact
from .ledger.runs import Run
from .ledger.schema import DISK_FULL_ERRNOS
from .ledger.writer import transaction

MAX_RENAMES: Final = 1_000
"""Files that are renamed in one step, however many wait for their paths."""


class Placement:
    """Places files in the folder. All methods block: call them in the ledger's thread, with its connection.

    A file is renamed only after the commit that records it, and `recover` repeats renames that a kill prevented. So a
    finished file is always complete, and one in the ledger is never downloaded twice.
    """

    def __init__(self, queue: LedgerQueue, folder: HarvestFolder, run: Run, *, dedupe: bool = False) -> None:
        self._queue = queue
        self._folder = folder
        self._run = run
        self._dedupe = dedupe

    def recover(self, sql: sqlite3.Connection) -> None:
        """Create the folder of partial files, or reconcile the files of a killed run with the ledger."""
        self._folder.create()
        for id, path in self._folder.parts():
            row = sql.execute("SELECT state, target, size, sha256, etag FROM artifacts WHERE id = ?", (id,)).fetchone()
            if row is None:
                os.unlink(path)
                continue
            state, target, size, digest, etag = row
            if state in {"done", "fetched"}:
                if checksum(path) != (size, digest):
                    os.unlink(path)
                elif target is not None:  # killed between commit and rename
                    with transaction(sql):
                        sql.execute("UPDATE artifacts SET state = 'done' WHERE id = ?", (id,))
                    self._folder.rename_part(id, target)
            elif etag is None:  # cannot be resumed
                os.unlink(path)

    def commit(self, sql: sqlite3.Connection, files: Sequence[FetchedArtifact]) -> list[CommitResult]:
        """Write, record and rename downloaded artifacts."""
        results: list[CommitResult] = []
        written: list[FetchedArtifact] = []
        for file in files:
            if file.content is None:
                written.append(file)
                continue
            try:
                self._folder.write_part(file.artifact.id, file.content)
            except OSError as error:
                results.append(CommitResult(file.artifact, file.size, None, error))
                continue
            written.append(file._replace(sha256=sha256(file.content).hexdigest()))
        try:
            with transaction(sql):
                self._queue.commit(sql, written)
        except sqlite3.Error:
            for file in written:
                if file.content is not None:  # larger files stay, for they can be resumed
                    self._folder.remove_part(file.artifact.id)
            raise
        return results + [self._rename(sql, file.artifact, file.size, file.sha256) for file in written]

    def rename_waiting(self, sql: sqlite3.Connection, job: JobRef) -> tuple[list[CommitResult], bool]:
        """Rename downloaded files of a job that waited for their paths; also return whether there can be more.

        The results are those of files that this run downloaded.
        """
        rows = sql.execute(
            f"SELECT sha256, fetched_by, {COLUMNS} FROM artifacts JOIN jobs ON jobs.id = job"
            " WHERE project = ? AND number = ? AND state = 'fetched' LIMIT ?",
            (job.project, job.number, MAX_RENAMES),
        ).fetchall()
        files = [(digest, run, QueuedArtifact(*row)) for digest, run, *row in rows]
        with transaction(sql):
            sql.executemany("UPDATE artifacts SET state = 'done' WHERE id = ?", [(each.id,) for *_, each in files])
        results = [(run, self._rename(sql, each, each.size or 0, digest)) for digest, run, each in files]
        return [result for run, result in results if run == self._run.id], len(rows) == MAX_RENAMES

    def _rename(self, sql: sqlite3.Connection, artifact: QueuedArtifact, size: int, digest: str) -> CommitResult:
        target = artifact.target
        if target is None:  # it can have been assigned since the artifact was claimed
            (target,) = sql.execute("SELECT target FROM artifacts WHERE id = ?", (artifact.id,)).fetchone()
        if target is None:
            return CommitResult(artifact, size, None)
        try:
            identical = self._identical(sql, artifact.id, size, digest) if self._dedupe else None
            self._folder.rename_part(artifact.id, target, identical=identical)
        except (OSError, DownloadError) as error:
            self._revert(sql, artifact.id, error)
            return CommitResult(artifact, size, None, error)
        return CommitResult(artifact, size, target)

    def _revert(self, sql: sqlite3.Connection, id: int, error: Exception) -> None:
        """Undo the commit of a file that cannot be renamed."""
        self._folder.remove_part(id)
        with transaction(sql):
            if isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS:
                sql.execute("UPDATE artifacts SET state = 'found', size = NULL, etag = NULL WHERE id = ?", (id,))
            else:
                mark_failed(sql, self._run.id, id, error)

    def _identical(self, sql: sqlite3.Connection, id: int, size: int, digest: str) -> str | None:
        """Return the path of a finished file with the same content."""
        query = "SELECT target FROM artifacts WHERE sha256 = ? AND state = 'done' AND id != ?"
        rows = sql.execute(query, (digest, id))
        return next((target for (target,) in rows if self._folder.size(target) == size), None)
