"""One limiter per client: how many requests are in flight, and the pause after a 429.

Every request acquires a permit first. A refusal pauses all requests; when the pause ends, one request is sent, and each
response admits one more (slow start), up to half of what was in flight at the refusal, then one more per round trip
(congestion avoidance, as in TCP). Requests to the API are also limited to the number that the last response stated as
remaining.
"""

import asyncio
import math
from heapq import heappop, heappush
from itertools import chain, count
from types import TracebackType

from attrs import define, field

from ..errors import ApiError, RateLimited
from .arguments import check_positive_integer
from .rate_limit import RateLimitState
from .stats import Stats
from .wait_monitor import WARN_AFTER, WaitMonitor

MAX_PAUSE = 86_400.0
"""Seconds (a day). A longer pause, which one absurd header could cause, is shortened to it."""

STALE_AFTER = 1.0
"""Seconds after which one more request is sent although nothing remained: quotas refill, and responses may be slow."""


@define(eq=False)
class WaitLimit:
    """How long one call may wait for a permit."""

    max_wait: float
    """Seconds."""
    deadline: float | None = None
    """In the event loop's time."""
    sequence: int = field(factory=count().__next__)
    """Position in the queue. A call that was refused is queued before every later call."""
    method: str = ""
    url: str = ""
    waited: float = 0.0
    """Seconds that the call has waited so far."""
    next_warning: float = WARN_AFTER
    """Seconds of waiting after which the call is logged."""

    def is_exceeded_by(self, moment: float, now: float) -> bool:
        """Return whether a pause until `moment` is longer than this call may wait."""
        return moment - now > self.max_wait or (self.deadline is not None and moment >= self.deadline)


Queue = list[tuple[int, int, asyncio.Future[None], WaitLimit]]
"""A heap by sequence, then arrival. Cancelled waiters stay in the heap until popped."""


class Limiter:
    """Admits at most `concurrency` requests at a time, first come, first served; none during a pause.

    A request is `counted` if the API counts it against its rate limit: storage does not.
    """

    def __init__(self, concurrency: int, stats: Stats) -> None:
        self._concurrency = check_positive_integer("concurrency", concurrency)
        self._stats = stats
        self._window = float(concurrency)
        self._slow_start_until = float(concurrency)
        self._window_at_refusal = float(concurrency)
        self._in_flight = 0
        self._counted_in_flight = 0
        self._remaining = math.inf  # counted requests that may still be sent
        self._stale_timer: asyncio.TimerHandle | None = None
        self._paused_until = 0.0  # in the event loop's time; 0 without a pause, so that most calls read no clock
        self._queues: dict[bool, Queue] = {True: [], False: []}  # by `counted`
        self._arrivals = count()
        self._resume_timer: asyncio.TimerHandle | None = None
        self.monitor: WaitMonitor = WaitMonitor(self, stats)

    @property
    def is_paused(self) -> bool:
        """Whether no request is sent for now."""
        return bool(self._paused_until)

    @property
    def paused_until(self) -> float:
        """End of the pause in the event loop's time; 0 without one."""
        return self._paused_until

    @property
    def rate(self) -> float | None:
        """The estimated rate of the server's limit in requests per second, or None before the first estimate."""
        return None

    def permit(self, wait_limit: WaitLimit, *, counted: bool = True) -> "Permit":
        """Return a permit: `async with` it, or `acquire()` and `release()`."""
        return Permit(self, wait_limit, counted=counted)

    def apply_rate_limit(self, state: RateLimitState, *, refused: bool = False, counted: bool = True) -> None:
        """Apply what a response states about the rate limit.

        `refused`: it was a 429. `counted`: it answers a counted request, so that it also states what remains.
        """
        if state.pause:
            self.pause(state.pause, refused=refused)
        elif counted and not refused:
            self._set_remaining(state.remaining if state.remaining and state.remaining > 0 else math.inf)

    def pause(self, seconds: float, *, refused: bool) -> None:
        """Send nothing for this many seconds. A shorter pause never shortens a longer one.

        `refused`: too many requests were sent, so that fewer are sent at a time afterwards.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        until = now + min(seconds, MAX_PAUSE)
        if not self._paused_until:
            self._window_at_refusal = max(self._window, self._slow_start_until)  # a pause may have just ended
        if refused:
            self._slow_start_until = max(1.0, self._window_at_refusal / 2)
        if until <= self._paused_until:
            return
        self._stats.paused += until - max(now, self._paused_until)
        self._paused_until = until
        for _, _, admitted, wait_limit in chain.from_iterable(self._queues.values()):
            if wait_limit.is_exceeded_by(until, now) and not admitted.done():
                admitted.set_exception(_rate_limited(seconds, wait_limit))
        if self._resume_timer:
            self._resume_timer.cancel()
        self._resume_timer = loop.call_at(until, self._resume)

    async def acquire(self, wait_limit: WaitLimit, *, counted: bool = True) -> None:
        """Wait for a permit. Every `acquire` is followed by exactly one `release`.

        Raises `RateLimited` at once if the pause exceeds `wait_limit`.
        """
        queue = self._queues[counted]
        if not queue and self._may_send(counted=counted):  # then no waiter of the other queue may be sent either
            self._count(1, counted=counted)
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if wait_limit.is_exceeded_by(self._paused_until, now):
            raise _rate_limited(self._paused_until - now, wait_limit)
        admitted: asyncio.Future[None] = loop.create_future()
        heappush(queue, (wait_limit.sequence, next(self._arrivals), admitted, wait_limit))
        self._admit()  # all earlier waiters may have been cancelled
        self._stats.waiting += 1
        wait = self.monitor.begin(wait_limit, now)
        try:
            await admitted
        except asyncio.CancelledError:
            if not admitted.cancelled() and admitted.exception() is None:  # admitted and cancelled at the same time
                self.release(counted=counted)
            raise
        finally:
            self._stats.waiting -= 1
            self._stats.waits += 1
            self._stats.waited += loop.time() - now
            self.monitor.end(wait, loop.time())

    def release(self, *, answered: bool = False, counted: bool = True) -> None:
        """Return a permit. `answered`: the server responded and did not refuse, so that more may be sent at a time."""
        self._count(-1, counted=counted)
        if answered and not self._paused_until:
            step = 1.0 if self._window < self._slow_start_until else 1.0 / self._window
            self._window = min(self._concurrency, self._window + step)
        self._admit()

    def _set_remaining(self, remaining: float) -> None:
        """Limit the counted requests to `remaining`, those in flight included.

        One is always sent, since its response updates the number.
        """
        if remaining == math.inf == self._remaining:  # nearly always
            return
        self._remaining = remaining - max(0, self._counted_in_flight - 1)
        if self._remaining >= 1:
            self._admit()

    def _resume(self) -> None:
        # The clock is not read: a timer may fire slightly early, and no other follows.
        self._paused_until = 0.0
        self._window = min(self._concurrency, self._in_flight + 1)  # requests still in flight may take long
        self._remaining = math.inf
        self._admit()

    def _admit(self) -> None:
        """Admit every waiter that may be sent, in order."""
        while self._queues[True] or self._queues[False]:
            sendable = [
                (queue[0], counted) for counted, queue in self._queues.items() if self._has_next(queue, counted)
            ]
            if not sendable:
                return
            (_, _, admitted, _), counted = min(sendable)
            heappop(self._queues[counted])
            self._count(1, counted=counted)
            admitted.set_result(None)

    def _has_next(self, queue: Queue, counted: bool) -> bool:
        while queue and queue[0][2].done():
            heappop(queue)
        return bool(queue) and self._may_send(counted=counted)

    def _count(self, change: int, *, counted: bool) -> None:
        self._in_flight += change
        self._stats.in_flight = self._in_flight
        if counted:
            self._counted_in_flight += change
            self._remaining -= max(0, change)

    def _may_send(self, *, counted: bool) -> bool:
        if self._paused_until or self._in_flight + 1 > self._window:
            return False
        if not counted or self._remaining >= 1 or not self._counted_in_flight:
            return True
        if self._stale_timer is None:  # the next response may be slow
            self._stale_timer = asyncio.get_running_loop().call_later(STALE_AFTER, self._allow_one)
        return False

    def _allow_one(self) -> None:
        self._stale_timer = None
        self._remaining = max(self._remaining, 1.0)
        self._admit()


class Permit:
    """The right to have one request in flight."""

    __slots__ = ("_counted", "_is_held", "_limiter", "_wait_limit")

    def __init__(self, limiter: Limiter, wait_limit: WaitLimit, *, counted: bool = True) -> None:
        self._limiter = limiter
        self._wait_limit = wait_limit
        self._counted = counted
        self._is_held = False

    async def acquire(self) -> None:
        """Wait for the permit. Raises `RateLimited` at once if a pause exceeds the call's wait limit."""
        await self._limiter.acquire(self._wait_limit, counted=self._counted)
        self._is_held = True

    def release(self, *, answered: bool = False) -> None:
        """Return the permit. Idempotent. `answered`: the server responded and did not refuse."""
        if self._is_held:
            self._is_held = False
            self._limiter.release(answered=answered, counted=self._counted)

    async def __aenter__(self) -> "Permit":
        await self.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release(answered=error is None or is_answer(error))


def is_answer(error: BaseException) -> bool:
    """Return whether an error is a response other than a refusal."""
    return isinstance(error, ApiError) and not isinstance(error, RateLimited)


def _rate_limited(seconds: float, wait_limit: WaitLimit) -> RateLimited:
    limit = "its deadline" if seconds <= wait_limit.max_wait else f"max_wait={wait_limit.max_wait:g}"
    return RateLimited(
        429, f"not sent: rate limited for another {seconds:.0f} s, longer than {limit}", retry_after=seconds
    )
