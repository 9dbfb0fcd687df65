"""What callers see of the rate limit. Pure: no clock and no I/O."""

from collections.abc import Mapping

from attrs import frozen

from .rate_limit import MAX_DELAY, parse_number

__all__ = ["RateLimitStatus"]


@frozen
class RateLimitStatus:
    """The rate limit, as the `RateLimit-*` and `X-RateLimit-*` headers of a response state it.

    A field is None if it is not stated. Of several headers the stricter value counts.
    """

    limit: int | None = None
    """Requests that the server accepts in one window."""

    remaining: int | None = None
    """Requests that it accepted until the reset, at the time of the response."""

    reset: float | None = None
    """Seconds from the response until the reset. A point in time instead of seconds is ignored."""

    rate: float | None = None
    """The limiter's estimate, in requests per second; None for a captured response, and before the first estimate."""


def parse_status(headers: Mapping[str, str], *, rate: float | None = None) -> RateLimitStatus:
    """Return the status that the headers of a response state."""
    found: dict[str, list[float]] = {"limit": [], "remaining": [], "reset": []}
    for name, value in headers.items():
        family, _, rest = name.lower().partition("ratelimit-")
        kind = rest.partition("-")[0]  # some servers append the window: X-RateLimit-Limit-Second
        if family in {"", "x-"} and kind in found and (number := parse_number(value)) is not None and number >= 0:
            found[kind].append(number)
    limits, remaining, resets = found.values()
    resets = [reset for reset in resets if reset <= MAX_DELAY]
    return RateLimitStatus(
        limit=int(min(limits)) if limits else None,
        remaining=int(min(remaining)) if remaining else None,
        reset=max(resets, default=None),
        rate=rate,
    )
