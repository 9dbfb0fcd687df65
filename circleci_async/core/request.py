"""One call: its deadline, its attempts, and the place it has in its client's lifetime."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from attrs import frozen

from ..errors import (
    ApiError,
    CircleCIError,
    ConfigurationError,
    InvalidArgument,
    RateLimited,
    RequestTimeout,
)
from .attempts import UNOBSERVED, Observation, Observer, OnAttempt, check_hook
from .lifetime import CLOSED
from .limiter import Patience
from .retry import RetryPolicy, retrying, should_retry
from .state import ClientState

T = TypeVar("T")

log = logging.getLogger("circleci_async")


@frozen
class RequestOptions:
    """What may differ from call to call."""

    timeout: float
    """Seconds for one attempt."""
    retry: RetryPolicy
    on_attempt: OnAttempt | None = None

    def __attrs_post_init__(self) -> None:
        try:
            is_time = 0 < self.timeout < math.inf
        except TypeError:
            is_time = False
        if not is_time:
            raise InvalidArgument(f"timeout={self.timeout!r}: give a number of seconds above 0")
        if self.on_attempt is not None:
            check_hook(self.on_attempt)


class Call:
    """One call: its deadline, and the retries until then. Raises `ConfigurationError` if it may not begin (`Lifetime`).

    `isolated_limit`: a 429 is about this call alone. `sent`: the bytes of its body.
    """

    def __init__(
        self,
        core: ClientState,
        options: RequestOptions,
        method: str,
        url: str,
        *,
        isolated_limit: bool = False,
        sent: int = 0,
    ) -> None:
        core.lifetime.check()
        self._core = core
        self._policy = policy = options.retry
        self._method = method
        self.url = url
        self._own_limit = isolated_limit
        self.until = asyncio.get_running_loop().time() + policy.deadline if policy.deadline else None
        self.patience = Patience(policy.max_wait, self.until)
        self._goes_on = 0.0  # when the last wait for another attempt ends, in the event loop's time
        self._observer = (
            Observer(options.on_attempt, core.transport, core.api, method, url, sent) if options.on_attempt else None
        )

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run `attempt`, again and again as the retry policy allows.

        Raises `RequestTimeout` at the deadline, `ConfigurationError` when the client is closed meanwhile.
        """
        lifetime = self._core.lifetime
        bound = asyncio.timeout_at(self.until)  # closing the client moves it to now
        try:
            async with bound:
                lifetime.begin(bound)
                return await self._retry(attempt)
        except TimeoutError:
            if not bound.expired():
                raise
        finally:
            lifetime.end(bound)
            if self._goes_on and (unspent := self._goes_on - asyncio.get_running_loop().time()) > 0:
                self._core.stats.waited -= unspent  # cut short
        if lifetime.has_ended:
            raise ConfigurationError(CLOSED)
        message = f"not done within the deadline of {self._policy.deadline:g} s"
        raise RequestTimeout(message, method=self._method, url=self._core.transport.public(self.url))

    def observe(self) -> Observation:
        """Begin an attempt, which the gate has let out: `with` it, or `end()` it."""
        return self._observer.begin() if self._observer is not None else UNOBSERVED

    async def _retry(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            return await retrying(
                attempt,
                policy=self._policy,
                budget=self._core.budget,
                again=self._again,
                remaining=self._remaining,
                is_held=self._is_held,
                on_wait=self._on_wait,
            )
        except RateLimited as error:
            if not error.method:  # the gate's own, which knows of no request
                error.method, error.url = self._method, self._core.transport.public(self.url)
            raise

    def _again(self, error: Exception) -> bool:
        return should_retry(error, self._method)

    def _is_held(self, error: CircleCIError) -> bool:
        # It waits there, where its turn is kept: those who came later would be let out before it woke up here.
        return self._concerns_all(error) and self._core.gate.is_closed

    def _concerns_all(self, error: CircleCIError) -> bool:
        return isinstance(error, RateLimited) and not (self._own_limit or error.redirected)

    def _remaining(self) -> float | None:
        return None if self.until is None else self.until - asyncio.get_running_loop().time()

    def _on_wait(self, error: CircleCIError, seconds: float, attempts: int) -> None:
        core = self._core
        core.stats.retries += 1
        if self._concerns_all(error) and isinstance(error, RateLimited) and not error.retry_after:
            core.gate.close_for(seconds, refused=True)  # the server did not say for how long
        path = urlsplit(self.url).path
        failure = f"status {error.status}" if isinstance(error, ApiError) else error.message
        wait = seconds or getattr(error, "retry_after", None) or 0.0
        log.info("%s %s: attempt %d failed (%s), next in %.2f s", self._method, path, attempts, failure, wait)
        if seconds:  # otherwise the gate counts how long it holds this call back
            core.stats.waits += 1
            core.stats.waited += seconds
            self._goes_on = asyncio.get_running_loop().time() + seconds
