"""Parse what a response's headers state about the rate limit. Pure: no clock and no I/O."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

MAX_DELAY = 86_400.0
"""Seconds (a day). A longer `Retry-After` or `*-Reset` is an error, such as a date as seconds since the epoch, and is
ignored."""

_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{0,18})?")

_FAMILIES = ("ratelimit-", "x-ratelimit-")


class RateLimitState(NamedTuple):
    """The rate limit as one response states it."""

    pause: float | None = None
    """Seconds to send nothing: `Retry-After` of a 429, else the reset of an exhausted quota."""
    remaining: float | None = None
    """Requests that the server still accepts, those in flight included."""
    limit: float | None = None
    """Requests that the server accepts at once, or in one window."""


UNKNOWN = RateLimitState()
"""The state after a response without such headers."""


def parse_retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return `Retry-After` (seconds or a date) in seconds from now; None if it is absent, invalid or over a day.

    A date is compared with the response's own `Date` if there is one, else with `now` (seconds since the epoch).
    """
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    seconds = parse_number(text)
    if seconds is None:
        due = _date(text)
        if due is None:
            return None
        seconds = max(0.0, due - (_date(headers.get("Date", "")) or now))
    return seconds if 0 <= seconds <= MAX_DELAY else None


def parse_rate_limit(headers: Mapping[str, str], *, refused: bool) -> RateLimitState:
    """Return the state that the `RateLimit-*` and `X-RateLimit-*` headers describe.

    An exhausted family gives its reset as the pause. Of two families, the longer pause, the smaller number remaining
    and the smaller limit count. `refused`: the response was a 429, so the quota is exhausted even if the headers
    state otherwise.
    """
    if "ratelimit" not in "".join(headers).lower():
        return UNKNOWN
    pauses: list[float] = []
    resets: list[float] = []
    remaining: list[float] = []
    limits: list[float] = []
    exhausted = False
    for prefix in _FAMILIES:
        family = _family(headers, prefix)
        is_exhausted = min(family.remaining) <= 0 if family.remaining else refused
        exhausted = exhausted or is_exhausted
        if family.resets:
            resets.append(max(family.resets))
            if is_exhausted:
                pauses.append(max(family.resets))
        remaining += family.remaining
        limits += family.limits
    if not pauses and exhausted:
        pauses = resets
    return RateLimitState(max(pauses, default=None), min(remaining, default=None), min(limits, default=None))


class _Family(NamedTuple):
    """The numbers in the headers of one prefix, which may state several windows."""

    remaining: list[float]
    resets: list[float]
    limits: list[float]


def _family(headers: Mapping[str, str], prefix: str) -> _Family:
    family = _Family([], [], [])
    for name, value in headers.items():
        lower = name.lower()
        if not lower.startswith(prefix) or (number := parse_number(value)) is None:
            continue
        kind = lower.removeprefix(prefix)
        if kind.startswith("remaining"):
            family.remaining.append(number)
        elif kind.startswith("limit"):
            family.limits.append(number)
        elif kind.startswith("reset") and 0 <= number <= MAX_DELAY:
            family.resets.append(number)
    return family


def parse_number(text: str) -> float | None:
    """Return a decimal number of at most 18 digits on each side of the point, or None for any other text."""
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def _date(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
