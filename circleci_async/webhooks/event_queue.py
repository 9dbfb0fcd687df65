"""Accepted events: a bounded number of them in work, each in its own task, and a bounded number waiting."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any

from ..models.events import WebhookEvent

__all__ = ["EventQueue"]

_LOOP_END_DELAY = 0.1
"""Seconds after a cancellation until new work starts: timers do not fire if the event loop is ending."""

_CANCEL_TIMEOUT = 1.0
"""Seconds that `finish` waits for cancelled work. Work that ends normally needs only a moment."""


class EventQueue:
    """Runs `work` for each event, for `concurrency` of them at a time; at most `size` events wait.

    An empty queue has no tasks, and belongs to no event loop.
    """

    def __init__(
        self,
        work: Callable[[WebhookEvent], Coroutine[Any, Any, None]],
        *,
        on_lost: Callable[[WebhookEvent], object],
        size: int,
        concurrency: int,
    ) -> None:
        self._work = work
        self._on_lost = on_lost
        self._size = size
        self._concurrency = concurrency
        self._waiting: deque[tuple[WebhookEvent, Context]] = deque()
        self._running: dict[asyncio.Task[None], WebhookEvent] = {}
        self.lost: list[WebhookEvent] = []
        """Cancelled events; `finish` returns them."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running)

    def offer(self, event: WebhookEvent) -> bool:
        """Add an event, and start its work when possible; return False if the queue is full."""
        # The work runs in the context of the event's own request, on which its traces depend.
        if len(self._running) < self._concurrency:
            self._start(event, copy_context())
        elif len(self._waiting) < self._size:
            self._waiting.append((event, copy_context()))
        else:
            return False
        return True

    async def finish(self, seconds: float) -> list[WebhookEvent]:
        """Wait until all events are done, at most that long, then cancel the rest. Return the events not done.

        The work on an event may call this; it does not wait for itself.
        """
        current = asyncio.current_task()
        if current is not None:
            self._running.pop(current, None)
        try:
            async with asyncio.timeout(seconds):
                self._start_waiting()
                while self:
                    if self._running:
                        await asyncio.wait(self._running)
                    else:  # the running work was cancelled from outside; the next starts after the delay
                        await asyncio.sleep(_LOOP_END_DELAY)
        except TimeoutError:
            pass
        finally:  # also if this wait is cancelled
            await self._cancel_all()
        lost, self.lost = self.lost, []
        return lost

    async def _cancel_all(self) -> None:
        while self._waiting:
            self._lose(self._waiting.popleft()[0])
        if not self._running:
            return
        for task in self._running:
            task.cancel()
        _, resisting = await asyncio.wait(self._running, timeout=_CANCEL_TIMEOUT)
        for task in resisting:
            self._lose(self._running.pop(task))

    def _lose(self, event: WebhookEvent) -> None:
        self.lost.append(event)
        self._on_lost(event)

    def _start(self, event: WebhookEvent, context: Context) -> None:
        task = asyncio.get_running_loop().create_task(self._work(event), context=context)
        self._running[task] = event
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        event = self._running.pop(task, None)
        if event is not None and task.cancelled():
            self._lose(event)
        if task.cancelling():  # start no work: the event loop may be cancelling all tasks because it ends
            task.get_loop().call_later(_LOOP_END_DELAY, self._start_waiting)
        else:
            self._start_waiting()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < self._concurrency:
            self._start(*self._waiting.popleft())
