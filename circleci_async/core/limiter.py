"""One limiter per client: admits waiting calls in order, as concurrency, pauses and the pace allow."""

import asyncio
import math
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import chain, count
from types import TracebackType

from attrs import define, field

from ..errors import RateLimited
from .arguments import check_positive_integer
from .permit_timeout import PermitTimeouts
from .rate_control import RateControl, Ticket
from .rate_limit import RateLimitState
from .stats import Stats
from .wait_monitor import WaitMonitor

MAX_PAUSE = 86_400.0
"""Seconds (a day). A longer pause, which one absurd header could cause, is shortened to it."""


next_sequence: Callable[[], int] = count().__next__
"""Return the next position in the queue."""


@define(eq=False)
class WaitLimit:
    """How long one call may wait for a permit."""

    max_wait: float
    """Longest pause in seconds."""
    deadline: float | None = None
    """In the event loop's time."""
    sequence: int = field(factory=next_sequence)
    """Position in the queue. A call that was refused is queued before every later call."""
    permit_timeout: float = math.inf
    """Seconds after which the call fails if every permit is held and none has been released."""
    method: str = ""
    url: str = field(default="", repr=False)  # it can be signed
    attempt: int = 1
    attempts: int = 1
    waited: float = 0.0
    """Seconds that the call has waited so far."""
    next_warning: float | None = None
    """Seconds of waiting after which the call is logged again; None if it has not been logged."""

    def is_exceeded_by(self, moment: float, now: float) -> bool:
        """Return whether a pause until `moment` is longer than this call may wait."""
        return moment - now > self.max_wait or (self.deadline is not None and moment >= self.deadline)


Queue = list[tuple[int, int, "asyncio.Future[Permit]", WaitLimit]]
"""A heap by sequence, then arrival. Cancelled waiters stay in the heap until popped."""


class Limiter:
    """Admits at most `concurrency` requests at a time, first come, first served; none during a pause.

    A request is `counted` if the API counts it against its rate limit: storage does not. Only counted requests are
    paced; `RateControl` decides when the next one may be sent.
    """

    def __init__(self, concurrency: int, stats: Stats) -> None:
        self.concurrency: int = check_positive_integer("concurrency", concurrency)
        self._stats = stats
        self._control = RateControl(concurrency)
        self._full_since = 0.0  # in the event loop's time
        self._paused_until = 0.0  # in the event loop's time; 0 without a pause
        self._queues: dict[bool, Queue] = {True: [], False: []}  # by `counted`
        self._arrivals = count()
        self._timer: asyncio.TimerHandle | None = None  # one for all waiters
        self._timer_at = math.inf
        self._timeouts = PermitTimeouts(self, stats)
        self.monitor: WaitMonitor = WaitMonitor(self, stats)

    @property
    def paused_until(self) -> float:
        """End of the pause in the event loop's time; 0 without one."""
        return self._paused_until

    @property
    def is_paused(self) -> bool:
        """Whether no request is sent for now."""
        return bool(self._paused_until)

    @property
    def full_since(self) -> float | None:
        """Since when every permit is held, in the event loop's time. None during a pause, or if a permit is free."""
        return None if self._paused_until or self._stats.in_flight < self.concurrency else self._full_since

    @property
    def spare(self) -> int:
        """How many requests that are not counted would be sent at once."""
        return 0 if self._paused_until or self._queues[False] else self.concurrency - self._stats.in_flight

    @property
    def is_contended(self) -> bool:
        """Whether a request waits because every permit is held."""
        if self._paused_until or self._stats.in_flight < self.concurrency:
            return False
        return any(not admitted.done() for _, _, admitted, _ in chain.from_iterable(self._queues.values()))

    @property
    def rate(self) -> float | None:
        """The estimated limit of the server in requests per second, or None before the first estimate."""
        return self._control.rate

    @property
    def pace(self) -> float:
        """The most requests per second that are sent for now; infinity if they are not paced."""
        return self._control.pace

    def apply_rate_limit(self, state: RateLimitState, permit: "Permit", *, refused: bool = False) -> None:
        """Apply the response to the request of a permit. `refused`: it was a 429."""
        now = asyncio.get_running_loop().time()
        if permit.ticket is None:
            pause = state.pause if refused else None
        elif refused:
            pause = self._control.refused(permit.ticket, now, state.pause)
        else:
            pause = self._control.accepted(permit.ticket, now, state)
        if pause:
            self.pause(pause)
        elif self._queues[True]:
            self._admit(now)

    def pause(self, seconds: float) -> None:
        """Send nothing for this many seconds. A shorter pause never shortens a longer one."""
        now = asyncio.get_running_loop().time()
        until = now + min(seconds, MAX_PAUSE)
        if until <= self._paused_until:
            return
        self._stats.paused += until - max(now, self._paused_until)
        self._paused_until = until
        for _, _, admitted, wait_limit in chain.from_iterable(self._queues.values()):
            if wait_limit.is_exceeded_by(until, now) and not admitted.done():
                admitted.set_exception(_rate_limited(seconds, wait_limit))
        self._wake_at(until)

    def try_acquire(self, *, counted: bool = True) -> "Permit | None":
        """Return a permit if the request may be sent now. Else return None: use `acquire`."""
        now = asyncio.get_running_loop().time()
        # No call of the other kind is waiting then: it would have been admitted.
        if self._queues[counted] or not self._may_send(now, counted=counted):
            return None
        return self._start(now, counted=counted)

    async def acquire(self, wait_limit: WaitLimit, *, counted: bool = True) -> "Permit":
        """Wait for a permit. Release it after the request.

        Raises `RateLimited` at once if the wait would exceed `wait_limit`, and `PoolTimeout`.
        """
        if permit := self.try_acquire(counted=counted):
            return permit
        queue = self._queues[counted]
        loop = asyncio.get_running_loop()
        began = now = loop.time()
        self._stats.waiting += 1
        wait = self.monitor.begin(wait_limit, began)
        try:
            while True:
                self._check_wait(wait_limit, now, counted=counted)
                admitted: asyncio.Future[Permit] = loop.create_future()
                heappush(queue, (wait_limit.sequence, next(self._arrivals), admitted, wait_limit))
                self._admit(now)
                self._timeouts.begin(admitted, wait_limit.permit_timeout, now)
                try:
                    permit = await admitted
                except asyncio.CancelledError:
                    if not admitted.cancelled() and admitted.exception() is None:  # admitted and cancelled at once
                        self._withdraw(admitted.result())
                    raise
                finally:
                    self._timeouts.end(admitted)
                if not self._paused_until:
                    return permit
                self._withdraw(permit)  # a pause began after it was admitted
                now = loop.time()
        finally:
            self._stats.waiting -= 1
            self._stats.waits += 1
            ended = loop.time()
            self._stats.waited += ended - began
            self.monitor.end(wait, ended)

    def release(self, permit: "Permit") -> None:
        """Take a permit back. Idempotent."""
        if permit.is_released:
            return
        permit.is_released = True
        self._stats.in_flight -= 1
        if permit.ticket is not None:
            self._control.ended()
        if self._stats.waiting:
            self._admit(asyncio.get_running_loop().time())

    def _check_wait(self, wait_limit: WaitLimit, now: float, *, counted: bool) -> None:
        moment = self._paused_until
        if wait_limit.deadline is not None and counted and self.rate:
            ahead = sum(sequence < wait_limit.sequence for sequence, *_ in self._queues[counted])
            moment = max(moment, now) + ahead / self.rate
            exceeded = moment >= wait_limit.deadline or self._paused_until - now > wait_limit.max_wait
        else:
            exceeded = wait_limit.is_exceeded_by(moment, now)
        if exceeded:
            raise _rate_limited(moment - now, wait_limit)

    def _admit(self, now: float) -> None:
        """Admit every waiter that may be sent, in order; set the timer for the next one."""
        if self._paused_until and now >= self._paused_until:
            self._paused_until, self._full_since = 0.0, now
        while sendable := [
            (queue[0], counted) for counted, queue in self._queues.items() if self._has_next(queue, now, counted)
        ]:
            (_, _, admitted, _), counted = min(sendable)
            heappop(self._queues[counted])
            admitted.set_result(self._start(now, counted=counted))
        if self._paused_until:
            self._wake_at(self._paused_until)
        elif self._queues[True] and self._stats.in_flight < self.concurrency:
            self._wake_at(self._control.ready_at(now))

    def _has_next(self, queue: Queue, now: float, counted: bool) -> bool:
        while queue and queue[0][2].done():
            heappop(queue)
        return bool(queue) and self._may_send(now, counted=counted)

    def _may_send(self, now: float, *, counted: bool) -> bool:
        if self._paused_until or self._stats.in_flight >= self.concurrency:
            return False
        return not counted or now >= self._control.ready_at(now)

    def _start(self, now: float, *, counted: bool) -> "Permit":
        self._stats.in_flight += 1
        if self._stats.in_flight == self.concurrency:
            self._full_since = now
        return Permit(self, self._control.send(now) if counted else None)

    def _withdraw(self, permit: "Permit") -> None:
        if permit.ticket is not None:
            permit.ticket.is_refused = True  # the server never received it
        self.release(permit)

    def _wake_at(self, moment: float) -> None:
        """Call `_admit` at a time. A timer that fires too early does no harm: `_admit` sets the next one."""
        if moment < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = moment
            self._timer = asyncio.get_running_loop().call_at(moment, self._on_timer)

    def _on_timer(self) -> None:
        # Timers may fire slightly early where the clock is coarse: use the time for which this one was set.
        now = max(asyncio.get_running_loop().time(), self._timer_at)
        self._timer = None
        self._timer_at = math.inf
        self._admit(now)


class Permit:
    """The right to have one request in flight, until it is released."""

    __slots__ = ("_limiter", "is_released", "ticket")

    def __init__(self, limiter: Limiter, ticket: Ticket | None) -> None:
        self._limiter = limiter
        self.ticket: Ticket | None = ticket
        """Identifies the request, if it is counted."""
        self.is_released: bool = False

    def release(self) -> None:
        """Return the permit. Idempotent."""
        self._limiter.release(self)

    def __enter__(self) -> "Permit":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def _rate_limited(seconds: float, wait_limit: WaitLimit) -> RateLimited:
    limit = "its deadline" if seconds <= wait_limit.max_wait else f"max_wait={wait_limit.max_wait:g}"
    return RateLimited(
        429, f"not sent: rate limited for another {seconds:.0f} s, longer than {limit}", retry_after=seconds
    )
