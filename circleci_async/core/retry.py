"""Which failures are retried, and after which delay. No I/O and no clock; the only importer of backoff."""

from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice, repeat
from typing import Any

from attrs import define, field, frozen
from attrs import validators as valid

from ..errors import (
    ApiError,
    CircleCIError,
    DecodeError,
    DownloadError,
    InvalidArgument,
    PoolTimeout,
    RateLimited,
    ResponseTooLarge,
    StoreError,
    TransportError,
)

__all__ = ["RetryPolicy"]

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods whose request may reach the server twice without harm."""

TRANSIENT = frozenset({408, 500, 502, 503, 504})
"""Statuses after which an idempotent request is retried. 429 is separate: it states that nothing was done."""


def _check_seconds(policy: object, attribute: Any, value: float) -> None:
    if not value >= 0:
        raise InvalidArgument(f"RetryPolicy({attribute.name}=) must be 0 or more seconds, got {value!r}")


def _check_positive(policy: object, attribute: Any, value: float) -> None:
    if not value > 0:
        raise InvalidArgument(
            f"RetryPolicy({attribute.name}=) must be a positive number of seconds or None, got {value!r}"
        )


def _check_count(policy: object, attribute: Any, value: object) -> None:
    if type(value) is not int or value < 1:
        raise InvalidArgument(
            f"RetryPolicy({attribute.name}=) must be a positive integer (1 disables retries), got {value!r}"
        )


@frozen
class RetryPolicy:
    """How failed requests are retried. All times are in seconds.

    GET, HEAD, PUT and DELETE are retried after connection failures, timeouts, truncated bodies, 408, 429, 500, 502, 503
    and 504; POST and PATCH only after a 429, or if the request was never sent.
    """

    attempts: int = field(default=5, validator=_check_count)
    """Attempts of one call, the first included; 1 disables retries."""

    initial_delay: float = field(default=0.5, validator=_check_seconds)
    """Upper bound of the first delay; it doubles with each retry. The delay itself is random below the bound."""

    max_delay: float = field(default=20.0, validator=_check_seconds)
    """Largest upper bound of a delay."""

    max_wait: float = field(default=120.0, validator=_check_seconds)
    """Longest wait that a server may ask for; a longer one raises the error at once."""

    deadline: float | None = field(default=None, validator=valid.optional(_check_positive))
    """Limit of a whole call with all its attempts and delays. None: unlimited."""

    answer_deadline: float | None = field(default=None, validator=valid.optional(_check_positive))
    """Like `deadline`, but only time without an answer counts: neither waits for the rate limit, nor a streamed body
    that has begun. A request of another method than GET and HEAD that was sent is not aborted."""

    def delays(self) -> Iterator[float]:
        """Yield the delay before each retry: exponential, with full jitter."""
        bound = min(self.max_delay, self.max_wait)
        if not (self.initial_delay and bound):
            return repeat(0.0)
        import backoff  # with the first call, so that importing the client stays fast

        bounds = backoff.expo(factor=self.initial_delay, max_value=bound)
        next(bounds)  # backoff expects generators to be primed
        return map(backoff.full_jitter, bounds)

    def delay(self, retry: int) -> float:
        """Return the delay before one retry, counted from 1, as `delays` would yield it."""
        return next(islice(self.delays(), retry - 1, None))


@define(eq=False)
class RetryBudget:
    """Limits the retries of a client, so that an outage does not multiply its requests.

    A retry costs one, a success adds one. A retry after a 429 costs nothing.
    """

    capacity: int = 100
    left: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.left = self.capacity

    def spend(self) -> bool:
        """Take one from the budget; return whether there was one left."""
        if self.left == 0:
            return False
        self.left -= 1
        return True

    def earn(self) -> None:
        """Add one, up to the capacity."""
        if self.left < self.capacity:
            self.left += 1


class RetrySchedule:
    """Decides whether and when one call is retried."""

    __slots__ = ("_budget", "_delays", "_method", "_policy", "attempts")

    def __init__(self, policy: RetryPolicy, budget: RetryBudget, method: str) -> None:
        self._policy = policy
        self._budget = budget
        self._method = method
        self._delays = policy.delays()
        self.attempts: int = 1
        """Attempts so far, the one in flight included."""

    def next_delay(self, error: CircleCIError, *, time_left: float | None) -> float | None:
        """Return the seconds to wait before the next attempt, or None if the error is final.

        `time_left`: seconds until the deadline of the call, or None without one.
        """
        if self.attempts >= self._policy.attempts or not should_retry(error, self._method):
            return None
        asked: float | None = getattr(error, "retry_after", None)
        if asked and asked > self._policy.max_wait:
            return None
        delay = asked or next(self._delays)
        if time_left is not None and delay >= time_left:
            return None
        if not isinstance(error, RateLimited) and not self._budget.spend():
            return None
        self.attempts += 1
        return delay


def should_retry(error: Exception, method: str) -> bool:
    """Return whether the request that failed with this error may be sent again by the same call.

    POST and PATCH: only after a 429, or if the request was never sent. A `DownloadError` has used up its own attempts;
    a `PoolTimeout` would wait again, and a response that was too large would be too large again.
    """
    if isinstance(error, RateLimited):
        return True
    if isinstance(error, ResponseTooLarge):
        return False
    if isinstance(error, TransportError):
        return (method in IDEMPOTENT or not error.sent) and not isinstance(error, DownloadError | PoolTimeout)
    return method in IDEMPOTENT and isinstance(error, ApiError) and _is_transient_status(error)


def is_transient(error: Exception) -> bool:
    """Return whether the same GET may succeed later. Polling and harvests tolerate such errors for a while.

    Besides what a call retries: responses that are not the API's, such as an HTML page from a proxy in front of it.
    """
    if isinstance(error, ApiError):
        return isinstance(error, RateLimited) or _is_transient_status(error) or _is_proxy_page(error)
    if isinstance(error, StoreError):
        return error.status is None or error.status in TRANSIENT or error.status == HTTPStatus.TOO_MANY_REQUESTS
    return isinstance(error, TransportError | DecodeError) and not isinstance(error, ResponseTooLarge)


def _is_transient_status(error: ApiError) -> bool:
    # Storage that an artifact's address redirects to answers 400 or 403 when the signature has expired.
    return error.status in TRANSIENT or (error.redirected and error.status in {400, 403})


def _is_proxy_page(error: ApiError) -> bool:
    return error.status == HTTPStatus.FORBIDDEN and error.body.lstrip()[:1] == "<"
