"""Which failure is tried again, and after how long. No I/O and no clock of its own; the only importer of backoff."""

import random
from collections.abc import Awaitable, Callable, Generator
from http import HTTPStatus
from typing import Any, TypeVar, cast

import backoff
from attrs import field, frozen
from attrs import validators as valid

from ..errors import (
    ApiError,
    CircleCIError,
    DecodeError,
    DownloadError,
    InvalidArgument,
    RateLimited,
    TransportError,
)

T = TypeVar("T")

REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods that may reach the server twice without harm."""

TRANSIENT = frozenset({408, 500, 502, 503, 504})
"""Statuses that a repeatable request is tried again after. 429 is another matter: it says that nothing was done."""


def _seconds(policy: object, attribute: Any, value: float) -> None:
    if not value >= 0:
        raise InvalidArgument(f"RetryPolicy({attribute.name}={value!r}): give seconds, 0 or more")


def _positive(policy: object, attribute: Any, value: float) -> None:
    if not value > 0:
        raise InvalidArgument(f"RetryPolicy({attribute.name}={value!r}): give seconds above 0, or None for no bound")


def _whole(policy: object, attribute: Any, value: object) -> None:
    if type(value) is not int or value < 1:
        raise InvalidArgument(
            f"RetryPolicy({attribute.name}={value!r}): give a whole number from 1, which never retries"
        )


@frozen
class RetryPolicy:
    """How failures are tried again (all times in seconds).

    What is tried again: GET, HEAD, PUT and DELETE after a failure of the network, a timeout, 408, 429, 500, 502, 503
    or 504; POST and PATCH only after 429, or when the request never left this machine.
    """

    attempts: int = field(default=5, validator=_whole)
    """Attempts of one call, the first included; 1 never retries."""

    initial_delay: float = field(default=0.5, validator=_seconds)
    """Upper bound of the first wait; it doubles with each further one. The wait itself is random below the bound."""

    max_delay: float = field(default=20.0, validator=_seconds)
    """The bound never exceeds this."""

    max_wait: float = field(default=120.0, validator=_seconds)
    """A longer wait asked for by the server is not made: the error is raised at once."""

    deadline: float | None = field(default=None, validator=valid.optional(_positive))
    """Bound of a whole call, all attempts and waits included. None: no bound."""

    def delay(self, retry: int) -> float:
        """Return the seconds to wait before a retry, counted from 1: random, below a bound that doubles each time."""
        bound = min(self.max_delay, self.initial_delay * 2.0 ** min(retry - 1, 64))
        return random.uniform(0, bound)  # full jitter


class Budget:
    """What a session may spend on retries, so that an outage is not answered with a storm.

    A retry costs one; a call that succeeds gives one back. 429s that are obeyed cost nothing.
    """

    def __init__(self, capacity: int = 100) -> None:
        self.capacity = capacity
        self.left = capacity

    def spend(self) -> bool:
        """Take one from the budget; say whether there was one left."""
        if self.left == 0:
            return False
        self.left -= 1
        return True

    def earn(self) -> None:
        """Give one back."""
        self.left = min(self.capacity, self.left + 1)


def should_retry(error: Exception, method: str) -> bool:
    """Return whether the request that failed with this error may be sent again by the same call.

    POST and PATCH: only after a 429, or if the request was never sent. A `DownloadError` has used up its own attempts.
    """
    if isinstance(error, RateLimited):
        return True
    if isinstance(error, TransportError):
        return (method in REPEATABLE or not error.sent) and not isinstance(error, DownloadError)
    return method in REPEATABLE and isinstance(error, ApiError) and _is_transient_status(error)


def is_transient(error: Exception) -> bool:
    """Return whether reading the same thing later may succeed: what polling and harvests tolerate for a while.

    Besides what a call retries: responses that are not the API's, such as an HTML page from a proxy in front of it.
    """
    if isinstance(error, ApiError):
        return isinstance(error, RateLimited) or _is_transient_status(error) or _is_proxy_page(error)
    return isinstance(error, TransportError | DecodeError)


def _is_transient_status(error: ApiError) -> bool:
    # Storage that an artifact's address redirects to answers 400 or 403 when the signature has expired.
    return error.status in TRANSIENT or (error.redirected and error.status in {400, 403})


def _is_proxy_page(error: ApiError) -> bool:
    return error.status == HTTPStatus.FORBIDDEN and error.body.lstrip()[:1] == "<"


def _never(error: CircleCIError) -> bool:
    return False


def waits(
    policy: RetryPolicy,
    budget: Budget,
    *,
    remaining: Callable[[], float | None],
    is_held: Callable[[CircleCIError], bool] = _never,
) -> Generator[float, CircleCIError, None]:
    """Yield the seconds to wait after each error sent in; return when there is to be no further attempt.

    `remaining` tells the seconds left until the deadline of the call, or None without one. `is_held` says of an error
    whether something else holds the next attempt back for as long as was asked, so that there is nothing to wait here.
    """
    error = yield 0.0  # backoff primes the generator and drops this value
    for n in range(policy.attempts - 1):
        asked = getattr(error, "retry_after", None)
        if asked:
            if asked > policy.max_wait:
                return
            wait = asked
        else:
            bound = min(policy.max_delay, policy.max_wait, policy.initial_delay * 2.0 ** min(n, 64))
            wait = random.uniform(0, bound)  # full jitter
        left = remaining()
        if left is not None and wait >= left:
            return
        if not isinstance(error, RateLimited) and not budget.spend():
            return
        error = yield 0.0 if asked and is_held(error) else wait


async def retrying(
    attempt: Callable[[], Awaitable[T]],
    *,
    policy: RetryPolicy,
    budget: Budget,
    again: Callable[[Exception], bool],
    remaining: Callable[[], float | None],
    on_wait: Callable[[CircleCIError, float, int], None],
    is_held: Callable[[CircleCIError], bool] = _never,
) -> T:
    """Run `attempt` until it succeeds, `again` says no, or the policy gives up; the last error is raised.

    `on_wait(error, seconds, attempts_so_far)` is called before each wait.
    """
    try:  # first without backoff, which costs more than all else here, and most calls need it not
        return await attempt()
    except (ApiError, TransportError) as error:
        if not again(error):
            raise
        failed: CircleCIError | None = error

    async def next_attempt() -> T:
        nonlocal failed
        if failed is not None:
            error, failed = failed, None
            raise error  # the first attempt, told again
        return await attempt()

    def note_wait(details: Any) -> None:
        on_wait(details["exception"], details["wait"], details["tries"])

    def hide_context(details: Any) -> None:
        # backoff raises the error while it handles the generator's StopIteration, which is nobody's business.
        details["exception"].__suppress_context__ = True

    run: Any = backoff.on_exception(
        # backoff's types know no generator that is sent to.
        cast(Any, lambda: waits(policy, budget, remaining=remaining, is_held=is_held)),
        (ApiError, TransportError),
        giveup=lambda error: not again(error),
        jitter=None,  # the generator has its own, and Retry-After must not be shortened
        logger=None,
        on_backoff=note_wait,
        on_giveup=hide_context,
    )(cast(Any, next_attempt))
    result: T = await run()
    return result
