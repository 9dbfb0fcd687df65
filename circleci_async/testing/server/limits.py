"""The rate limit: a bucket of tokens, and the headers that tell how full it is."""

import math
import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, Literal

from attrs import field, frozen

from ...errors import InvalidArgument
from .exchange import Reply, json_reply


def _positive(_: Any, attribute: Any, value: float | None) -> None:
    if value is not None and value <= 0:
        raise InvalidArgument(f"{attribute.name}: expected more than 0, not {value}")


@frozen
class RateLimit:
    """How many API requests are answered; the others get 429.

    `per_second` requests a second in the long run, `burst` (as many as in a second, unless given) at once.
    `retry_after`: how a 429 says when to come back: in whole `seconds`, as a `date`, or not at all.
    `headers`: which family tells the state on every answer: `RateLimit-*`, `X-RateLimit-*`, both or none; their Reset
    is in seconds to go. `body`: of a 429, text or what becomes JSON, such as `{"message": "Rate limit exceeded."}`.
    """

    per_second: float = field(default=20.0, validator=_positive)
    burst: int | None = field(default=None, validator=_positive)
    retry_after: Literal["seconds", "date"] | None = "seconds"
    headers: Literal["both", "ratelimit", "x-ratelimit"] | None = "both"
    body: str | Mapping[str, Any] = "Rate limited."


class Bucket:
    """The state of a rate limit; `rejected` counts the 429s. It is told the time: seconds of any steady clock."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self.rejected = 0
        self._size = limit.burst or max(1, math.ceil(limit.per_second))
        self._tokens = float(self._size)
        self._last: float | None = None

    def take(self, now: float) -> Reply | None:
        """Let one request through (None), or refuse it."""
        self._last = now if self._last is None else self._last
        self._tokens = min(self._size, self._tokens + (now - self._last) * self.limit.per_second)
        self._last = now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        self.rejected += 1
        body = self.limit.body
        if isinstance(body, str):
            reply = Reply(429, body.encode(), {"Content-Type": "text/plain;charset=utf-8"})
        else:
            reply = json_reply(429, body)
        wait = self._wait(1)
        if self.limit.retry_after == "seconds":
            reply.headers["Retry-After"] = str(math.ceil(wait))
        elif self.limit.retry_after == "date":
            # A date has whole seconds: rounded up, so that it is never too early.
            reply.headers["Retry-After"] = formatdate(math.ceil(time.time() + wait), usegmt=True)
        return reply

    def state(self) -> dict[str, str]:
        """Tell how full the bucket is, in the headers of the families that are on."""
        families = self.limit.headers
        left = math.floor(self._tokens)
        limit, remaining = str(self._size), str(left)
        reset = str(math.ceil(self._wait(self._size if left else 1)))
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
        """Seconds until there are so many tokens."""
        return max(0.0, tokens - self._tokens) / self.limit.per_second
