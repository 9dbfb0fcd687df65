"""Parse what a response's headers state about the rate limit. Pure: no clock and no I/O."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import NamedTuple

MAX_RESET = 10_000_000.0
"""Seconds (about four months). A larger `*-Reset` is a point in time or an error, and is ignored."""

_FAMILIES = ("ratelimit-", "x-ratelimit-")


class RateLimitState(NamedTuple):
    """The rate limit as one response states it."""

    pause: float | None
    """Seconds to send nothing: `Retry-After` of a 429, else the reset of an exhausted quota."""
    remaining: float | None
    """Requests that the server still accepts, those in flight included."""


UNKNOWN = RateLimitState(None, None)
"""The state after a response without such headers."""


def parse_retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return `Retry-After` (seconds or a date) in seconds from now; None if it is absent or unreadable.

    A date is compared with the response's own `Date` if there is one, else with `now` (seconds since the epoch).
    """
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    seconds = _number(text)
    if seconds is None:
        due = _date(text)
        if due is None:
            return None
        seconds = due - (_date(headers.get("Date", "")) or now)
    return max(0.0, seconds)


def parse_rate_limit(headers: Mapping[str, str], *, refused: bool) -> RateLimitState:
    """Return the state that the `RateLimit-*` and `X-RateLimit-*` headers describe.

    An exhausted family gives its reset as the pause; of two families the longer pause and the smaller number remaining
    count. `refused`: the response was a 429, so the quota is exhausted even if the headers state otherwise.
    """
    if "ratelimit" not in "".join(headers).lower():
        return UNKNOWN
    pauses: list[float] = []
    resets: list[float] = []
    least: float | None = None
    exhausted = False
    for prefix in _FAMILIES:
        remaining, reset = _family(headers, prefix)
        if remaining is not None:
            least = remaining if least is None else min(least, remaining)
        is_exhausted = refused if remaining is None else remaining <= 0
        exhausted = exhausted or is_exhausted
        if reset is not None:
            resets.append(reset)
            if is_exhausted:
                pauses.append(reset)
    if pauses:
        return RateLimitState(max(pauses), least)
    return RateLimitState(max(resets) if exhausted and resets else None, least)


def _family(headers: Mapping[str, str], prefix: str) -> tuple[float | None, float | None]:
    """Return the smallest number remaining and the longest reset of the headers with this prefix."""
    remaining: float | None = None
    reset: float | None = None
    for name, value in headers.items():
        lower = name.lower()
        if not lower.startswith(prefix) or (number := _number(value)) is None:
            continue
        kind = lower.removeprefix(prefix)
        if kind.startswith("remaining"):
            remaining = number if remaining is None else min(remaining, number)
        elif kind.startswith("reset") and 0 <= number < MAX_RESET:
            reset = number if reset is None else max(reset, number)
    return remaining, reset


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _date(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
