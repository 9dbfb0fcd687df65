"""Estimate the rate and the burst of a token bucket from the requests it accepted and refused. Pure functions.

The bucket holds up to `burst` tokens, gains `rate` tokens per second, and each accepted request takes one. `replay`
computes how many tokens are taken, for a candidate rate. A rate is too low if an accepted request would have found no
token; it is too high if a refused request would have found one.
"""

import math
from collections.abc import Callable, Sequence

MAX_FACTOR = 64.0
"""The estimate is searched up to this factor above and below the first guess."""

BISECTIONS = 16
"""Halvings of that range (on a logarithmic scale): the result is exact to 0.02 %."""

BURST_ROUNDING = 0.2
"""Tokens by which a measured burst may exceed an integer: requests do not arrive exactly when they are sent."""


def replay(sends: Sequence[float], *, rate: float, since: float, taken: float, until: float) -> tuple[float, float]:
    """Return the most tokens that were taken at once, and the tokens taken at `until`.

    `sends`: times of accepted requests, in order. `taken`: tokens taken at the time `since`.
    """
    peak, last = 0.0, since
    for moment in sends:
        taken = max(0.0, taken - rate * (moment - last)) + 1.0
        last = moment
        peak = max(peak, taken)
    return peak, max(0.0, taken - rate * (until - last))


def estimate_rate(sends: Sequence[float], *, burst: float, since: float, until: float) -> float:
    """Return the rate of a bucket that was empty at `since`, accepted `sends`, and was empty again at `until`.

    There must be at least one request.
    """
    guess = len(sends) / (until - since)

    def accepts_all(rate: float) -> bool:
        return replay(sends, rate=rate, since=since, taken=burst, until=until)[0] <= burst

    def has_token_at_end(rate: float) -> bool:
        return replay(sends, rate=rate, since=since, taken=burst, until=until)[1] <= burst - 1.0

    low, high = _smallest(accepts_all, guess), _smallest(has_token_at_end, guess)
    # `low` exceeds `high` if the burst is inexact. One burst of requests decides `low`, the whole stretch `high`.
    return min(low, high)


def estimate_burst(sends: Sequence[float], *, rate: float, until: float) -> float:
    """Return the burst of a bucket that was full before `sends`, and empty at `until`."""
    if not sends:
        return 1.0
    peak, taken = replay(sends, rate=rate, since=sends[0], taken=0.0, until=until)
    return max(1.0, math.ceil(max(peak, taken) - BURST_ROUNDING))


def _smallest(is_enough: Callable[[float], bool], guess: float) -> float:
    """Return the smallest rate that is enough, by bisection around `guess`."""
    low, high = guess / MAX_FACTOR, guess * MAX_FACTOR
    for _ in range(BISECTIONS):
        middle = math.sqrt(low * high)
        if is_enough(middle):
            high = middle
        else:
            low = middle
    return math.sqrt(low * high)
