"""When to poll again, and which failures polling tolerates."""

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from ..errors import InvalidArgument, NotFound
from .arguments import is_number
from .retry import is_transient

Interval: TypeAlias = tuple[float, float]
"""`(first, longest)`: seconds to the second poll, and the maximum seconds between polls."""

GROWTH = 1.5
"""Factor by which the delay grows after each poll, up to the end of the interval."""

JITTER = 0.2
"""Maximum share of a delay that is subtracted at random, so that clients that start together do not stay in step."""

MAX_FAILURES = 5
"""Consecutive failures tolerated however long they last. Each one comes after the client's own retries."""

MAX_OUTAGE = 120.0
"""Seconds for which more consecutive failures than `MAX_FAILURES` are tolerated."""


def check_interval(interval: Any) -> Interval:
    """Return the interval. Raises `InvalidArgument`."""
    if isinstance(interval, tuple | list) and len(numbers := cast("Sequence[float]", interval)) == 2:
        first, longest = numbers
        if _is_positive(first) and _is_positive(longest) and first <= longest:
            return first, longest
    raise InvalidArgument(f"interval must be two positive numbers of seconds, the smaller first, got {interval!r}")


class PollSchedule:
    """Computes the delay before each poll of one resource, and decides whether to poll again after a failure.

    The first delay is the start of the interval; later ones grow by `GROWTH`, minus `JITTER`, up to its end.
    `clock` returns seconds; by default it is the running event loop's.
    """

    def __init__(self, interval: Interval, *, clock: Callable[[], float] | None = None) -> None:
        self.interval = interval
        self.failures: int = 0
        """Consecutive failures so far."""
        self.not_before: float = -math.inf
        """When the server's `Retry-After` ends, by the clock."""
        self._clock = clock or asyncio.get_running_loop().time
        self._delay = 0.0
        self._failing_since = 0.0

    def restart(self) -> None:
        """Let the next delay be the start of the interval again."""
        self._delay = 0.0

    def succeeded(self, *, changed: bool = False) -> None:
        """Record a poll that succeeded; `changed` restarts the delays, since more changes are likely to follow."""
        self.failures = 0
        if changed:
            self.restart()

    def failed(self, error: Exception, *, seen_before: bool = False) -> bool:
        """Record a poll that failed, and return whether to poll again.

        Transient failures are tolerated, and `NotFound` if the resource was `seen_before`, until there have been more
        than `MAX_FAILURES` in a row and they have lasted for `MAX_OUTAGE` seconds. The error's `retry_after` is a
        lower bound of the next delay.
        """
        now = self._clock()
        if not self.failures:
            self._failing_since = now
        self.failures += 1
        self.not_before = now + (getattr(error, "retry_after", None) or 0.0)
        if not (is_transient(error) or (seen_before and isinstance(error, NotFound))):
            return False
        return self.failures <= MAX_FAILURES or now - self._failing_since < MAX_OUTAGE

    def next_delay(self, *, at_most: float = math.inf) -> float:
        """Return the seconds until the next poll: at most `at_most`, but never before `not_before`."""
        first, longest = self.interval
        if self._delay:
            self._delay = min(max(self._delay * GROWTH, first), longest)
            delay = self._delay * (1 - JITTER * random.random())  # noqa: S311  # no secret depends on it
        else:
            delay = self._delay = first
        return max(min(delay, at_most), self.not_before - self._clock())


def _is_positive(value: Any) -> bool:
    return is_number(value) and 0 < value < math.inf
