"""Calls `on_file` for each file that was placed, several at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Self

from ..config.log import log
from ..core.fan_out import fan_out
from ..core.uninterrupted import uninterrupted
from .destination.place import Place
from .ledger.calls import CallQueue
from .progress import ProgressTracker
from .report import HarvestedFile, OnFile, file_maker


class FileCalls:
    """Awaits `on_file` once for each placed file, `concurrency` at a time, while more are downloaded.

    `async with` waits at the end until all have returned; after an error it cancels them. Calls that have not returned
    stay in the ledger, for the next run.
    """

    def __init__(
        self, queue: CallQueue, place: Place, function: OnFile, progress: ProgressTracker, *, concurrency: int
    ) -> None:
        self.queue = queue
        self._make = file_maker(place)
        self._function = function
        self._progress = progress
        self._concurrency = concurrency
        self._placed = asyncio.Event()
        self._next_claim = asyncio.Event()
        self._is_ending = False
        self._has_failed = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        try:
            if error is None:
                self._is_ending = True
                self._placed.set()
                await self._task
        finally:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()  # raised above, or the result of the first error

    def placed(self) -> None:
        """Look for further files that were placed."""
        self._placed.set()

    async def wait_for_room(self) -> None:
        """Wait while as many files as `concurrency` are placed and wait for their calls. Raises `LedgerError`."""
        while True:
            next_claim = self._next_claim
            if not await self.queue.has_due(self._concurrency):
                return
            if self._task is not None and self._task.done():
                self._task.result()
                return
            await next_claim.wait()

    async def _run(self) -> None:
        try:
            calls = fan_out(self._due(), self._call, concurrency=self._concurrency)
            async with aclosing(calls) as outcomes:
                async for _, error in outcomes:
                    if error is not None:
                        raise error
        finally:
            self._next_claim.set()

    async def _due(self) -> AsyncGenerator[tuple[int, HarvestedFile]]:
        while True:
            self._placed.clear()
            is_ending = self._is_ending
            rows = await self.queue.claim(self._concurrency)
            self._next_claim.set()
            self._next_claim = asyncio.Event()
            for id, row in rows:
                yield id, self._make(*row)
            if not rows:
                if is_ending:
                    return
                await self._placed.wait()

    async def _call(self, due: tuple[int, HarvestedFile]) -> None:
        id, file = due
        failure: Exception | None = None
        try:
            await self._function(file)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            failure = RuntimeError("on_file was cancelled")  # by its own code, or by what it waited for
        except Exception as error:  # noqa: BLE001  # an error of one file must not stop the others
            failure = error
        if failure is not None and not self._has_failed:
            self._has_failed = True
            log.error("on_file failed; the harvest continues, and its report lists all failures", exc_info=failure)
        # Not interrupted: the next run would repeat a call that returned.
        await uninterrupted(asyncio.ensure_future(self.queue.finish(id, failure)))
        if failure is not None:
            self._progress.call_failed(file, failure)
