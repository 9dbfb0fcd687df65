"""One gate per session: how many requests are in flight, and the pause after a 429.

Everything that is sent passes the gate first. Whoever is told to slow down closes it for all: nobody goes out before
the time is up, and then one request goes first, and each answer lets one more follow. Having been refused, it goes fast
only up to half of what was too much, and feels its way from there (slow start and congestion avoidance, as in TCP).
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from heapq import heappop, heappush
from itertools import count
from types import TracebackType

from attrs import field, frozen

from .errors import ApiError, RateLimited
from .stats import Stats

NONSENSE = 10_000_000.0
"""Seconds (about four months). A larger reset is not a time to go but a date, or rubbish: it is ignored."""


LONGEST_HOLD = 86_400.0
"""Seconds (a day) that the gate stays closed at most: one absurd header must not close it for good."""


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


def reset_wait(headers: Mapping[str, str], *, limited: bool) -> float | None:
    """Read the `RateLimit-*` and `X-RateLimit-*` families: the seconds to hold back, or None.

    A family that has nothing remaining says when it will have again; of two the later one counts. `limited` (the answer
    was a 429) says that nothing remains, whatever the headers leave out.
    """
    if not any("ratelimit" in name.lower() for name in headers):
        return None
    waits: list[float] = []
    resets: list[float] = []
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
        spent = min(remaining) <= 0 if remaining else limited
        exhausted = exhausted or spent
        if reset is not None:
            resets.append(reset)
            if spent:
                waits.append(reset)
    if waits:
        return max(waits)
    return max(resets) if exhausted and resets else None


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

    longest_wait: float
    """Seconds."""
    until: float | None = None
    """Its deadline, in the event loop's time."""
    turn: int = field(factory=count().__next__)
    """When it came. A call that was refused comes back before all that came after it."""

    def ends_before(self, moment: float, now: float) -> bool:
        """Say whether a hold until `moment` is more than this call will bear."""
        return moment - now > self.longest_wait or (self.until is not None and moment >= self.until)


class Gate:
    """Lets at most `concurrency` requests out at a time, first come, first served; nobody while it is closed."""

    def __init__(self, concurrency: int, stats: Stats) -> None:
        self._concurrency = concurrency
        self._stats = stats
        self._window = float(concurrency)
        self._slow_above = float(concurrency)
        self._too_much = float(concurrency)
        self._in_flight = 0
        self._closed_until = 0.0  # in the event loop's time; 0 while it is open, so that most calls need no clock
        # A heap by turn, then arrival. Who has given up stays in it, done, until it is that one's turn.
        self._queue: list[tuple[int, int, asyncio.Future[None], Patience]] = []
        self._arrivals = count()
        self._alarm: asyncio.TimerHandle | None = None

    def slot(self, patience: Patience) -> "Slot":
        """Return a slot: `async with` it, or `enter()` and `leave()`."""
        return Slot(self, patience)

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
        self._stats.held += until - max(now, self._closed_until)
        self._closed_until = until
        for _, _, admitted, patience in self._queue:
            if patience.ends_before(until, now) and not admitted.done():
                admitted.set_exception(_held_back(seconds))
        if self._alarm:
            self._alarm.cancel()
        self._alarm = loop.call_at(until, self._open)

    async def enter(self, patience: Patience) -> None:
        """Wait for the turn. `Slot` calls it, and then `leave` exactly once."""
        if not self._queue and self._may_go():
            self._in_flight += 1
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if patience.ends_before(self._closed_until, now):
            raise _held_back(self._closed_until - now)
        admitted: asyncio.Future[None] = loop.create_future()
        heappush(self._queue, (patience.turn, next(self._arrivals), admitted, patience))
        self._admit()  # those before may all have given up
        try:
            await admitted
        except asyncio.CancelledError:
            if not admitted.cancelled() and admitted.exception() is None:  # admitted and cancelled in the same breath
                self.leave()
            raise

    def leave(self, *, answered: bool = False) -> None:
        """Free a place for the next; `answered`, and the gate lets one more out than before."""
        self._in_flight -= 1
        if answered and not self._closed_until:
            step = 1.0 if self._window < self._slow_above else 1.0 / self._window
            self._window = min(self._concurrency, self._window + step)
        self._admit()

    def _open(self) -> None:
        # By decree, not by the clock: timers may fire a little early, and nobody would come to open it later.
        self._closed_until = 0.0
        self._window = min(self._concurrency, self._in_flight + 1)  # those that are still out may stay out for long
        self._admit()

    def _admit(self) -> None:
        while self._queue:
            admitted = self._queue[0][2]
            if not admitted.done():
                if not self._may_go():
                    return
                self._in_flight += 1
                admitted.set_result(None)
            heappop(self._queue)

    def _may_go(self) -> bool:
        return not self._closed_until and self._in_flight + 1 <= self._window


class Slot:
    """The right to have one request in flight."""

    __slots__ = ("_gate", "_held", "_patience")

    def __init__(self, gate: Gate, patience: Patience) -> None:
        self._gate = gate
        self._patience = patience
        self._held = False

    async def enter(self) -> None:
        """Wait for the turn; raises `RateLimited` at once if the gate stays closed for longer than is bearable."""
        await self._gate.enter(self._patience)
        self._held = True

    def leave(self, *, answered: bool = False) -> None:
        """Give the slot back, once; `answered` says that the server did answer, so that more may follow."""
        if self._held:
            self._held = False
            self._gate.leave(answered=answered)

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
