"""Fail calls that wait for a permit while every permit is held by a request that makes no progress."""

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


class PermitTimeouts:
    """Sets a `PoolTimeout` on each waiting future after its timeout, in seconds without progress. One timer for all.

    Progress is a released permit, or received data: an unread stream holds its permit forever. The timeout does not run
    during a pause or while a permit is free.
    """

    def __init__(self, permits: Permits, stats: Stats) -> None:
        self._permits = permits
        self._stats = stats
        self._waits: dict[asyncio.Future[Any], tuple[float, float]] = {}
        """When each wait began, and its timeout."""
        self._progress_at = -math.inf
        self._received = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def begin(self, admitted: "asyncio.Future[Any]", timeout: float, now: float) -> None:
        """Register a wait, until `end`."""
        if not self._waits:
            self._received = self._stats.received
        self._waits[admitted] = (now, timeout)
        self._wake_at(now + timeout)

    def end(self, admitted: "asyncio.Future[Any]") -> None:
        """Unregister a wait."""
        del self._waits[admitted]
        if not self._waits and self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, math.inf

    def _wake_at(self, moment: float) -> None:
        if moment < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = moment
            self._timer = asyncio.get_running_loop().call_at(moment, self._check)

    def _check(self) -> None:
        now = max(asyncio.get_running_loop().time(), self._timer_at)  # it may fire slightly early
        self._timer, self._timer_at = None, math.inf
        full_since = self._permits.full_since
        if full_since is None or self._received != self._stats.received:
            full_since = now
        self._received = self._stats.received
        self._progress_at = max(self._progress_at, full_since)
        pending = {admitted: wait for admitted, wait in self._waits.items() if not admitted.done()}
        for admitted, (began, timeout) in pending.items():
            due = max(began, self._progress_at) + timeout
            if due > now:
                self._wake_at(due)
            else:
                admitted.set_exception(PoolTimeout(_message(self._stats.in_flight, timeout), sent=False))


def _message(in_flight: int, timeout: float) -> str:
    return (
        f"not sent: all {in_flight} requests that `concurrency` allows are in flight, and none ended for {timeout:g} s"
    )
