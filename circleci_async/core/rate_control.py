"""Decide when the next request may be sent: just below the server's rate limit. Pure: no I/O, and times are passed in.

Three phases. `start`: requests are not paced; the number in flight begins at 8 and grows by one with each response.
`search`, after the first refusal: the pace doubles every half second, until a refusal gives an estimate. `cruise`:
requests are paced at the estimate; after a hold, the pace grows slowly beyond it, until a refusal gives a new one.

An event is a refusal, or a response which states that no requests remain: the bucket was empty when the request was
sent. An estimate uses what the server accepted between two events.
"""

import math
from collections import deque
from typing import NamedTuple

from .rate_estimate import estimate_burst, estimate_rate
from .rate_limit import RateLimitState

START_WINDOW = 8
"""Requests in flight at first: a volley of 32 against a burst of 5 would be refused 27 times."""

START_PACE = 8.0
"""Requests per second with which a search begins, unless more were served before the refusal."""

MIN_PACE = 0.25
"""Lowest pace of a search: a client that others kept from the quota still finds it when they stop."""

SEARCH_DOUBLING = 0.5
"""Seconds in which a search doubles the pace: from 8 to 200 per second in 2.3 s."""

PROBE_DOUBLING = 4.0
"""Seconds in which the pace doubles beyond the estimate: slow, because the estimate is usually right."""

MAX_STEP = 1.5
"""Largest factor by which the pace grows from one request to the next: without responses, time proves nothing."""

MIN_EVIDENCE = 4
"""Requests accepted between two events that make an estimate. Fewer could give half or twice the rate."""

MARGIN = 0.97
"""Factor of the estimate at which requests are paced where a refusal costs quota."""

STRICT_MARGIN = 0.92
"""The same for a burst of one: a request that is sent late makes the next one too early."""

PROBE_COST = 0.05
"""Share of the time, and of the requests, that probing may cost. It gives the length of the hold."""

MIN_HOLD, MAX_HOLD = 4.0, 60.0
"""Seconds of the hold. Shorter, and clients that share a quota disturb each other; longer, and a raised limit is found
too late."""

BACKOFF = 0.7
"""Factor of the pace after an unexpected refusal, as in TCP CUBIC."""

RECOVERY = 6.0
"""Seconds from the reduced pace back to the estimate."""

REDUCTION, REPEATED_REDUCTION = 0.9, 0.5
"""Lowest factors of the estimate after an unexpected refusal, which another client may have caused, and after another
one during the recovery, when the limit was probably lowered."""

BURST_SHARE = 0.8
"""Share of the estimated burst, less one request, that is sent at once after an idle time or a pause."""

MIN_PAUSE, MAX_PAUSE = 0.25, 20.0
"""Seconds of a pause that the server does not state: at least, and at most after repeated refusals."""

SHORT_RESET = 1.0
"""Seconds. The shortest reset in whole seconds is the time of one token rounded up: not waited for at a known rate."""

RESERVE = 2.0
"""Tokens that refill before the next request, after a response stated that none remain."""

STALE_AFTER = 1.0
"""Seconds after which one more request is sent although none remained: the response may be slow or lost."""

MIN_LIMIT = 3
"""Smallest limit whose remaining number is used. Below it, nearly every response states that none remain."""

MAX_CONTRADICTIONS = 3
"""Refusals while the headers stated that requests remain, after which these headers are ignored."""

RECENT = 2.0
"""Seconds before the first refusal in which served requests give the first guess of the rate."""

MAX_LOG = 2000
"""Requests that are remembered for an estimate."""


class Ticket:
    """One request that was sent. Its response is applied to it."""

    __slots__ = ("epoch", "is_accepted", "is_refused", "number", "sent_at")

    def __init__(self, number: int, sent_at: float, epoch: int) -> None:
        self.number: int = number
        self.sent_at: float = sent_at
        self.epoch: int = epoch
        """Events before it was sent. All refusals of one epoch have the same cause: they are one event."""
        self.is_accepted: bool = False
        self.is_refused: bool = False


class Statement(NamedTuple):
    """What the response to the newest answered request stated about the quota."""

    ticket: Ticket
    remaining: float
    unclaimed: float
    """Requests remaining, less those in flight."""
    sent: int
    """Requests sent before the response arrived."""


class Plan(NamedTuple):
    """The pace over time: from `start` to `target` in `recovery` seconds, there for `hold` seconds, then doubling."""

    start: float
    target: float
    recovery: float = 0.0
    hold: float = 0.0
    doubling: float = SEARCH_DOUBLING

    def pace_at(self, elapsed: float) -> float:
        """Return the requests per second after this many seconds."""
        if elapsed < self.recovery:
            return self.start + (self.target - self.start) * elapsed / self.recovery
        return float(self.target * 2.0 ** (max(0.0, elapsed - self.recovery - self.hold) / self.doubling))

    def is_probing(self, elapsed: float) -> bool:
        """Return whether the pace exceeds the target after this many seconds."""
        return elapsed > self.recovery + self.hold


UNPACED = Plan(math.inf, math.inf)


class RateControl:
    """Paces the requests of one client. Call `send` for each request, `accepted` or `refused`, and then `ended`."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._window = min(START_WINDOW, concurrency)  # requests that may be in flight
        self.in_flight: int = 0
        self.pace: float = math.inf
        """Requests per second that may be sent now; infinity in the start phase."""
        self.rate: float | None = None
        """The estimated limit of the server in requests per second, or None before the first estimate."""
        self.burst: float = 1.0
        """The estimated burst of the server: requests that it accepts at once."""
        self._plan = UNPACED
        self._progress = 0.0  # seconds of the plan, which pass only while the pace limits the requests
        self._due = 0.0  # time of the next request
        self._saved = 0.0  # requests that may be sent at once after an idle time
        self._resume_at = 0.0  # end of the pause
        self._empty_at = 0.0  # when the bucket was last known to be empty
        self._epoch = 0  # events so far
        self._failures = 0  # events since a request was accepted
        self._log: deque[Ticket] = deque(maxlen=MAX_LOG)  # since the bucket was last empty
        self._opening: list[Ticket] = []  # from a full bucket to the first event; it gives the burst
        self._opening_end = 0.0
        self._sent = 0
        self._round_trip = 0.1
        self._statement: Statement | None = None
        self._contradictions = 0

    @property
    def phase(self) -> str:
        """`start`, `search` or `cruise`."""
        if not self._epoch:
            return "start"
        return "search" if self.rate is None else "cruise"

    def ready_at(self, now: float) -> float:
        """Return when the next request may be sent; infinity if one in flight must end first."""
        if self.in_flight >= self._window:
            return math.inf
        stated = self._statement
        if stated is None or not self.in_flight:
            return self._due
        refill = self.rate or (self.pace / 2.0 if self._epoch else 0.0)
        tokens = stated.unclaimed - (self._sent - stated.sent) + refill * (now - stated.ticket.sent_at)
        if tokens >= 1.0:
            return self._due
        wait = now + (1.0 - tokens) / refill if refill else math.inf
        return max(self._due, min(wait, self._log[-1].sent_at + STALE_AFTER))

    def send(self, now: float) -> Ticket:
        """Return the ticket of a request that is sent now."""
        if now - self._due < 1.0 / self.pace and self._log:  # the pace delayed this request
            self._progress += min(now - self._log[-1].sent_at, self._plan.doubling * math.log2(MAX_STEP))
            self.pace = self._plan.pace_at(self._progress)
        self._due = max(self._due, now - self._saved / self.pace) + 1.0 / self.pace
        self._sent += 1
        self.in_flight += 1
        ticket = Ticket(self._sent, now, self._epoch)
        self._log.append(ticket)
        return ticket

    def ended(self) -> None:
        """Note that a request is no longer in flight."""
        self.in_flight -= 1

    def accepted(self, ticket: Ticket, now: float, state: RateLimitState) -> float:
        """Apply a response that is not a refusal. Return the seconds of a pause, 0 without one."""
        ticket.is_accepted = True
        self._round_trip += 0.1 * (now - ticket.sent_at - self._round_trip)
        if ticket.epoch == self._epoch:
            self._failures = 0
            self._window = min(self._concurrency, self._window + 1)
        if state == (None, None, None):
            self._statement = None
            return 0.0
        return self._apply_statement(ticket, now, state)

    def refused(self, ticket: Ticket, now: float, pause: float | None) -> float:
        """Apply a refusal. Return the seconds of the pause: `pause` if the server stated it."""
        ticket.is_refused = True
        stated = self._statement
        if stated is not None and ticket.epoch == self._epoch:
            self._contradictions += stated.remaining - (ticket.number - stated.ticket.number) >= 2.0
        if pause is None:
            pause = max(MIN_PAUSE, 1.5 * self._round_trip, 1.0 / self.rate if self.rate else 0.0)
            pause = min(MAX_PAUSE, pause * 2.0**self._failures)
        if ticket.epoch == self._epoch:
            self._replan(ticket, pause, refused=True)
        self._resume(ticket, now + pause)
        return pause

    def _apply_statement(self, ticket: Ticket, now: float, state: RateLimitState) -> float:
        """Apply the number of remaining requests. Return the seconds of a pause, 0 without one."""
        pause = state.pause or 0.0
        if (
            state.remaining is None
            or (state.limit or MIN_LIMIT) < MIN_LIMIT
            or self._contradictions >= MAX_CONTRADICTIONS
        ):
            self._statement = None
            return pause if pause > SHORT_RESET else 0.0
        if self._statement is None or ticket.number > self._statement.ticket.number:
            unclaimed = state.remaining - (self.in_flight - 1)
            self._statement = Statement(ticket, state.remaining, unclaimed, self._sent)
        if not self._epoch and self._statement.unclaimed < 1.0:  # those in flight take the rest
            self._replan(self._log[-1], pause, refused=False)
            self._resume(self._log[-1], now + pause)
            return pause
        if state.remaining >= 1.0:
            return 0.0
        is_event = ticket.epoch == self._epoch
        if is_event:
            self._replan(ticket, 0.0, refused=False)
        if self.rate is not None and pause <= SHORT_RESET:
            pause = 0.0
        if is_event:
            self._resume(ticket, now + (pause or (RESERVE / self.rate if self.rate else MIN_PAUSE)))
        return pause

    def _replan(self, ticket: Ticket, pause: float, *, refused: bool) -> None:
        """Change the plan after an event, which is known from the response to this request."""
        self._epoch += 1
        self._failures += 1
        until = ticket.sent_at
        sends = [t.sent_at for t in self._log if t.is_accepted and self._empty_at < t.sent_at <= until]
        self._plan = self._next_plan(sends, until, pause, refused=refused)
        self._progress = 0.0
        self.pace = self._plan.pace_at(0.0)

    def _resume(self, ticket: Ticket, moment: float) -> None:
        """Pace from this moment on. The bucket was empty when the request was sent, and has been refilling since."""
        self._empty_at = max(self._empty_at, ticket.sent_at)
        self._resume_at = max(self._resume_at, moment)
        while self._log and self._log[0].sent_at < self._empty_at:
            self._log.popleft()
        taken = 1 + sum(not t.is_refused for t in self._log)
        self._due = max(self._empty_at + taken / self.pace, self._resume_at - self._saved / self.pace)

    def _next_plan(self, sends: list[float], until: float, pause: float, *, refused: bool) -> Plan:
        if self._plan is UNPACED:
            return self._first_plan(until, pause, refused=refused)
        if not sends:
            self._window = 1  # until a request is accepted
        estimate = min(self._estimate(sends, until), self.pace) if sends else self.pace / 2.0
        is_reliable = len(sends) >= MIN_EVIDENCE
        if self.rate is None or self._failures > 2:
            if is_reliable:
                return self._cruise(estimate, pause)
            self.rate = None
            doubling = 1.5 * self._plan.doubling if sends else 2.0 * SEARCH_DOUBLING
            return self._search(max(MIN_PACE, BACKOFF * estimate), doubling)
        if is_reliable and (self._plan.is_probing(self._progress) or not refused):
            return self._cruise(max(estimate, REPEATED_REDUCTION * self.rate), pause)
        if is_reliable and REDUCTION * self.rate <= estimate <= self.rate:
            # The previous estimate was slightly too high, or a request reached the server late.
            return self._cruise((estimate + self.rate) / 2.0, pause)
        # Unexpected: another client, a lowered limit, or an overestimated burst.
        self._opening, self.burst = [], max(1.0, BACKOFF * self.burst)
        is_repeated = self._progress < self._plan.recovery
        served = len(sends) / (until - self._empty_at)
        rate = max(min(estimate, served), (REPEATED_REDUCTION if is_repeated else REDUCTION) * self.rate)
        return self._cruise(min(rate, self.rate), pause, start=BACKOFF * min(self.pace, rate))

    def _first_plan(self, until: float, pause: float, *, refused: bool) -> Plan:
        self._window = self._concurrency
        self._opening, self._opening_end = [t for t in self._log if t.sent_at <= until], until
        served = [t.sent_at for t in self._opening if t.is_accepted and t.sent_at > until - RECENT]
        self.burst = max(1.0, len(served))
        if not (served and refused):
            return self._search(START_PACE, SEARCH_DOUBLING / 2.0)
        return self._search(max(START_PACE, len(served) / (until - served[0] + max(pause, MIN_PAUSE))), SEARCH_DOUBLING)

    def _search(self, start: float, doubling: float) -> Plan:
        self._saved = min(2.0, self.burst / 2.0)
        return Plan(start, start, doubling=max(doubling, 2.0 * self._round_trip))

    def _cruise(self, rate: float, pause: float, start: float = math.inf) -> Plan:
        """Return the plan for an estimated rate after an event that led to a pause."""
        self.rate = rate
        self._saved = max(0.0, BURST_SHARE * self.burst - 1.0)
        lost = max(0.0, pause - self.burst / rate)  # seconds of the pause during which the bucket is full
        margin = STRICT_MARGIN if self.burst < 2.0 else MARGIN
        target = margin * rate if lost else rate
        hold = max(lost / PROBE_COST, (1.0 + rate * self._round_trip) / (PROBE_COST * rate))
        if start < target:  # after an unexpected refusal, the estimate is in doubt
            hold = MIN_HOLD
        return Plan(
            min(start, target),
            target,
            recovery=RECOVERY if start < target else 0.0,
            hold=min(max(hold, MIN_HOLD), MAX_HOLD),
            doubling=max(PROBE_DOUBLING, 2.0 * self._round_trip),
        )

    def _estimate(self, sends: list[float], until: float) -> float:
        """Return the rate, and set the burst: the opening gives the burst for a rate, and `sends` a rate for it."""
        opening = [t.sent_at for t in self._opening if not t.is_refused]
        rate = len(sends) / (until - self._empty_at)
        for _ in range(4 if opening else 1):
            if opening:
                self.burst = estimate_burst(opening, rate=rate, until=self._opening_end)
            rate = estimate_rate(sends, burst=self.burst, since=self._empty_at, until=until)
        return rate
