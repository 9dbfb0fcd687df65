"""Calls `on_progress` in the background: a slow function misses events, and an error in it is logged."""

import asyncio
import inspect
import threading
from collections import deque
from contextlib import suppress
from typing import Any, cast

from ..config.log import log
from ..core.arguments import is_async_function
from .events import FileAdvanced, HarvestEvent, HarvestProgress, OnHarvestEvent

MAX_PENDING_EVENTS = 2_000
"""Pending events of a slow function. Further ones are dropped, except `HarvestProgress`."""

CLOSE_TIMEOUT = 2.0
"""Seconds to wait at the end of the run until the pending events are delivered."""


class Notifier:
    """Calls a function with one event after another: a plain function in a thread, an async one in a task."""

    def __init__(self, function: OnHarvestEvent) -> None:
        self._function = function
        self._pending: deque[HarvestEvent] = deque()
        self._advanced: dict[tuple[str, int, str, int, str], FileAdvanced] = {}
        self._progress: HarvestProgress | None = None
        self._has_failed = False
        self._is_closing = False
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        if is_async_function(function):
            self._wake = asyncio.Event()
            self._task = asyncio.create_task(self._run())
        else:
            self._condition = threading.Condition()
            threading.Thread(target=self._run_in_thread, name="harvest-progress", daemon=True).start()

    def notify(self, event: HarvestEvent) -> None:
        """Queue an event for the function."""
        if self._task is None:
            with self._condition:
                self._put(event)
                self._condition.notify()
        else:
            self._put(event)
            self._wake.set()

    def _put(self, event: HarvestEvent) -> None:
        if isinstance(event, HarvestProgress):
            self._progress = event  # only the latest one is sent
        elif isinstance(event, FileAdvanced):
            self._advanced[event.project, event.job, event.kind, event.node, event.path] = event
        elif len(self._pending) < MAX_PENDING_EVENTS:
            self._pending.append(event)
        if len(self._advanced) > MAX_PENDING_EVENTS:
            self._advanced.clear()

    def _take(self) -> list[HarvestEvent]:
        """Return the pending events: `FileAdvanced` first, then the others, then `HarvestProgress`."""
        events: list[HarvestEvent] = [*self._advanced.values(), *self._pending]
        if self._progress is not None:
            events.append(self._progress)
        self._advanced, self._progress = {}, None
        self._pending.clear()
        return events

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for event in self._take():
                await self._call_async(event)
                await asyncio.sleep(0)  # the function need not suspend
            if self._is_closing and not self._wake.is_set():
                self._done.set()
                return

    async def _call_async(self, event: HarvestEvent) -> None:
        try:
            await cast(Any, self._function(event))
        except Exception as error:  # noqa: BLE001  # an error in the caller's display must not end the harvest
            self._log(error)

    def _run_in_thread(self) -> None:
        while True:
            with self._condition:
                while not (events := self._take()) and not self._is_closing:
                    self._condition.wait()
            for event in events:
                try:
                    self._call(event)
                except Exception as error:  # noqa: BLE001  # as above
                    self._log(error)
            if not events:
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(self._done.set)
                return

    def _call(self, event: HarvestEvent) -> None:
        result = self._function(event)
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError("on_progress returned a coroutine: pass the async function itself")

    def _log(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            log.error("on_progress failed; the harvest continues, and further errors are not logged", exc_info=error)

    async def close(self) -> None:
        """Wait until the pending events are delivered, at most `CLOSE_TIMEOUT` seconds."""
        self._is_closing = True
        if self._task is None:
            with self._condition:
                self._condition.notify()
        else:
            self._wake.set()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._done.wait()
        except TimeoutError:
            log.warning("on_progress is too slow: the harvest ended before it received all events")
        finally:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
