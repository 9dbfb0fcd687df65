"""The lifetime of a client: bound to one process and one event loop by its first call, ended by closing."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ClassVar, Protocol, TypeAlias
from weakref import WeakSet

from ..config.log import log
from ..errors import ConfigurationError, InvalidArgument

CANCEL_TIMEOUT = 1.0
"""Seconds that closing waits for the calls that it cancelled."""

CLOSED = "the client is closed: create a new one, or use it inside its `async with` block"

OnClose: TypeAlias = Callable[[], Awaitable[object]]


class Closable(Protocol):
    """An open stream."""

    def close(self) -> None:
        """Close it. Idempotent."""


class Connections(Protocol):
    """The connections of a client."""

    async def aclose(self) -> None:
        """Close them, in their own event loop. Idempotent."""

    def abandon(self) -> None:
        """Leave them open: they belong to another process."""


class Lifetime:
    """Tracks where a client may be used, whether it is open, and what is running.

    The first call binds it to its process and its event loop. What runs in a lifetime with a `parent` runs in both, and
    ends with the first of them.
    """

    forks: ClassVar[int] = 0
    """How often this process, or one that it descends from, was forked. A new number means a new process."""

    def __init__(self, parent: "Lifetime | None" = None) -> None:
        self._parent = parent
        self._children = WeakSet[Lifetime]()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forks = 0
        self._is_open = True
        self._has_ended = False
        self._is_done = False
        self._running: set[asyncio.Timeout] = set()
        self._streams: set[Closable] = set()
        self._on_close: list[OnClose] = []
        self._idle = asyncio.Event()  # set when the last running call has ended while closing

    def child(self) -> "Lifetime":
        """Return a lifetime that ends with this one, or before. It is forgotten when nothing else refers to it."""
        child = Lifetime(self)
        self._children.add(child)
        return child

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that the client belongs to; None before its first call."""
        return self._loop

    @property
    def has_ended(self) -> bool:
        """Whether running calls have been cancelled."""
        return self._has_ended or (self._parent is not None and self._parent.has_ended)

    @property
    def is_open(self) -> bool:
        """Whether new calls are admitted."""
        return self._is_open and (self._parent is None or self._parent.is_open)

    def check(self) -> None:
        """Raise `ConfigurationError` if no new call may start: the client is closed, or bound elsewhere."""
        if not self.is_open:
            raise ConfigurationError(CLOSED)
        self.check_place()

    def check_place(self) -> None:
        """Raise `ConfigurationError` in another process or event loop than the client's; the first call binds it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # as in a child that was forked inside of a running loop
            loop = None
        if self._parent is not None and self._parent.is_open:
            self._parent.check_place()
        if loop is not None and loop is self._loop and self._forks == Lifetime.forks:
            return
        if loop is None or self._loop is not None:
            raise ConfigurationError(self._wrong_place())
        self._loop, self._forks = loop, Lifetime.forks

    def begin(self, timeout: asyncio.Timeout) -> None:
        """Register a running call by its timeout, which closing reschedules to cancel it. `end` unregisters it.

        Allowed while the client drains, since the call was admitted before. Raises as `check` does.
        """
        if self.has_ended:
            raise ConfigurationError(CLOSED)
        self.check_place()
        self._running.add(timeout)
        if self._parent is not None:
            self._parent.begin(timeout)

    def end(self, timeout: asyncio.Timeout) -> None:
        """Unregister a running call."""
        self._running.discard(timeout)
        self._note_idle()
        if self._parent is not None:
            self._parent.end(timeout)

    def opened(self, stream: Closable) -> None:
        """Register an open stream, until `closed`."""
        self._streams.add(stream)
        if self._parent is not None:
            self._parent.opened(stream)

    def closed(self, stream: Closable) -> None:
        """Unregister a stream. Idempotent."""
        self._streams.discard(stream)
        self._note_idle()
        if self._parent is not None:
            self._parent.closed(stream)

    def on_close(self, callback: OnClose) -> None:
        """Register an async function to call when closing starts, before running calls are drained.

        For background tasks that make calls: no new call is admitted by then. All functions are awaited concurrently;
        their errors are logged. Raises `ConfigurationError` if the client is closed.
        """
        if not self.is_open:
            raise ConfigurationError(CLOSED)
        self._on_close.append(callback)

    async def close(self, connections: Connections, *, drain: float) -> None:
        """Admit no new call, wait `drain` seconds for running ones, then cancel them, and close the connections.

        Of several concurrent closings the shortest `drain` counts. Cancelling it cancels the running calls at once.
        Raises `InvalidArgument`; `ConfigurationError` in another event loop than the client's, unless that is closed.
        """
        try:
            is_time = drain >= 0
        except TypeError:
            is_time = False
        if not is_time:
            raise InvalidArgument(f"drain must be 0 or more seconds, got {drain!r}")
        if self._is_done:
            return
        if self._loop is not None and self._forks != Lifetime.forks:
            self._is_open, self._has_ended = False, True
            connections.abandon()
        elif self._loop is not None and self._loop.is_closed():  # its tasks have ended, so there is nothing to cancel
            self._is_open, self._has_ended = False, True
            await connections.aclose()
        else:
            self.check_place()
            self._is_open = False
            try:
                await self.run_callbacks()
                await self._all_ended(within=drain)
            finally:
                await self._cancel(connections)

    async def run_callbacks(self) -> None:
        """Call the functions of `on_close`, those of its children too, once. Their errors are logged."""
        callbacks, self._on_close = self._on_close, []
        calls = [*(callback() for callback in callbacks), *(child.run_callbacks() for child in list(self._children))]
        for error in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(error, Exception):
                log.error("an on_close function failed", exc_info=error)

    async def _cancel(self, connections: Connections) -> None:
        self._has_ended = True
        now = asyncio.get_running_loop().time()
        for timeout in self._running:
            if not timeout.expired():
                timeout.reschedule(now)
        for stream in list(self._streams):
            stream.close()
        try:
            await self._all_ended(within=CANCEL_TIMEOUT)
        finally:
            await connections.aclose()
            self._is_done = True

    async def _all_ended(self, *, within: float) -> None:
        if within and (self._running or self._streams):
            self._idle.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._idle.wait()

    def _note_idle(self) -> None:
        if not self._is_open and not self._running and not self._streams:
            self._idle.set()

    def _wrong_place(self) -> str:
        if self._loop is None:
            return "no event loop is running: await the call inside `asyncio.run(main())`"
        if self._forks != Lifetime.forks:
            return (
                "this client was in use when the process was forked, and its connections belong to the parent: create a"
                " new client in the child"
            )
        if self._loop.is_closed():
            return (
                "the event loop of this client is closed, as after each `asyncio.run`: create a new client in each, or"
                " use one `asyncio.run` for everything"
            )
        return (
            "this client belongs to another event loop: create one client for each, or submit the call with"
            " `asyncio.run_coroutine_threadsafe(call, loop)`"
        )


def _note_fork() -> None:
    Lifetime.forks += 1


if hasattr(os, "register_at_fork"):  # absent on Windows, which has no fork
    os.register_at_fork(after_in_child=_note_fork)
