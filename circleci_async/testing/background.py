"""An embedded CircleCI in a thread, for tests with any event loop or none."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from ..client import CircleCI
from .fake import FakeCircleCI
from .server.exchange import Request, Response
from .server.faults import Fault
from .state.world import World

T = TypeVar("T")

TIMEOUT = 30.0
"""Seconds to wait for the thread."""


class BackgroundCircleCI(FakeCircleCI):
    """A `FakeCircleCI` that runs in a thread, as a context manager.

    It closes each connection after the response: an idle connection would outlive the event loop of a test.
    """

    def __init__(self, world: World | None = None, **options: Any) -> None:
        super().__init__(world, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="FakeCircleCI", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._submit(super().start()).result(TIMEOUT)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._submit(super().close()).result(TIMEOUT)
        finally:
            self._stop()

    async def start(self) -> None:
        """Start listening again."""
        await asyncio.wrap_future(self._submit(super().start()))

    async def close(self) -> None:
        """Close all servers, and abort running requests."""
        await asyncio.wrap_future(self._submit(super().close()))

    async def delivered(self) -> None:
        """Wait until every webhook event so far was delivered, or failed after all retries."""
        await asyncio.wrap_future(self._submit(super().delivered()))

    @property
    def world(self) -> World:
        """The current state."""
        if threading.current_thread() is self._thread or not self._thread.is_alive():
            return super().world
        return self._submit(self._read_world()).result(TIMEOUT)

    async def _read_world(self) -> World:
        return super().world

    def _answer(self, received: Request, fault: Fault | None) -> Response:
        response = super()._answer(received, fault)
        response.headers.setdefault("Connection", "close")
        return response

    def _submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)


def close_client(circle: CircleCI) -> None:
    """Close a client of a `BackgroundCircleCI` outside its event loop, which may be closed or never have run."""
    loop = circle._session.state.lifetime.loop  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # not part of the public API
    if loop is not None and not loop.is_closed():
        loop.run_until_complete(circle.aclose())
        return
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(circle.aclose())
    finally:
        loop.close()
