"""An embedded CircleCI in a thread of its own: for tests of any kind, whatever event loop they have, or none."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .fake import FakeCircleCI
from .server.exchange import Received, Reply
from .server.faults import Fault
from .state.world import World

if TYPE_CHECKING:
    from ..client import CircleCI

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds in which the thread must have done what takes it milliseconds."""


class BackgroundCircleCI(FakeCircleCI):
    """A `FakeCircleCI` that runs in a thread: `with` it.

    It closes each connection after its answer: what a client keeps open would outlive the event loop of a test.
    """

    def __init__(self, world: World | None = None, **options: Any) -> None:
        super().__init__(world, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="FakeCircleCI", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._hand_over(super().start()).result(PATIENCE)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._hand_over(super().close()).result(PATIENCE)
        finally:
            self._stop()

    async def start(self) -> None:
        """Listen again."""
        await asyncio.wrap_future(self._hand_over(super().start()))

    async def close(self) -> None:
        """Close all servers at once, and cut what is under way."""
        await asyncio.wrap_future(self._hand_over(super().close()))

    async def delivered(self) -> None:
        """Wait until every event that has happened by now was delivered to its webhooks, or given up."""
        await asyncio.wrap_future(self._hand_over(super().delivered()))

    @property
    def world(self) -> World:
        """The world, as it is by now."""
        if threading.current_thread() is self._thread or not self._thread.is_alive():
            return super().world
        return self._hand_over(self._settled()).result(PATIENCE)

    async def _settled(self) -> World:
        return super().world

    def _answer(self, received: Received, fault: Fault | None) -> Reply:
        reply = super()._answer(received, fault)
        reply.headers.setdefault("Connection", "close")
        return reply

    def _hand_over(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)


def close_client(circle: "CircleCI") -> None:
    """Close a client from outside of its event loop, which may have ended, or never have been.

    It has no idle connections, if it was one of a `BackgroundCircleCI`.
    """
    loop = circle._session.state.lifetime.loop  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # nobody else needs it
    if loop is not None and not loop.is_closed():
        loop.run_until_complete(circle.aclose())
        return
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(circle.aclose())
    finally:
        loop.close()
