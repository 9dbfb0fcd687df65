"""The files of a history, in a folder or a bucket."""

import errno
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from ...core.uninterrupted import uninterrupted
from ...downloads.replaced_file import replaced_file
from ...errors import LedgerBusy, LedgerError
from ...harvest import parquet
from ...harvest.destination.bucket import Bucket
from ...harvest.destination.place import HarvestDestination, folder_or_bucket
from ...harvest.destination.store_threads import StoreThreads
from ...harvest.lock import Lock
from .tables import HistoryTable, Partition, changes, folder_of

T = TypeVar("T")

LOCK_NAME: Final = ".history.lock"

LOCK_TIMEOUT: Final = 60.0
"""Seconds to wait for another collection that writes a file."""

MAX_CONFLICTS: Final = 100
"""Attempts to replace an object that other collections replace."""

MAX_BYTES: Final = 2**31
"""Of a file: far more than CircleCI runs in a month."""

THREADS: Final = 4

Change = Callable[["bytes | None"], "bytes | None"]
"""Returns the new content of a file; None to leave it as it is. Can be called again."""


class HistoryFolder:
    """The files in a folder, which is created for the first one. `argument`: what errors call it."""

    def __init__(self, root: Path, argument: str) -> None:
        self._root = root
        self._argument = argument

    @property
    def location(self) -> str:
        """The path of the folder."""
        return str(self._root)

    def location_of(self, name: str) -> str:
        """Return the path of a file."""
        return str(self._root / name)

    def check(self) -> None:
        """Raise `LedgerError` if the folder cannot be written to or created. Creates nothing."""
        nearest = next(each for each in (self._root, *self._root.parents) if each.exists())
        if not nearest.is_dir():
            raise self._unwritable(nearest, "this is a file")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise self._unwritable(nearest, os.strerror(errno.EACCES))

    def list(self, folder: str) -> Iterable[str]:
        """Yield the names of the Parquet files of partitions."""
        projects = "" if "/" in folder else "/project=*"
        for path in self._root.glob(f"{folder}{projects}/month=*/*.parquet"):
            yield path.relative_to(self._root).as_posix()

    def read(self, name: str) -> bytes | None:
        """Return the content of a file. Raises `LedgerError`."""
        path = self._root / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LedgerError(f"cannot read {path}: {error.strerror or error}") from error

    def update(self, name: str, change: Change) -> None:
        """Replace a file while the folder is locked.

        Raises `LedgerError`, and `CircleCIError` that names the argument if the file cannot be written.
        """
        path = self._root / name
        self._create(self._root)
        lock = self._lock()
        try:
            content = change(self.read(name))
            if content is not None:
                self._create(path.parent)
                with replaced_file(self._argument, path) as file:
                    file.write_bytes(content)
        finally:
            lock.release()

    def _create(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(folder, "this is a file" if folder.is_file() else error.strerror) from error

    def _unwritable(self, folder: Path, reason: str | None) -> LedgerError:
        return LedgerError(f"{self._argument} must be a folder that can be written: {folder}: {reason}")

    def _lock(self) -> Lock:
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                return Lock(self._root, name=LOCK_NAME, what="collection")
            except LedgerBusy:
                if time.monotonic() > deadline:
                    raise


class HistoryBucket:
    """The files in a bucket. Each change is a compare-and-set."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @property
    def location(self) -> str:
        """The URL of the bucket."""
        return self._bucket.location

    def location_of(self, name: str) -> str:
        """Return the URL of an object."""
        return f"{self._bucket.location}/{name}"

    def check(self) -> None:
        """Check nothing: the first request reports what is wrong."""

    def list(self, folder: str) -> Iterable[str]:
        """Yield the names of all objects below a folder. Raises `StoreError`."""
        return (each.key for each in self._bucket.list(folder))

    def read(self, name: str) -> bytes | None:
        """Return the content of an object. Raises `StoreError`."""
        found = self._bucket.read(name, max_bytes=MAX_BYTES)
        return found and found[0]

    def update(self, name: str, change: Change) -> None:
        """Replace an object; again with its new content if another collection replaced it. Raises `StoreError`."""
        for _ in range(MAX_CONFLICTS):
            found = self._bucket.read(name, max_bytes=MAX_BYTES)
            content = change(found and found[0])
            if content is None:
                return
            if found is None:
                written = self._bucket.create(name, content)
            else:
                written = self._bucket.replace(name, content, found[1].etag or "")
            if written is not None:
                return
        raise LedgerBusy(f"cannot write {self.location_of(name)}: other collections replace it all the time")


class HistoryStore:
    """Reads and writes the rows of a history in threads.

    `name`: the argument that `into` was given as. Raises `InvalidArgument`, and `ConfigurationError` if an extra is
    missing. Sends no request and creates nothing.
    """

    def __init__(self, into: HarvestDestination, *, name: str) -> None:
        parquet.check_installed()
        folder, bucket = folder_or_bucket(into, name)
        self._files: HistoryFolder | HistoryBucket
        self._files = HistoryFolder(folder or Path(), name) if bucket is None else HistoryBucket(bucket)
        self._threads = StoreThreads(THREADS)

    @property
    def location(self) -> str:
        """The path of the folder, or the URL of the bucket."""
        return self._files.location

    def close(self) -> None:
        """End the threads. Idempotent."""
        self._threads.close()

    async def check(self) -> None:
        """Raise `LedgerError` if a folder cannot be written to. Sends no request and creates nothing."""
        await self._run(self._files.check)

    async def partitions(self, table: str, project: str | None = None) -> list[Partition]:
        """Return the partitions of a table, of one project or all, in the order of their months."""
        folder = table if project is None else folder_of(table, project)

        def work() -> list[Partition]:
            found = (Partition.parse(name) for name in self._files.list(folder))
            return sorted(each for each in found if each is not None and each.table == table)

        return await self._run(work)

    async def read(self, table: HistoryTable[T], partition: Partition) -> list[T]:
        """Return the rows of a partition. Raises `LedgerError` if its file is damaged."""

        def work() -> list[T]:
            return self._load(table, partition, self._files.read(partition.name)) or []

        return await self._run(work)

    async def update(
        self, table: HistoryTable[T], partition: Partition, merge: Callable[[list[T]], Iterable[T]]
    ) -> tuple[list[T], list[T]]:
        """Replace the rows of a partition by what `merge` returns, which can be called again.

        Returns the added and the removed rows. A file whose rows do not change is not written.
        """
        added: list[T] = []
        removed: list[T] = []

        def change(content: bytes | None) -> bytes | None:
            stored = self._load(table, partition, content) or []
            merged = table.sorted(merge(stored))
            added[:], removed[:] = changes(stored, merged)
            return table.dump(merged) if added or removed else None

        await self._run(lambda: self._files.update(partition.name, change))
        return added, removed

    def _load(self, table: HistoryTable[T], partition: Partition, content: bytes | None) -> list[T] | None:
        if content is None:
            return None
        try:
            return table.load(content)
        except ValueError as error:
            reason = str(error)
        raise LedgerError(
            f"{self._files.location_of(partition.name)} cannot be read: {reason}: restore it from a backup, or delete"
            f" it together with the files of runs of {partition.project} from month={partition.month} on: the next"
            " collection reads again what CircleCI still has"
        )

    async def _run(self, work: Callable[[], T]) -> T:
        """Run blocking work in a thread. Changes of a folder end before a cancellation is raised."""
        if isinstance(self._files, HistoryBucket):
            return await self._threads.run(work)
        return await uninterrupted(self._threads.submit(work))
