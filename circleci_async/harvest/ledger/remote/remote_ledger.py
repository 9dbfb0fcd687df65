"""The ledger of a harvest into a bucket: fetched when the harvest begins, stored while it runs."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Lock
from types import TracebackType
from typing import Any, Final, Self

from ....config.log import log
from ....core.uninterrupted import uninterrupted
from ....errors import CircleCIError, LedgerBusy, LedgerError, StoreError
from ...destination.bucket import Bucket
from ...destination.parts import discard_partial_files
from ...destination.store_threads import StoreThreads
from ..schema import local_errors
from ..writer import LedgerWriter
from .changes import take_changes, track_changes
from .lease import LEASE_SECONDS, RENEWAL_INTERVAL, Lease, new_holder
from .stored_ledger import StoredLedger

CHECKPOINT_INTERVAL: Final = 30.0
"""Seconds between checkpoints."""

MAX_CHECKPOINT_AGE: Final = 300.0
"""Seconds without a successful checkpoint after which the run ends."""

RENEWAL_DELAY: Final = 5.0
"""Seconds after which a failed renewal of the lease is repeated."""

STOP_TIMEOUT: Final = 30.0
"""Seconds that a run waits for its requests after it was cancelled, or cannot store its changes."""

THREADS: Final = 4
"""Threads for requests: a checkpoint, a renewal, and the end of the run can wait at the same time."""


class RemoteLedger:
    """Holds the ledger of a bucket for one run. Its working copy is in a folder that the caller has locked.

    `async with` takes the lease, fetches the ledger into the folder, and opens it as `writer`. The changes are stored
    every 30 s and at the end. Then the segments are folded into a snapshot if that is worth it, and the lease is
    released, also after an error.

    Entering raises `LedgerBusy` if another harvest is running, `LedgerError`, `StoreError`. Later errors are not
    raised: `on_lost` is called, at most once, with the error for which the run must end: its changes are not stored.
    """

    def __init__(self, bucket: Bucket, folder: Path, *, on_lost: Callable[[CircleCIError], None]) -> None:
        self._bucket = bucket
        self._folder = folder
        self._on_lost = on_lost
        self._stop = Event()
        holder = new_holder()
        self._lease = Lease(bucket, folder, holder)
        self._stored = StoredLedger(bucket, folder, holder, self._stop)
        self._threads = StoreThreads(THREADS)
        self._checkpointing = Lock()
        self._segment: bytes | None = None
        """The last checkpoint, until it is stored."""
        self._tasks: list[asyncio.Task[None]] = []
        self._is_lost = asyncio.Event()
        self.writer: LedgerWriter = LedgerWriter(folder)
        self.error: CircleCIError | None = None
        """What `on_lost` was called with."""

    async def __aenter__(self) -> Self:
        renewed_at = asyncio.get_running_loop().time()
        acquiring = self._threads.submit(self._acquire)
        try:
            await self._finished(acquiring)
            self._tasks.append(asyncio.create_task(self._renew(renewed_at)))
            await self._finished(self._threads.submit(self._stored.begin))
            await self.writer.__aenter__()
            await self.writer.run(track_changes)
            self.writer.on_store = self.checkpoint
            self._tasks.append(asyncio.create_task(self._store_changes()))
        except BaseException:
            with suppress(CircleCIError):
                is_acquired = acquiring.done() and not acquiring.cancelled() and acquiring.exception() is None
                await self._close(self._release if is_acquired else None, is_stopped=True)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        is_stopped = kind is not None and not issubclass(kind, Exception)
        if is_stopped:
            self._stop.set()  # no snapshot after a cancellation
        await self._close(None if isinstance(self.error, LedgerBusy) else self._end, is_stopped=is_stopped)

    async def checkpoint(self) -> None:
        """Store the changes since the last checkpoint. A cancellation ends the wait, but not the work.

        Raises `LedgerBusy` if another harvest has taken over, and `StoreError`, after which the next checkpoint stores
        them.
        """
        await asyncio.shield(self._threads.submit(self._checkpoint))

    def _acquire(self) -> None:
        if not self._lease.acquire():
            # The numbers in their names can belong to other files of the ledger now.
            with local_errors(self._folder):
                discard_partial_files(self._folder)

    def _checkpoint(self) -> None:
        """Store what the last checkpoint could not store, and the changes since."""
        with self._checkpointing, local_errors(self._folder):
            self._store_segment()
            changes = self.writer.call(take_changes, self._folder)
            if changes is not None:
                with closing(changes):
                    columns = {name: list(table.columns) for name, table in changes.tables.items()}
                    self._segment = self._stored.segment(changes, columns)
                self._store_segment()

    def _store_segment(self) -> None:
        if self._segment is not None:
            self._stored.append(self._segment)
            self._segment = None

    def _end(self) -> None:
        """Store the last changes, fold the segments if that is worth it, and release the lease."""
        try:
            self._checkpoint()
            with local_errors(self._folder):
                is_complete = self.writer.call(_flush_to_file)
            if is_complete:
                self._stored.save_state()
                self._fold()
        finally:
            self._release()

    def _fold(self) -> None:
        try:
            if self._stored.is_worth_folding and not self._stop.is_set():
                self._stored.fold()
        except CircleCIError as error:
            log.warning("the segments of %s are not folded: %s", self._bucket.location, error)

    def _release(self) -> None:
        try:
            self._lease.release()
        except StoreError as error:
            log.warning("cannot release the lease of %s: %s", self._bucket.location, error)

    async def _store_changes(self) -> None:
        loop = asyncio.get_running_loop()
        stored_at = loop.time()
        while self.error is None:
            await asyncio.sleep(CHECKPOINT_INTERVAL)
            began_at = loop.time()
            try:
                await self.checkpoint()
                stored_at = began_at
            except StoreError as error:
                log.warning("cannot store the changes of the ledger: %s", error)
                if loop.time() - stored_at >= MAX_CHECKPOINT_AGE:
                    self._lose(error)
            except Exception as error:  # noqa: BLE001  # any error must end the run
                self._lose(error)

    async def _renew(self, renewed_at: float) -> None:
        loop = asyncio.get_running_loop()
        delay = RENEWAL_INTERVAL
        while self.error is None:
            await asyncio.sleep(delay)
            began_at = loop.time()
            expires_at = renewed_at + LEASE_SECONDS
            try:
                renewing = asyncio.shield(self._threads.submit(self._lease.renew))
                async with asyncio.timeout_at(expires_at):
                    await renewing
                renewed_at, delay = began_at, RENEWAL_INTERVAL
            except TimeoutError:
                self._lose(StoreError(f"the lease of {self._bucket.location} could not be renewed: no response"))
            except StoreError as error:
                delay = RENEWAL_DELAY
                if loop.time() + delay >= expires_at:
                    self._lose(error)
            except Exception as error:  # noqa: BLE001  # any error must end the run
                self._lose(error)

    async def _close(self, end: Callable[[], None] | None, *, is_stopped: bool) -> None:
        """Run the last work in a thread, while the lease is renewed, and release everything."""
        try:
            if end is not None:
                await self._finished(self._threads.submit(end), is_stopped=is_stopped)
        except CircleCIError as error:
            self._lose(error)
        finally:
            for task in self._tasks:
                task.cancel()
            self._threads.close()
            await self.writer.close()

    async def _finished(self, work: "asyncio.Future[None]", *, is_stopped: bool = False) -> None:
        """Wait for work in a thread. After a cancellation or loss, let it end early and wait at most `STOP_TIMEOUT`."""
        cancelled: asyncio.CancelledError | None = None
        if not is_stopped:
            lost = asyncio.create_task(self._is_lost.wait())
            ends: list[asyncio.Future[Any]] = [work, lost]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError as error:
                cancelled = error
            finally:
                lost.cancel()
        try:
            if not work.done():
                self._stop.set()
            await uninterrupted(work, timeout=STOP_TIMEOUT)
        except TimeoutError:
            raise cancelled or StoreError(f"the store did not respond for {STOP_TIMEOUT:.0f} s") from None
        except CircleCIError:
            if cancelled is None:
                raise
        if cancelled is not None:
            raise cancelled

    def _lose(self, error: Exception) -> None:
        if self.error is None:
            lost = error if isinstance(error, CircleCIError) else LedgerError(f"cannot store the ledger: {error!r}")
            self.error = lost
            self._is_lost.set()
            self._on_lost(lost)


def _flush_to_file(sql: sqlite3.Connection) -> bool:
    """Write what is in the write-ahead log into the file. Return whether the file is complete."""
    busy, *_ = sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
