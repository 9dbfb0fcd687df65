"""Deletes old files of a harvest, and records that they are not to be downloaded again."""

import asyncio
import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import frozen

from ..core.arguments import local_path
from ..core.when import When, parse_datetime
from ..errors import DownloadError, InvalidArgument, LedgerBusy, UnsafePath
from ..untrusted_text import shown_list
from .destination.folder import FolderFiles
from .ledger.files import FILE_TABLES
from .ledger.schema import connect_to_read, ledger_errors
from .ledger.writer import LedgerWriter, transaction
from .lock import Lock, acquire, is_locked

__all__ = ["PruneReport", "prune_harvest"]

BATCH_SIZE: Final = 500
"""Files that are deleted between two commits."""

MAX_NAMED: Final = 1_000
"""Failures that a report names."""

_OLD: Final = (
    f"SELECT artifacts.id, target, state FROM {FILE_TABLES} WHERE artifacts.id > ?"
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


async def prune_harvest(into: str | os.PathLike[str], *, older_than: When, dry_run: bool = False) -> PruneReport:
    """Delete the files of old pipelines, and the folders that are empty then. Sends no request.

    The ledger records that they are deleted on purpose: no harvest downloads them again, and `verify_harvest` does not
    miss them.

    - `older_than`: how long ago the pipeline of a file was created, such as `365d`, or another `When`. In a ledger of
      an older version, which does not have that date, the date of the download counts.
    - `dry_run`: count the files, and change nothing.

    Can be cancelled or killed, and repeated. Raises `InvalidArgument`; `LedgerError` if the destination contains no
    harvest or its ledger cannot be used; `LedgerBusy` while a harvest is running.
    """
    root = local_path("into", into)
    now = datetime.now(UTC)
    when = parse_datetime("older_than", older_than, now)
    if when is None or when > now:
        raise InvalidArgument(f"older_than must be a time in the past, such as '365d', got {older_than!r}")
    pruning = _Pruning(root, when.astimezone(UTC), dry_run=dry_run)
    began = time.monotonic()
    (await asyncio.to_thread(connect_to_read, root)).close()  # raises if there is none, and the lock would create it
    await (pruning.count() if dry_run else pruning.run())
    return pruning.report(time.monotonic() - began)


class _Pruning:
    def __init__(self, root: Path, older_than: datetime, *, dry_run: bool) -> None:
        self._root = root
        self._older_than = older_than
        self._dry_run = dry_run
        self._last = 0
        self._files = self._bytes = self._failures = 0
        self._failed: list[str] = []
        self._counted_links: Counter[tuple[int, int]] = Counter()

    async def count(self) -> None:
        """Count the old files."""
        if await asyncio.to_thread(is_locked, self._root):
            raise LedgerBusy(f"a harvest is running in {self._root}: prune after it has ended")
        connection = await asyncio.to_thread(connect_to_read, self._root, is_checked=False)
        with closing(connection), closing(FolderFiles(self._root)) as folder, ledger_errors(self._root):
            while await asyncio.to_thread(self._count_batch, connection, folder):
                pass

    async def run(self) -> None:
        """Delete the old files."""
        lock = await acquire(lambda: Lock(self._root))
        try:
            with closing(FolderFiles(self._root)) as folder:
                async with LedgerWriter(self._root) as writer:
                    while await writer.run(self._delete_batch, folder):
                        pass
        finally:
            lock.release()

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

    def _batch(self, sql: sqlite3.Connection) -> list[tuple[int, str]]:
        rows = sql.execute(_OLD, (self._last, self._older_than.isoformat(), BATCH_SIZE)).fetchall()
        self._last = rows[-1][0] if rows else self._last
        return [(id, target) for id, target, _ in rows]

    def _count_batch(self, sql: sqlite3.Connection, folder: FolderFiles) -> bool:
        batch = self._batch(sql)
        for _, target in batch:
            try:
                self._note(folder.status(target))
            except (OSError, UnsafePath) as error:
                self._note_failure(target, error)
        return bool(batch)

    def _delete_batch(self, sql: sqlite3.Connection, folder: FolderFiles) -> bool:
        """Mark files, delete them, and record that; the next call of `prune_harvest` deletes marked ones first."""
        batch = self._batch(sql)
        with transaction(sql):
            sql.executemany("UPDATE artifacts SET state = 'pruning' WHERE id = ?", [(id,) for id, _ in batch])
        ends: list[tuple[str, int]] = []
        for id, target in batch:
            try:
                self._note(folder.remove(target))
            except (OSError, UnsafePath) as error:
                self._note_failure(target, error)
                ends.append(("done", id))
            else:
                ends.append(("pruned", id))
        with transaction(sql):
            sql.executemany("UPDATE artifacts SET state = ? WHERE id = ?", ends)
            sql.executemany("DELETE FROM calls WHERE artifact = ?", [(id,) for state, id in ends if state == "pruned"])
        return bool(batch)

    def _note(self, status: os.stat_result | None) -> None:
        """Count a file, and its space if it has no other link; None for a file that did not exist any more."""
        if status is None:
            return
        self._files += 1
        links = status.st_nlink
        if self._dry_run and links > 1:
            file = (status.st_dev, status.st_ino)
            links -= self._counted_links[file]
            self._counted_links[file] += 1
        self._bytes += status.st_size if links == 1 else 0

    def _note_failure(self, target: str, error: Exception) -> None:
        self._failures += 1
        if len(self._failed) < MAX_NAMED:
            reason = error.strerror if isinstance(error, OSError) else None
            self._failed.append(f"{target}: {reason or error}")
