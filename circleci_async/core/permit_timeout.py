"""Fail a call that waits for a permit while every permit is held by a request that makes no progress."""

import asyncio
import math
from typing import Any, Protocol

from ..errors import PoolTimeout
from .stats import Stats


class Permits(Protocol):
    """The permits of a limiter."""

    @property
    def full_since(self) -> float | None:
        """Since when every permit is held, in the event loop's time. None during a pause, or if a permit is free."""
        ...


class PermitTimer:
    """Sets a `PoolTimeout` on a waiting future after `timeout` seconds without progress.

    Progress is a permit that was released, or a stream that received data: streams that nobody reads hold their permits
    for ever. A pause and paced sending do not count either.
    """

    __slots__ = ("_admitted", "_handle", "_loop", "_permits", "_received", "_since", "_stats", "_timeout")

    def __init__(self, permits: Permits, stats: Stats, admitted: "asyncio.Future[Any]", timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._permits = permits
        self._stats = stats
        self._admitted = admitted
        self._timeout = timeout
        self._since = self._loop.time()
        self._received = stats.received
        self._handle = self._loop.call_at(self._since + timeout, self._check) if timeout < math.inf else None

    def cancel(self) -> None:
        """Stop the timer. Idempotent."""
        if self._handle is not None:
            self._handle.cancel()

    def _check(self) -> None:
        now = max(self._loop.time(), self._since + self._timeout)
        full_since = self._permits.full_since
        has_received = self._stats.received != self._received
        self._received = self._stats.received
        self._since = now if full_since is None or has_received else max(self._since, full_since)
        if self._since + self._timeout > now:
            self._handle = self._loop.call_at(self._since + self._timeout, self._check)
        elif not self._admitted.done():
            self._admitted.set_exception(PoolTimeout(_message(self._stats.in_flight, self._timeout), sent=False))


def _message(in_flight: int, timeout: float) -> str:
    return (
        f"not sent: all {in_flight} requests that `concurrency` allows are in flight, and none ended for {timeout:g} s"
    )
