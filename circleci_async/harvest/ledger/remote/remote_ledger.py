"""The ledger of a harvest into a bucket: fetched when the harvest begins, stored while it runs."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from ....config.log import log
from ....core.uninterrupted import uninterrupted
from ....errors import CircleCIError, LedgerBusy, LedgerError, StoreError
from ...destination.bucket import Bucket
from ..schema import LEDGER_NAME, connect_to_read, ledger_errors, local_errors
from ..writer import LedgerWriter, transaction
from .changes import Checkpoint, capture, note_changes
from .lease import LEASE_SECONDS, RENEWAL_INTERVAL, Lease, this_holder
from .sequence import Sequence

CHECKPOINT_INTERVAL: Final = 30.0
"""Seconds between checkpoints."""

MAX_CHECKPOINT_AGE: Final = 300.0
"""Seconds without a successful checkpoint after which the run ends."""

RENEWAL_DELAY: Final = 5.0
"""Seconds after which a failed renewal of the lease is repeated."""

FINISH_TIMEOUT: Final = 60.0
"""Seconds that the end of a run waits for each request of its last checkpoint."""


class RemoteLedger:
    """Holds the ledger of a bucket for one run. Its working copy is in a folder that the caller has locked.

    `async with` takes the lease and fetches the ledger into the folder; `attached` stores the changes that a
    `LedgerWriter` of the folder makes. At the end the segments are folded into a snapshot if that is worth it, and the
    lease is released, also after an error.

    Entering raises `LedgerBusy` if another harvest is running, `LedgerError`, `StoreError`. Later errors are not
    raised: `on_lost` is called, at most once, with the error for which the run must end: its changes are not stored.
    """

    def __init__(self, bucket: Bucket, folder: Path, *, on_lost: Callable[[CircleCIError], None]) -> None:
        self._bucket = bucket
        self._folder = folder
        self._on_lost = on_lost
        self._lock = asyncio.Lock()
        self._writer: LedgerWriter | None = None
        self._checkpoint: Checkpoint | None = None
        self._is_changed = False
        self._tasks: list[asyncio.Task[None]] = []
        self.error: CircleCIError | None = None
        """What `on_lost` was called with."""
        self.is_new: bool = False
        """Whether no run is recorded in the bucket."""
        self.was_interrupted: bool = False
        """Whether the last run did not finish: the bucket can contain files that the ledger does not know."""

    async def __aenter__(self) -> Self:
        self._holder = await asyncio.to_thread(this_holder, self._folder)
        self._lease = Lease(self._bucket, self._holder)
        self._sequence = Sequence(self._bucket, self._folder, self._holder)
        renewed_at = asyncio.get_running_loop().time()
        acquiring = _in_thread(self._lease.acquire)
        try:
            await uninterrupted(acquiring)
            self._tasks.append(asyncio.create_task(self._renew(renewed_at)))
            outcome = await self._stoppable(self._sequence.begin)
            if outcome.cancelled is not None:
                raise outcome.cancelled
            if outcome.error is not None:
                raise outcome.error
            await uninterrupted(_in_thread(self._read_last_run))
        except BaseException:
            if acquiring.exception() is None:
                await self._release()
            raise
        return self

    @property
    def follows_own_run(self) -> bool:
        """Whether the last harvest had the same working folder, so that the ids in it are those of this ledger."""
        return self._lease.follows_own_run

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        cancelled = None
        if not self._is_changed and not isinstance(self.error, LedgerBusy):
            is_ended = kind is None or issubclass(kind, Exception)
            folding = self._fold if is_ended and self._sequence.is_worth_folding else self._sequence.finish
            outcome = await self._stoppable(folding)
            cancelled = outcome.cancelled
            if isinstance(outcome.error, LedgerBusy):
                self._lose(outcome.error)
            elif outcome.error is not None:
                log.warning("the segments of %s are not folded: %s", self._bucket.location, outcome.error)
        cancelled = await self._release() or cancelled
        if cancelled is not None and kind is None:
            raise cancelled

    @asynccontextmanager
    async def attached(self, writer: LedgerWriter) -> AsyncGenerator[None]:
        """Store the changes that a writer of the folder makes, every 30 s and when the block ends."""
        await writer.run(note_changes)
        self._writer, self._is_changed = writer, True
        writer.on_store = self.checkpoint
        storing = asyncio.create_task(self._store_changes())
        cancelled = None
        try:
            yield
        finally:
            storing.cancel()
            cancelled = (await _complete(lambda: asyncio.gather(storing, return_exceptions=True))).cancelled
            if not isinstance(self.error, LedgerBusy):
                outcome = await self._write_checkpoint(self._lease.renew, timeout=FINISH_TIMEOUT)
                cancelled = outcome.cancelled or cancelled
                if outcome.error is None:
                    self._is_changed = False
                else:
                    self._lose(outcome.error)
            self._writer = writer.on_store = None
        if cancelled is not None:
            raise cancelled

    async def checkpoint(self) -> None:
        """Store the changes since the last checkpoint. Completes although cancelled meanwhile.

        Raises `LedgerBusy` if another harvest has taken over, and `StoreError`, after which the next checkpoint stores
        them.
        """
        outcome = await self._write_checkpoint()
        if outcome.cancelled is not None:
            raise outcome.cancelled
        if outcome.error is not None:
            raise outcome.error

    async def _write_checkpoint(
        self, then: Callable[[], None] | None = None, *, timeout: float | None = None
    ) -> "_Outcome":
        """Store what the last checkpoint could not store, and the changes since. `then`: more work in a thread."""
        writer = self._writer
        if writer is None:
            raise RuntimeError("no writer is attached")
        async with self._lock:
            return await _complete(
                lambda: _in_thread(self._store),
                lambda: writer.submit(self._capture),
                lambda: _in_thread(self._store),
                *([] if then is None else [lambda: _in_thread(then)]),
                timeout=timeout,
            )

    async def _stoppable(self, work: Callable[[], None]) -> "_Outcome":
        """Do work of `Sequence` in a thread. If cancelled, let it end early and wait until it has ended."""
        future = _in_thread(work)
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            self._sequence.stop()
            outcome = await _complete(lambda: future)
            return outcome._replace(cancelled=error)
        except CircleCIError as error:
            return _Outcome(error, None)
        return _Outcome(None, None)

    def _capture(self, sql: sqlite3.Connection) -> None:
        with local_errors(self._folder), transaction(sql):
            checkpoint = capture(sql, self._folder, self._holder, self._sequence.next)
        self._checkpoint = checkpoint

    def _store(self) -> None:
        if self._checkpoint is not None:
            self._sequence.store(self._checkpoint)
            self._checkpoint = None

    def _fold(self) -> None:
        self._sequence.finish()
        try:
            self._sequence.fold()
        except LedgerBusy:
            self._lease.renew()  # raises `LedgerBusy` if the lease was taken over
            raise LedgerError("the last holder of the lease has folded them") from None

    def _read_last_run(self) -> None:
        if not (self._folder / LEDGER_NAME).exists():
            self.is_new = True
            return
        with closing(connect_to_read(self._folder, is_checked=False)) as sql, ledger_errors(self._folder):
            last = sql.execute("SELECT ended FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        self.is_new = last is None
        self.was_interrupted = last == (None,)

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
            except CircleCIError as error:
                self._lose(error)

    async def _renew(self, renewed_at: float) -> None:
        loop = asyncio.get_running_loop()
        delay = RENEWAL_INTERVAL
        while self.error is None:
            await asyncio.sleep(delay)
            began_at = loop.time()
            renewing = _in_thread(self._lease.renew)
            try:
                await asyncio.wait_for(asyncio.shield(renewing), max(0, renewed_at + LEASE_SECONDS - began_at))
                renewed_at, delay = began_at, RENEWAL_INTERVAL
            except TimeoutError:
                self._lose(StoreError(f"the lease of {self._bucket.location} could not be renewed: no response"))
            except StoreError as error:
                delay = RENEWAL_DELAY
                if loop.time() + delay >= renewed_at + LEASE_SECONDS:
                    self._lose(error)
            except CircleCIError as error:
                self._lose(error)
            finally:
                renewing.add_done_callback(_retrieve)

    async def _release(self) -> asyncio.CancelledError | None:
        """End the renewals and release the lease, if it is still held."""
        for task in self._tasks:
            task.cancel()
        tasks = list(self._tasks)
        cancelled = (await _complete(lambda: asyncio.gather(*tasks, return_exceptions=True))).cancelled
        if self._checkpoint is not None:
            self._checkpoint.close()
        if isinstance(self.error, LedgerBusy):
            return cancelled
        outcome = await _complete(lambda: _in_thread(self._lease.release), timeout=FINISH_TIMEOUT)
        if isinstance(outcome.error, LedgerBusy):
            self._lose(outcome.error)
        elif outcome.error is not None:
            log.warning("cannot release the lease of %s: %s", self._bucket.location, outcome.error)
        return outcome.cancelled or cancelled

    def _lose(self, error: CircleCIError) -> None:
        if self.error is None:
            self.error = error
            self._on_lost(error)


class _Outcome(NamedTuple):
    """How work ended: its error, and the cancellation that came meanwhile."""

    error: CircleCIError | None
    cancelled: asyncio.CancelledError | None


async def _complete(*steps: Callable[[], "asyncio.Future[Any]"], timeout: float | None = None) -> _Outcome:
    """Do work step by step although cancelled meanwhile, until a step fails or takes longer than `timeout`."""
    cancelled: asyncio.CancelledError | None = None
    failure: BaseException | None = None
    for step in steps:
        work = step()
        try:
            await uninterrupted(work, timeout=timeout)
        except asyncio.CancelledError as error:
            cancelled = error
            failure = TimeoutError() if not work.done() else None if work.cancelled() else work.exception()
        except Exception as error:  # noqa: BLE001  # returned
            failure = error
        if isinstance(failure, CircleCIError):
            return _Outcome(failure, cancelled)
        if isinstance(failure, TimeoutError) and timeout is not None:
            return _Outcome(StoreError(f"the store did not respond for {timeout:.0f} s"), cancelled)
        if isinstance(failure, Exception):
            return _Outcome(LedgerError(f"cannot store the ledger: {failure}"), cancelled)
    return _Outcome(None, cancelled)


def _in_thread(work: Callable[[], None]) -> "asyncio.Future[None]":
    return asyncio.get_running_loop().run_in_executor(None, work)


def _retrieve(work: "asyncio.Future[None]") -> None:
    if not work.cancelled():
        work.exception()
