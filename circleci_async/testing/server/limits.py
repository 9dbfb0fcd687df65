"""The rate limit: a token bucket and its headers."""

import math
import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, Literal

from attrs import field, frozen

from ...errors import InvalidArgument
from .exchange import Response, json_response


def _positive(_: Any, attribute: Any, value: float | None) -> None:
    if value is not None and value <= 0:
        raise InvalidArgument(f"{attribute.name} must be greater than 0, got {value}")


@frozen
class RateLimit:
    """The API's rate limit, a token bucket. Further requests are answered with 429.

    `per_second`: refill rate. `burst`: size of the bucket, by default the requests of one second. `retry_after`: form
    of the Retry-After header of a 429: whole `seconds`, a `date`, or None for no header. `headers`: which headers
    report the state on every response: `RateLimit-*`, `X-RateLimit-*`, both, or None; Reset is in seconds from now.
    `body`: of a 429, text or a JSON object such as `{"message": "Rate limit exceeded."}`.
    """

    per_second: float = field(default=20.0, validator=_positive)
    burst: int | None = field(default=None, validator=_positive)
    retry_after: Literal["seconds", "date"] | None = "seconds"
    headers: Literal["both", "ratelimit", "x-ratelimit"] | None = "both"
    body: str | Mapping[str, Any] = "Rate limited."


class Bucket:
    """A token bucket; `rejected` counts the 429s. Times are in seconds of a monotonic clock."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self.rejected: int = 0
        self._size = limit.burst or max(1, math.ceil(limit.per_second))
        self._tokens = float(self._size)
        self._last: float | None = None

    def take(self, now: float) -> Response | None:
        """Admit one request and return None, or return the 429."""
        self._last = now if self._last is None else self._last
        self._tokens = min(self._size, self._tokens + (now - self._last) * self.limit.per_second)
        self._last = now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        self.rejected += 1
        body = self.limit.body
        if isinstance(body, str):
            response = Response(429, body.encode(), {"Content-Type": "text/plain;charset=utf-8"})
        else:
            response = json_response(429, body)
        wait = self._wait(1)
        if self.limit.retry_after == "seconds":
            response.headers["Retry-After"] = str(math.ceil(wait))
        elif self.limit.retry_after == "date":
            # A date has whole seconds: round up, so that a retry at that time is admitted.
            response.headers["Retry-After"] = formatdate(math.ceil(time.time() + wait), usegmt=True)
        return response

    def state(self) -> dict[str, str]:
        """Return the headers that report the state."""
        families = self.limit.headers
        available = math.floor(self._tokens)
        limit, remaining = str(self._size), str(available)
        reset = str(math.ceil(self._wait(self._size if available else 1)))
        headers: dict[str, str] = {}
        if families in ("both", "ratelimit"):
            headers |= {"RateLimit-Limit": limit, "RateLimit-Remaining": remaining, "RateLimit-Reset": reset}
        if families in ("both", "x-ratelimit"):
            headers |= {
                "X-RateLimit-Limit-Second": limit,
                "X-RateLimit-Remaining-Second": remaining,
                "X-RateLimit-Reset": reset,
            }
        return headers

    def _wait(self, tokens: int) -> float:
        """Return the seconds until the bucket has this number of tokens."""
        return max(0.0, tokens - self._tokens) / self.limit.per_second
