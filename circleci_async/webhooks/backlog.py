"""What has been accepted and is not done: so many events at work, each in its task, and so many waiting, no more."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any

from ..models.events import WebhookEvent

__all__ = ["Backlog"]

_MOMENT = 0.1
"""Seconds until it is clear whether the event loop has ended, after which no timer of it fires."""

_UNWINDING = 1.0
"""Seconds that `finish` waits for what it has cancelled, which needs no more than a moment, unless it resists."""


class Backlog:
    """Starts `work` for each event that it takes, for `concurrency` of them at a time.

    Nothing runs while there is nothing to do, and nothing belongs to an event loop then.
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
        """What was cancelled; `finish` returns it."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running)

    def offer(self, event: WebhookEvent) -> bool:
        """Take an event, and start it as soon as its turn comes; return False if there is no room."""
        # Each event keeps the context of its own request, whoever's end lets it begin: traces hang on it.
        if len(self._running) < self._concurrency:
            self._start(event, copy_context())
        elif len(self._waiting) < self._size:
            self._waiting.append((event, copy_context()))
        else:
            return False
        return True

    async def finish(self, seconds: float) -> list[WebhookEvent]:
        """Wait until all is done, for so long at most, then cancel the rest. Return what was not done.

        The work on an event may call this, and is then itself not waited for.
        """
        current = asyncio.current_task()
        if current is not None:
            self._running.pop(current, None)
        try:
            async with asyncio.timeout(seconds):
                self._go_on()
                while self:
                    if self._running:
                        await asyncio.wait(self._running)
                    else:  # what was at work was cancelled by somebody; what waits begins in a moment
                        await asyncio.sleep(_MOMENT)
        except TimeoutError:
            pass  # what is left is given up
        finally:  # also if this wait is itself cancelled
            await self._give_up()
        lost, self.lost = self.lost, []
        return lost

    async def _give_up(self) -> None:
        while self._waiting:
            self._lose(self._waiting.popleft()[0])
        if not self._running:
            return
        for task in self._running:
            task.cancel()
        _, resisting = await asyncio.wait(self._running, timeout=_UNWINDING)
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
        if task.cancelling():  # perhaps all tasks are, because the event loop ends: nothing may begin then
            task.get_loop().call_later(_MOMENT, self._go_on)
        else:
            self._go_on()

    def _go_on(self) -> None:
        while self._waiting and len(self._running) < self._concurrency:
            self._start(*self._waiting.popleft())
