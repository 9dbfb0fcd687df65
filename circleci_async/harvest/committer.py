"""Commits downloaded artifacts in batches, while further ones are downloaded, and counts the results."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from ..core.uninterrupted import uninterrupted
from ..errors import LedgerError
from .bounds import Bounds
from .file_calls import FileCalls
from .layout import JobRef
from .ledger.records import CommitResult, FetchedArtifact
from .ledger.writer import LedgerWriter
from .placement import Placement
from .progress import ProgressTracker
from .stop_signal import StopSignal

MAX_PENDING_FILES = 256
"""Downloaded files that wait to be committed; `add` blocks beyond that."""


class Committer:
    """Hands batches of files to the placement: one batch is written while the next one is collected.

    `async with` commits what is pending at the end, even if cancelled.
    """

    def __init__(
        self,
        writer: LedgerWriter,
        placement: Placement,
        bounds: Bounds,
        progress: ProgressTracker,
        stop: StopSignal,
        calls: FileCalls | None = None,
    ) -> None:
        self._writer = writer
        self._placement = placement
        self._bounds = bounds
        self._progress = progress
        self._stop = stop
        self._calls = calls
        self._pending: list[FetchedArtifact] = []
        self._writing: asyncio.Future[list[CommitResult]] | None = None
        self._failure: Exception | None = None
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
            return
        with suppress(LedgerError):  # raise the first error, which is the cause
            await self.close()

    async def add(self, file: FetchedArtifact) -> None:
        """Add a downloaded artifact to the next batch; wait if too many are pending, or wait for `on_file`.

        Raises `LedgerError`.

        A small one is written at once, so that a harvest that is killed before the commit need not request it again.
        """
        with suppress(OSError):  # the commit tries again, and reports the error
            file = self._placement.write(file)
        self._pending.append(file)
        if len(self._pending) >= MAX_PENDING_FILES:
            self._has_room.clear()
        if self._writing is None:
            self._write()
        if not self._has_room.is_set():
            await self._has_room.wait()
        self._raise_failure()
        if self._calls is not None:
            await self._calls.wait_for_room()

    async def flush(self) -> None:
        """Wait until all that was added is committed. Raises `LedgerError`."""
        while self._writing is not None:
            await asyncio.wait([self._writing])
            await asyncio.sleep(0)  # lets `_written` count the results and start the next batch
        self._raise_failure()

    async def rename_waiting(self, job: JobRef) -> None:
        """Rename the files of a job that waited for their paths. Raises `LedgerError`."""
        has_more = True
        while has_more:
            results, has_more = await self._writer.run(self._placement.rename_waiting, job)
            for result in results:
                if result.error is None:
                    self._progress.file_renamed(result)
                else:
                    self._progress.file_withdrawn(result)
                    self._fail(result, result.error)
            self._placed()

    async def check(self) -> None:
        """Check that the files of the run are on the disk, at its end. Raises `LedgerError`."""
        is_complete = self._stop.reason is None and not self._progress.failed
        for result in await self._writer.run(self._placement.check, is_complete=is_complete):
            if result.error is not None:
                if result.target is not None:
                    self._progress.file_lost(result)
                self._fail(result, result.error)

    async def close(self) -> None:
        """Commit what is pending, even if cancelled. Raises `LedgerError`."""
        batch, self._pending = self._pending, []
        if batch or self._writing is not None:
            closing = self._writer.submit(self._placement.commit, batch)  # runs after the batch that is being written
            try:
                results = await uninterrupted(closing)
            except Exception as error:  # noqa: BLE001  # raised below
                self._failure = self._failure or self._writer.explain(error)
            else:
                self._count(results)
        self._raise_failure()

    def _write(self) -> None:
        batch, self._pending = self._pending, []
        self._has_room.set()
        self._writing = self._writer.submit(self._placement.commit, batch)
        self._writing.add_done_callback(self._written)

    def _written(self, writing: "asyncio.Future[list[CommitResult]]") -> None:
        self._writing = None
        try:
            results = writing.result()
        except Exception as error:  # noqa: BLE001  # raised by the next `add` or `flush`
            self._failure = self._failure or self._writer.explain(error)
            self._pending.clear()
            self._has_room.set()
            return
        self._count(results)
        if self._pending:
            self._write()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _count(self, results: Sequence[CommitResult]) -> None:
        for result in results:
            self._bounds.written(result.artifact.id)
            if result.error is None:
                self._progress.file_committed(result)
            else:
                self._fail(result, result.error)
        self._placed()

    def _placed(self) -> None:
        if self._calls is not None:
            self._calls.placed()

    def _fail(self, result: CommitResult, error: Exception) -> None:
        if not (isinstance(error, OSError) and self._stop.fail_if_disk_full(error)):
            self._progress.file_failed(result.artifact, error, is_final=True)
