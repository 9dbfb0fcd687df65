"""From a client's first call to its end: in one process and one event loop, and then no more."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, TypeAlias

from ..errors import ConfigurationError, InvalidArgument

log = logging.getLogger("circleci_async")

UNWINDING = 1.0
"""Seconds that closing waits for calls that it has cut: they need a moment, and only what resists takes longer."""

CLOSED = "the client is closed: make a new one, or use it inside its `async with` block"

OnClose: TypeAlias = Callable[[], Awaitable[object]]


class Closable(Protocol):
    """What stays open between two reads: a stream."""

    def close(self) -> None:
        """Close it. Safe to repeat."""


class Connections(Protocol):
    """What is closed in the end."""

    async def aclose(self) -> None:
        """Close them, in their own event loop. Safe to repeat."""

    def abandon(self) -> None:
        """Leave them as they are, open: they are another process's."""


class Lifetime:
    """Knows where a client may be used, whether it still may, and what is under way.

    The first call binds it to its process and its event loop.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._is_open = True
        self._has_ended = False
        self._is_done = False
        self._running: set[asyncio.Timeout] = set()
        self._streams: set[Closable] = set()
        self._on_close: list[OnClose] = []
        self._idle = asyncio.Event()  # set when the last of what is under way has ended; nobody else looks at it

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that the client belongs to; None before its first call."""
        return self._loop

    @property
    def has_ended(self) -> bool:
        """Whether all that was under way has been cut."""
        return self._has_ended

    def check(self) -> None:
        """Let a new call begin. Raises `ConfigurationError` if the client is closed, or this is not its place."""
        if not self._is_open:
            raise ConfigurationError(CLOSED)
        self.check_place()

    def check_place(self) -> None:
        """Raise `ConfigurationError` in another process or event loop than the client's; the first call binds it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # as in a child that was forked inside of a running loop
            loop = None
        if self._loop is None and loop is not None:
            self._loop, self._process = loop, os.getpid()
        elif self._loop is not loop or self._process != os.getpid():
            raise ConfigurationError(self._why_not_here())

    def begin(self, timeout: asyncio.Timeout) -> None:
        """Note that something of a call runs under this timeout, which is how it is cut. `end` takes it back.

        It may begin while others are given time to end: the call had been let in before. Raises as `check` does.
        """
        if self._has_ended:
            raise ConfigurationError(CLOSED)
        self.check_place()
        self._running.add(timeout)

    def end(self, timeout: asyncio.Timeout) -> None:
        """Note that it has ended."""
        self._running.discard(timeout)
        self._note_idle()

    def opened(self, stream: Closable) -> None:
        """Note that a stream is open, until `closed`."""
        self._streams.add(stream)

    def closed(self, stream: Closable) -> None:
        """Note that it is closed. Safe to repeat."""
        self._streams.discard(stream)
        self._note_idle()

    def on_close(self, callback: OnClose) -> None:
        """Have an async function called when the client begins to close, while calls under way are still given time.

        It is for what makes calls of its own in the background, and must end it: no new call is let in by then. All
        are called at once, and awaited; what one raises is logged. Raises `ConfigurationError` after the end.
        """
        if not self._is_open:
            raise ConfigurationError(CLOSED)
        self._on_close.append(callback)

    async def close(self, connections: Connections, *, drain: float) -> None:
        """Let no new call begin, give `drain` seconds to what is under way, then cut it, and close the connections.

        Of several who close at once the least patient one counts. Cancelled, it cuts at once.
        Raises `InvalidArgument`; `ConfigurationError` in another event loop than the client's, if that still lives.
        """
        try:
            is_time = drain >= 0
        except TypeError:
            is_time = False
        if not is_time:
            raise InvalidArgument(f"drain={drain!r}: give seconds, 0 or more")
        if self._is_done:
            return
        if self._loop is not None and self._process != os.getpid():
            self._is_open, self._has_ended = False, True
            connections.abandon()
        elif self._loop is not None and self._loop.is_closed():  # with it went whatever was under way
            self._is_open, self._has_ended = False, True
            await connections.aclose()
        else:
            self.check_place()
            self._is_open = False
            try:
                await self._call_back()
                await self._all_ended(within=drain)
            finally:
                await self._cut(connections)

    async def _call_back(self) -> None:
        callbacks, self._on_close = self._on_close, []
        for error in await asyncio.gather(*(callback() for callback in callbacks), return_exceptions=True):
            if isinstance(error, Exception):
                log.error("what was to end with the client failed", exc_info=error)

    async def _cut(self, connections: Connections) -> None:
        self._has_ended = True
        now = asyncio.get_running_loop().time()
        for timeout in self._running:
            if not timeout.expired():
                timeout.reschedule(now)
        for stream in list(self._streams):
            stream.close()
        try:
            await self._all_ended(within=UNWINDING)
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

    def _why_not_here(self) -> str:
        if self._loop is None:
            return "no event loop is running: await the call in one, as `asyncio.run(main())` makes it"
        if self._process != os.getpid():
            return (
                "this client was in use when the process was forked, and its connections are the parent's: make a new"
                " client in the child"
            )
        if self._loop.is_closed():
            return (
                "this client was used in an event loop that has ended, as that of each `asyncio.run` does: make a new"
                " client in each, or do everything in one"
            )
        return (
            "this client belongs to another event loop: make one client for each, or hand the call over with"
            " `asyncio.run_coroutine_threadsafe(call, loop)`"
        )
