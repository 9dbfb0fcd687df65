"""The artifacts of a run that are pending, claimed and committed."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

from ...models.artifacts import Artifact
from .records import FetchedArtifact, QueuedArtifact
from .runs import Run
from .values import error_text, is_storable, valid_text
from .writer import LedgerWriter, transactional

COLUMNS = "artifacts.id, turn, tries, jobs.project, jobs.number, node, path, url, target, size, etag, jobs.kind"
"""The fields of a `QueuedArtifact`."""


class LedgerQueue:
    """Hands out the pending artifacts of a run, in the order of their discovery, and records the result of each.

    A claimed artifact stays pending in the ledger until it is committed or failed, so that the run
    after a killed one downloads it.
    """

    def __init__(self, writer: LedgerWriter, run: Run) -> None:
        self.writer = writer
        self._run = run
        self._position = run.first_position

    async def claim(self, limit: int) -> list[QueuedArtifact]:
        """Return the next pending artifacts, at most `limit`; none if all have been claimed."""
        artifacts = await self._after(self._position, limit)
        if artifacts:
            self._position = artifacts[-1].position
        return artifacts

    def rewind(self) -> None:
        """Begin again with the first artifact that is still pending."""
        self._position = self._run.first_position

    @transactional
    def _after(self, sql: sqlite3.Connection, position: int, limit: int) -> list[QueuedArtifact]:
        rows = sql.execute(
            f"SELECT {COLUMNS} FROM artifacts JOIN jobs ON jobs.id = job"
            " WHERE state = 'found' AND turn > ? ORDER BY turn LIMIT ?",
            (position, limit),
        )
        return [QueuedArtifact(*row) for row in rows]

    @transactional
    def note_version(self, sql: sqlite3.Connection, id: int, etag: str | None, size: int | None) -> None:
        """Record which version a partial file holds, before it is written, so that it can be resumed."""
        sql.execute("UPDATE artifacts SET etag = ?, size = ? WHERE id = ?", (etag, size, id))

    @transactional
    def release(
        self, sql: sqlite3.Connection, artifact: QueuedArtifact, error: Exception, *, counts_attempt: bool
    ) -> None:
        """Return a claimed artifact to the queue after an error."""
        sql.execute(
            "UPDATE artifacts SET tries = tries + ?, error = ? WHERE id = ?",
            (counts_attempt, error_text(error), artifact.id),
        )

    @transactional
    def renew_urls(self, sql: sqlite3.Connection, project: str, job: int, artifacts: Iterable[Artifact]) -> None:
        """Update the URLs of the pending artifacts of a job."""
        sql.executemany(
            "UPDATE artifacts SET url = ? WHERE node = ? AND path = ? AND state = 'found'"
            " AND job = (SELECT id FROM jobs WHERE project = ? AND number = ? AND kind = 'artifacts')",
            [
                (valid_text(each.url), each.node_index, valid_text(each.path), project, job)
                for each in artifacts
                if is_storable(each.node_index)
            ],
        )

    @transactional
    def fail(self, sql: sqlite3.Connection, artifact: QueuedArtifact, error: Exception) -> None:
        """Record that an artifact cannot be downloaded. The next run lists its job again, for a new URL.

        An artifact that is not listed any more has not failed: it is gone.
        """
        if sql.execute("SELECT 1 FROM artifacts WHERE id = ? AND state = 'gone'", (artifact.id,)).fetchone():
            return
        mark_failed(sql, self._run.id, artifact.id, error)
        sql.execute(
            "UPDATE jobs SET listed = 'begun' WHERE id = (SELECT job FROM artifacts WHERE id = ?)", (artifact.id,)
        )

    def commit(self, sql: sqlite3.Connection, files: Iterable[FetchedArtifact]) -> None:
        """Record that artifacts are downloaded. To be called in the writer's thread, within a transaction."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        sql.executemany(
            "UPDATE artifacts SET state = CASE WHEN target IS NULL THEN 'fetched' ELSE 'done' END, size = ?,"
            " sha256 = ?, etag = ?, finished = ?, fetched_by = ?, error = NULL WHERE id = ?",
            [(each.size, each.sha256, each.etag, now, self._run.id, each.artifact.id) for each in files],
        )


def mark_failed(sql: sqlite3.Connection, run: int, id: int, error: Exception) -> None:
    """Set an artifact's state to failed, with the error's text."""
    sql.execute("UPDATE artifacts SET state = 'failed', run = ?, error = ? WHERE id = ?", (run, error_text(error), id))
