"""Event handlers for the tests: they record events, or block until released."""

import asyncio

from circleci_async.models import WebhookEvent


class BlockingHandler:
    """An async `on_event` that blocks until it is released."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.cancelled: list[str] = []
        self.running = 0
        self.max_running = 0
        self.let_go = asyncio.Event()
        self._changed = asyncio.Condition()

    async def __call__(self, event: WebhookEvent) -> None:
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        await self._note(self.begun, event)
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(event.id)
            raise
        finally:
            self.running -= 1
        await self._note(self.done, event)

    async def has_begun(self, count: int) -> None:
        """Wait until that many events have been started."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.begun) >= count)

    async def has_done(self, count: int) -> None:
        """Wait until that many events have been handled."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.done) >= count)

    async def _note(self, place: list[str], event: WebhookEvent) -> None:
        async with self._changed:
            place.append(event.id)
            self._changed.notify_all()
