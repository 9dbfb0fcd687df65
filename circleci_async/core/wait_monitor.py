"""Log calls that have been waiting for long: before a retry, during a pause, or for a permit."""

import asyncio
import math
from collections.abc import Awaitable
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from ..config.log import log
from .stats import Stats

T = TypeVar("T")

WARN_AFTER = 10.0
"""Seconds of waiting after which a call is logged."""

WARN_EVERY = 60.0
"""Seconds until the same call is logged again."""

MIN_INTERVAL = 10.0
"""Seconds between two lines of one client, however many calls are waiting."""

TOLERANCE = 1.0
"""Seconds by which calls that began to wait later share a line with an earlier one."""


class WaitingCall(Protocol):
    """What is logged of a call."""

    method: str
    url: str
    attempt: int
    """The next attempt, or the one in flight."""
    attempts: int
    """How many there are at most."""
    waited: float
    """Seconds that the call has waited so far."""
    next_warning: float | None
    """Seconds of waiting after which the call is logged again; None if it has not been logged."""


class Throttle(Protocol):
    """Why calls wait for a permit."""

    @property
    def is_paused(self) -> bool:
        """Whether no request is sent for now."""
        ...

    @property
    def paused_until(self) -> float:
        """End of the pause in the event loop's time."""
        ...

    @property
    def rate(self) -> float | None:
        """The estimated limit in requests per second, or None."""
        ...


class Wait:
    """One wait of a call. Times are in the event loop's time. `reason`: None for a wait for the limiter."""

    __slots__ = ("call", "first_warning", "reason", "since", "until")

    def __init__(
        self, call: WaitingCall, since: float, reason: str | None, until: float | None, first_warning: float
    ) -> None:
        self.call: WaitingCall = call
        self.since: float = since
        self.reason: str | None = reason
        self.until: float | None = until
        self.first_warning: float = first_warning

    def total(self, now: float) -> float:
        """Return the seconds that the call has waited, earlier waits included."""
        return self.call.waited + now - self.since

    @property
    def warning_at(self) -> float:
        """When the call is logged next."""
        next_warning = self.first_warning if self.call.next_warning is None else self.call.next_warning
        return self.since + next_warning - self.call.waited


class WaitMonitor:
    """Logs the waiting calls of one client at WARNING. One timer serves all; a call that does not wait costs nothing.

    All waits of a call add up. A line names the call that has been waiting longest, and the number of others.
    """

    def __init__(self, limiter: Throttle, stats: Stats) -> None:
        self._limiter = limiter
        self._stats = stats
        self._waits: set[Wait] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._quiet_until = 0.0
        self._warn_after, self._warn_every = WARN_AFTER, WARN_EVERY
        self.follows_attempts: bool = False
        """Whether an attempt without a response is a wait too."""

    def follow_attempts(self, *, warn_after: float, warn_every: float) -> None:
        """Log also attempts without a response, and log these and retries after other times than by default."""
        self.follows_attempts = True
        self._warn_after, self._warn_every = warn_after, warn_every

    async def until_answered(self, call: WaitingCall, sending: Awaitable[T]) -> T:
        """Return the response to an attempt, which is a wait until then."""
        loop = asyncio.get_running_loop()
        wait = self.begin(call, loop.time(), reason="no response yet")
        try:
            return await sending
        finally:
            self.end(wait, loop.time())

    def begin(self, call: WaitingCall, now: float, *, reason: str | None = None, until: float | None = None) -> Wait:
        """Register a wait, until `end`. `reason`, `until`: of a wait outside the limiter."""
        wait = Wait(call, now, reason, until, self._warn_after if reason else WARN_AFTER)
        self._waits.add(wait)
        self._wake_at(wait.warning_at)
        return wait

    def end(self, wait: Wait, now: float) -> None:
        """Unregister a wait that has ended."""
        self._waits.remove(wait)
        wait.call.waited += now - wait.since
        if not self._waits and self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, math.inf

    def _wake_at(self, moment: float) -> None:
        moment = max(moment, self._quiet_until)
        if moment < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = moment
            self._timer = asyncio.get_running_loop().call_at(moment, self._warn)

    def _warn(self) -> None:
        # The timer may fire slightly early: its own time counts.
        now = max(asyncio.get_running_loop().time(), self._timer_at)
        self._timer, self._timer_at = None, math.inf
        due = [wait for wait in self._waits if wait.warning_at <= now + TOLERANCE]
        if due:
            self._log(max(due, key=lambda wait: wait.total(now)), now)
            self._quiet_until = now + MIN_INTERVAL
            for wait in due:
                wait.call.next_warning = wait.total(now) + (self._warn_every if wait.reason else WARN_EVERY)
        if self._waits:
            self._wake_at(min(wait.warning_at for wait in self._waits))

    def _log(self, wait: Wait, now: float) -> None:
        call = wait.call
        reason, until = (wait.reason, wait.until) if wait.reason else self._of_limiter(now)
        left = "" if until is None else f", {max(0.0, until - now):.0f} s left"
        others = len(self._waits) - 1
        more = f" ({others} other call{'s are' if others > 1 else ' is'} waiting)" if others else ""
        url = urlsplit(call.url)
        where = f" ({url.netloc.rpartition('@')[2]}, attempt {call.attempt} of {call.attempts})" if wait.reason else ""
        message = "%s %s has been waiting for %.0f s: %s%s%s%s"
        log.warning(message, call.method, url.path, wait.total(now), reason, left, where, more)

    def _of_limiter(self, now: float) -> tuple[str, float | None]:
        """Return why the limiter sends nothing, and until when, if that is known."""
        limiter, stats = self._limiter, self._stats
        if limiter.is_paused:
            return "rate limited", limiter.paused_until
        if rate := limiter.rate:
            return f"rate limited to about {rate:.3g} requests per second", now + stats.waiting / rate
        return f"for one of the {stats.in_flight} requests in flight to end", None
