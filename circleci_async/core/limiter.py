"""One gate per session: how many requests are in flight, and the pause after a 429.

Everything that is sent passes the gate first. Whoever is told to slow down closes it for all: nobody goes out before
the time is up, and then one request goes first, and each answer lets one more follow. Having been refused, it goes fast
only up to half of what was too much, and feels its way from there (slow start and congestion avoidance, as in TCP).
Of calls, no more go out than the last answer said remain, so that the end of a quota is not found out by refusals.
"""

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from heapq import heappop, heappush
from itertools import chain, count
from types import TracebackType
from typing import NamedTuple

from attrs import field, frozen

from ..errors import ApiError, RateLimited
from .stats import Stats

NONSENSE = 10_000_000.0
"""Seconds (about four months). A larger reset is not a time to go but a date, or rubbish: it is ignored."""

LONGEST_HOLD = 86_400.0
"""Seconds (a day) that the gate stays closed at most: one absurd header must not close it for good."""

STALE = 1.0
"""Seconds after which one more call goes out although nothing remained: quotas grow, and answers may take long."""


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Read `Retry-After`, in seconds or as a date, as seconds to go; None if absent or unreadable.

    A date is compared with the answer's own `Date` where there is one, else with `now` (seconds since the epoch).
    """
    text = headers.get("Retry-After", "").strip()
    seconds = _number(text)
    if seconds is None:
        due = _date(text)
        if due is None:
            return None
        seconds = due - (_date(headers.get("Date", "")) or now)
    return max(0.0, seconds)


class Quota(NamedTuple):
    """What an answer's headers say of the rate limit."""

    wait: float | None
    """Seconds to hold back."""
    remaining: float | None
    """How many more calls are let through, those included that are under way."""


def read_quota(headers: Mapping[str, str], *, limited: bool) -> Quota:
    """Read the `RateLimit-*` and `X-RateLimit-*` families.

    A family that has nothing remaining says when it will have again; of two the later one counts, and of what remains
    the lower number. `limited` (the answer was a 429) says that nothing remains, whatever the headers leave out.
    """
    if not any("ratelimit" in name.lower() for name in headers):
        return UNKNOWN
    waits: list[float] = []
    resets: list[float] = []
    least: float | None = None
    exhausted = False
    for prefix in ("ratelimit-", "x-ratelimit-"):
        remaining: list[float] = []
        reset: float | None = None
        for name, value in headers.items():
            kind = name.lower().removeprefix(prefix)
            number = _number(value) if kind != name.lower() else None
            if number is None:
                continue
            if kind.startswith("remaining"):
                remaining.append(number)
            elif kind.startswith("reset") and 0 <= number < NONSENSE:
                reset = max(reset or 0.0, number)
        if remaining:
            least = min(remaining) if least is None else min(least, *remaining)
        spent = min(remaining) <= 0 if remaining else limited
        exhausted = exhausted or spent
        if reset is not None:
            resets.append(reset)
            if spent:
                waits.append(reset)
    if waits:
        return Quota(max(waits), least)
    return Quota(max(resets) if exhausted and resets else None, least)


UNKNOWN = Quota(None, None)
"""An answer that says nothing of it."""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number == number and abs(number) != float("inf") else None


def _date(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


@frozen(eq=False)
class Patience:
    """How long one call will let itself be held back."""

    max_wait: float
    """Seconds."""
    until: float | None = None
    """Its deadline, in the event loop's time."""
    turn: int = field(factory=count().__next__)
    """When it came. A call that was refused comes back before all that came after it."""

    def ends_before(self, moment: float, now: float) -> bool:
        """Say whether a hold until `moment` is more than this call will bear."""
        return moment - now > self.max_wait or (self.until is not None and moment >= self.until)


Queue = list[tuple[int, int, asyncio.Future[None], Patience]]
"""A heap by turn, then arrival. Who has given up stays in it, done, until it is that one's turn."""


class Gate:
    """Lets at most `concurrency` requests out at a time, first come, first served; nobody while it is closed."""

    def __init__(self, concurrency: int, stats: Stats) -> None:
        self._concurrency = concurrency
        self._stats = stats
        self._window = float(concurrency)
        self._slow_above = float(concurrency)
        self._too_much = float(concurrency)
        self._in_flight = 0
        self._calls = 0  # of those in flight: they have no answer yet
        self._room = math.inf  # how many more calls there is room for
        self._room_alarm: asyncio.TimerHandle | None = None
        self._closed_until = 0.0  # in the event loop's time; 0 while it is open, so that most calls need no clock
        self._queues: dict[bool, Queue] = {True: [], False: []}  # of calls, and of what is none: it needs no room
        self._arrivals = count()
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def is_closed(self) -> bool:
        """Whether nobody goes out for now."""
        return bool(self._closed_until)

    def slot(self, patience: Patience, *, is_call: bool = True) -> "Slot":
        """Return a slot: `async with` it, or `enter()` and `leave()`. What the API does not count is no call."""
        return Slot(self, patience, is_call=is_call)

    def close_for(self, seconds: float, *, refused: bool) -> None:
        """Hold everybody back for so many seconds from now (a shorter hold never shortens a longer one).

        `refused`: because too much was sent, not just because the server said when to send more.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        until = now + min(seconds, LONGEST_HOLD)
        if not self._closed_until:
            self._too_much = max(self._window, self._slow_above)  # it may have opened a moment ago
        if refused:
            self._slow_above = max(1.0, self._too_much / 2)
        if until <= self._closed_until:
            return
        self._stats.paused += until - max(now, self._closed_until)
        self._closed_until = until
        for _, _, admitted, patience in chain.from_iterable(self._queues.values()):
            if patience.ends_before(until, now) and not admitted.done():
                admitted.set_exception(_held_back(seconds))
        if self._alarm:
            self._alarm.cancel()
        self._alarm = loop.call_at(until, self._open)

    def make_room(self, remaining: float) -> None:
        """Let only so many more calls out, those included that have no answer yet; told by the answer to one of them.

        The next answer tells anew; infinity is what it says if it says nothing. One call goes out in any case, to learn
        how it stands.
        """
        if remaining == math.inf == self._room:  # as nearly always
            return
        self._room = remaining - max(0, self._calls - 1)
        if self._room >= 1:
            self._admit()

    async def enter(self, patience: Patience, *, is_call: bool = True) -> None:
        """Wait for the turn. `Slot` calls it, and then `leave` exactly once."""
        queue = self._queues[is_call]
        if not queue and self._may_go(is_call=is_call):  # and nobody in the other queue may, or would have gone
            self._count(1, is_call=is_call)
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if patience.ends_before(self._closed_until, now):
            raise _held_back(self._closed_until - now)
        admitted: asyncio.Future[None] = loop.create_future()
        heappush(queue, (patience.turn, next(self._arrivals), admitted, patience))
        self._admit()  # those before may all have given up
        self._stats.waiting += 1
        try:
            await admitted
        except asyncio.CancelledError:
            if not admitted.cancelled() and admitted.exception() is None:  # admitted and cancelled in the same breath
                self.leave(is_call=is_call)
            raise
        finally:
            self._stats.waiting -= 1
            self._stats.waits += 1
            self._stats.waited += loop.time() - now

    def leave(self, *, answered: bool = False, is_call: bool = True) -> None:
        """Free a place for the next; `answered`, and the gate lets one more out than before."""
        self._count(-1, is_call=is_call)
        if answered and not self._closed_until:
            step = 1.0 if self._window < self._slow_above else 1.0 / self._window
            self._window = min(self._concurrency, self._window + step)
        self._admit()

    def _open(self) -> None:
        # By decree, not by the clock: timers may fire a little early, and nobody would come to open it later.
        self._closed_until = 0.0
        self._window = min(self._concurrency, self._in_flight + 1)  # those that are still out may stay out for long
        self._room = math.inf
        self._admit()

    def _admit(self) -> None:
        """Let out all who may go, by their turns."""
        while self._queues[True] or self._queues[False]:
            may_go = [(queue[0], is_call) for is_call, queue in self._queues.items() if self._has_next(queue, is_call)]
            if not may_go:
                return
            (_, _, admitted, _), is_call = min(may_go)
            heappop(self._queues[is_call])
            self._count(1, is_call=is_call)
            admitted.set_result(None)

    def _has_next(self, queue: Queue, is_call: bool) -> bool:
        while queue and queue[0][2].done():
            heappop(queue)
        return bool(queue) and self._may_go(is_call=is_call)

    def _count(self, change: int, *, is_call: bool) -> None:
        self._in_flight += change
        self._stats.in_flight = self._in_flight
        if is_call:
            self._calls += change
            self._room -= max(0, change)

    def _may_go(self, *, is_call: bool) -> bool:
        if self._closed_until or self._in_flight + 1 > self._window:
            return False
        if not is_call or self._room >= 1 or not self._calls:
            return True
        if self._room_alarm is None:  # an answer may take long
            self._room_alarm = asyncio.get_running_loop().call_later(STALE, self._forget_room)
        return False

    def _forget_room(self) -> None:
        self._room_alarm = None
        self._room = max(self._room, 1.0)
        self._admit()


class Slot:
    """The right to have one request in flight."""

    __slots__ = ("_gate", "_held", "_is_call", "_patience")

    def __init__(self, gate: Gate, patience: Patience, *, is_call: bool = True) -> None:
        self._gate = gate
        self._patience = patience
        self._is_call = is_call
        self._held = False

    async def enter(self) -> None:
        """Wait for the turn; raises `RateLimited` at once if the gate stays closed for longer than is bearable."""
        await self._gate.enter(self._patience, is_call=self._is_call)
        self._held = True

    def leave(self, *, answered: bool = False) -> None:
        """Give the slot back, once; `answered` says that the server did answer, so that more may follow."""
        if self._held:
            self._held = False
            self._gate.leave(answered=answered, is_call=self._is_call)

    async def __aenter__(self) -> "Slot":
        await self.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave(answered=error is None or is_answer(error))


def is_answer(error: BaseException) -> bool:
    """Say whether an error is an answer, and not that it was too much."""
    return isinstance(error, ApiError) and not isinstance(error, RateLimited)


def _held_back(seconds: float) -> RateLimited:
    return RateLimited(
        429,
        f"not sent: the server asked for a pause, which lasts {seconds:.0f} s more; this call may not wait so long",
        retry_after=seconds,
    )
