"""Tells `on_progress` what happens, out of the way: whoever is slow misses something, and whoever fails is ignored."""

import asyncio
import inspect
import logging
import threading
from collections import deque
from contextlib import suppress
from typing import Any, cast

from .events import FileAdvanced, HarvestEvent, HarvestProgress, OnHarvestEvent

log: logging.Logger = logging.getLogger("circleci_async")

MOST_WAITING = 2_000
"""Events that may wait for a slow function. Beyond that they are dropped, the numbers apart."""

LAST_WORDS = 2.0
"""Seconds that the function has at the end for what waits."""


class Announcer:
    """Calls one function, event by event and in order, from a thread of its own, or, if it is async, from a task."""

    def __init__(self, function: OnHarvestEvent) -> None:
        self._function = function
        self._waiting: deque[HarvestEvent] = deque()
        self._advanced: dict[tuple[str, int, int, str], FileAdvanced] = {}
        self._progress: HarvestProgress | None = None
        self._has_failed = False
        self._ended = False
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        call = getattr(function, "__call__", None)  # noqa: B004  # the method, to see whether it is async
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call):
            self._wake = asyncio.Event()
            self._task = asyncio.create_task(self._run())
        else:
            self._condition = threading.Condition()
            threading.Thread(target=self._run_in_thread, name="harvest-progress", daemon=True).start()

    def tell(self, event: HarvestEvent) -> None:
        """Pass an event on as soon as the function has time for it."""
        if self._task is None:
            with self._condition:
                self._put(event)
                self._condition.notify()
        else:
            self._put(event)
            self._wake.set()

    def _put(self, event: HarvestEvent) -> None:
        if isinstance(event, HarvestProgress):
            self._progress = event  # the newest is enough
        elif isinstance(event, FileAdvanced):
            self._advanced[event.project, event.job, event.node, event.path] = event
        elif len(self._waiting) < MOST_WAITING:
            self._waiting.append(event)
        if len(self._advanced) > MOST_WAITING:
            self._advanced.clear()

    def _take(self) -> list[HarvestEvent]:
        """Return what waits; what is done is told after how far it had come, and the numbers at the end."""
        events: list[HarvestEvent] = [*self._advanced.values(), *self._waiting]
        if self._progress is not None:
            events.append(self._progress)
        self._advanced, self._progress = {}, None
        self._waiting.clear()
        return events

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for event in self._take():
                await self._call_async(event)
                await asyncio.sleep(0)  # though the function may never wait, the harvest goes on
            if self._ended and not self._wake.is_set():
                self._done.set()
                return

    async def _call_async(self, event: HarvestEvent) -> None:
        try:
            await cast(Any, self._function(event))
        except Exception as error:  # noqa: BLE001  # the caller's display is no reason to lose a file
            self._complain(error)

    def _run_in_thread(self) -> None:
        while True:
            with self._condition:
                while not (events := self._take()) and not self._ended:
                    self._condition.wait()
            for event in events:
                try:
                    self._call(event)
                except Exception as error:  # noqa: BLE001  # likewise
                    self._complain(error)
            if not events:
                with suppress(RuntimeError):  # nobody waits any more
                    self._loop.call_soon_threadsafe(self._done.set)
                return

    def _call(self, event: HarvestEvent) -> None:
        result = self._function(event)
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError("on_progress returns a coroutine: give the async function itself")

    def _complain(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            log.error("on_progress failed; the harvest goes on, and further failures are not logged", exc_info=error)

    async def close(self) -> None:
        """Give the function a moment for what waits, then leave it alone."""
        self._ended = True
        if self._task is None:
            with self._condition:
                self._condition.notify()
        else:
            self._wake.set()
        try:
            async with asyncio.timeout(LAST_WORDS):
                await self._done.wait()
        except TimeoutError:
            log.warning("on_progress is too slow: it was left alone at the end of the harvest")
        finally:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
