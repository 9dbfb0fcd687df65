"""Deletes old files of a harvest, and records that they are not to be downloaded again."""

import asyncio
import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from ..core.arguments import check_bool
from ..core.uninterrupted import uninterrupted
from ..core.when import When, parse_datetime
from ..errors import CircleCIError, DownloadError, InvalidArgument
from ..untrusted_text import shown_list
from .destination.files import FinishedFile, FinishedFiles, Status
from .destination.opening import finished_files
from .destination.place import HarvestDestination, Place, resolve
from .destination.store_threads import StoreThreads
from .ledger.records import FILE_TABLES
from .ledger.schema import connect_to_read, ledger_errors
from .open_ledger import check_exists, check_not_running, open_ledger, readable

__all__ = ["PruneReport", "prune_harvest"]

BATCH_SIZE: Final = 500
"""Files that are deleted between two commits."""

MAX_NAMED: Final = 1_000
"""Failures that a report names."""

_OLD: Final = (
    f"SELECT artifacts.id, target, size, sha256 FROM {FILE_TABLES} WHERE artifacts.id > ?"
    " AND (state = 'pruning' OR state = 'done' AND coalesce(created, finished) < ?) ORDER BY artifacts.id LIMIT ?"
)


@frozen(kw_only=True)
class PruneReport:
    """What `prune_harvest` deleted or, with `dry_run`, would delete."""

    files: int
    """Deleted files."""
    bytes: int
    """Disk space that they used. Of hard links to the same content, the last one that is deleted counts."""
    failed: tuple[str, ...]
    """Files that could not be deleted, with the reason; at most 1,000."""
    failures: int
    """Number of files that could not be deleted."""
    older_than: datetime
    """Files of pipelines created before this time are deleted."""
    dry_run: bool
    """Whether nothing was deleted."""
    seconds: float

    def raise_for_failures(self) -> None:
        """Raise a `DownloadError` that lists the files that could not be deleted, if there are any."""
        if not self.failures:
            return
        lines = list(self.failed[:10])
        lines += [f"and {self.failures - len(lines)} more"] if self.failures > len(lines) else []
        raise DownloadError(shown_list(f"{self.failures} files could not be deleted:", lines))


async def prune_harvest(
    into: HarvestDestination,
    *,
    older_than: When,
    dry_run: bool = False,
    ledger: str | os.PathLike[str] | None = None,
) -> PruneReport:
    """Delete the files of old pipelines, and the folders that are empty then. Sends no request.

    The ledger records that they are deleted on purpose: no harvest downloads them again, and `verify_harvest` does not
    miss them.

    - `older_than`: how long ago the pipeline of a file was created, such as `365d`, or another `When`. In a ledger of
      an older version, which does not have that date, the date of the download counts.
    - `dry_run`: count the files, and change nothing.
    - `ledger`: the folder of the ledger, if the harvest was given one.

    Can be cancelled or killed, and repeated. Raises `InvalidArgument`; `LedgerError` if the destination contains no
    harvest or its ledger cannot be used; `LedgerBusy` while a harvest is running.
    """
    check_bool("dry_run", dry_run)
    place = resolve(into, ledger)
    now = datetime.now(UTC)
    when = parse_datetime("older_than", older_than, now)
    if when is None or when > now:
        raise InvalidArgument(f"older_than must be a time in the past, such as '365d', got {older_than!r}")
    pruning = _Pruning(place, when.astimezone(UTC), dry_run=dry_run)
    began = time.monotonic()
    await check_exists(await readable(place) if dry_run else place)
    await (pruning.count() if dry_run else pruning.run())
    return pruning.report(time.monotonic() - began)


class _Pruning:
    def __init__(self, place: Place, older_than: datetime, *, dry_run: bool) -> None:
        self._place = place
        self._older_than = older_than
        self._dry_run = dry_run
        self._last = 0
        self._files = self._bytes = self._failures = 0
        self._failed: list[str] = []
        self._error: CircleCIError | None = None
        self._counted_links: Counter[tuple[int, int]] = Counter()

    async def count(self) -> None:
        """Count the old files."""
        await check_not_running(self._place, "prune")
        root = self._place.ledger
        connection = await asyncio.to_thread(connect_to_read, root)
        with closing(connection), closing(finished_files(self._place)) as finished, ledger_errors(root):
            while await asyncio.to_thread(self._count_batch, connection, finished):
                pass

    async def run(self) -> None:
        """Delete the old files."""
        async with open_ledger(self._place, self._lost) as writer:
            with closing(finished_files(self._place)) as finished, closing(StoreThreads(1)) as threads:
                while self._error is None:
                    ids, files = await writer.execute(self._mark_batch)
                    if not files:
                        break
                    await writer.store()
                    statuses = await uninterrupted(threads.submit(finished.remove, files))
                    await writer.execute(self._record_batch, ids, files, statuses)
        if self._error is not None:
            raise self._error

    def _lost(self, error: CircleCIError) -> None:
        self._error = error

    def report(self, seconds: float) -> PruneReport:
        return PruneReport(
            files=self._files,
            bytes=self._bytes,
            failed=tuple(self._failed),
            failures=self._failures,
            older_than=self._older_than,
            dry_run=self._dry_run,
            seconds=seconds,
        )

    def _batch(self, sql: sqlite3.Connection) -> tuple[list[int], list[FinishedFile]]:
        rows = sql.execute(_OLD, (self._last, self._older_than.isoformat(), BATCH_SIZE)).fetchall()
        self._last = rows[-1][0] if rows else self._last
        return [id for id, *_ in rows], [FinishedFile(*file) for _, *file in rows]

    def _count_batch(self, sql: sqlite3.Connection, finished: FinishedFiles) -> bool:
        _, files = self._batch(sql)
        for file, status in zip(files, finished.statuses(files), strict=True):
            self._note(file, status)
        return bool(files)

    def _mark_batch(self, sql: sqlite3.Connection) -> tuple[list[int], list[FinishedFile]]:
        """Record that files are to be deleted: the next call of `prune_harvest` deletes the rest."""
        ids, files = self._batch(sql)
        sql.executemany("UPDATE artifacts SET state = 'pruning' WHERE id = ?", [(id,) for id in ids])
        return ids, files

    def _record_batch(
        self, sql: sqlite3.Connection, ids: list[int], files: list[FinishedFile], statuses: list[Status]
    ) -> None:
        """Record which files are deleted."""
        ends: list[tuple[str, int]] = []
        for id, file, status in zip(ids, files, statuses, strict=True):
            ends.append(("pruned" if self._note(file, status) else "done", id))
        sql.executemany("UPDATE artifacts SET state = ? WHERE id = ?", ends)
        sql.executemany("DELETE FROM calls WHERE artifact = ?", [(id,) for state, id in ends if state == "pruned"])

    def _note(self, file: FinishedFile, status: Status) -> bool:
        """Count a file, and its space if it has no other name; return False for an error."""
        if isinstance(status, Exception):
            self._failures += 1
            if len(self._failed) < MAX_NAMED:
                reason = status.strerror if isinstance(status, OSError) else None
                self._failed.append(f"{file.target}: {reason or status}")
            return False
        if status is None:  # it did not exist any more
            return True
        self._files += 1
        links = status.links
        if self._dry_run and links > 1:
            links -= self._counted_links[status.inode]
            self._counted_links[status.inode] += 1
        self._bytes += status.size if links == 1 else 0
        return True
