"""Decides what a failure means: one broken item, a host that is down, or the end of the run."""

import asyncio
from enum import Enum

from ..core.retry import RetryPolicy, is_transient
from ..errors import (
    ApiError,
    AuthenticationError,
    CircleCIError,
    ConfigurationError,
    RateLimited,
    StoreError,
    TransportError,
    WorkersError,
)
from .stop_signal import StopSignal

MIN_FAILING = 4
"""Different items that fail in a row, with no success between them, and make an outage."""

MAX_DOWNTIME = 300.0
"""Seconds that an outage is tolerated."""


class RetryDecision(Enum):
    """What to do about a failure."""

    RETRY = "retry"
    """Try again, and count the attempt."""
    RETRY_AFTER_OUTAGE = "retry after the outage"
    """Try again, and do not count the attempt."""
    GIVE_UP = "give up"
    """The item has failed."""
    STOP = "stop"
    """Every further request would fail too."""


class OutageDetector:
    """Classifies the failures of requests to one host.

    While the host seems to be down, `pause` delays all requests, and failures do not count as attempts. An outage that
    exceeds `MAX_DOWNTIME` ends the run. `is_required`: so does a host that has never answered, once all attempts for
    an item have failed, or one has after the policy's `answer_deadline`.
    """

    def __init__(
        self, policy: RetryPolicy, stop: StopSignal, *, attempts: int, requests: str, is_required: bool = False
    ) -> None:
        self._policy = policy
        self._stop = stop
        self._attempts = attempts
        self._requests = requests
        self._is_unreachable = is_required
        self._created_at = asyncio.get_running_loop().time()
        self._failing: set[object] = set()
        self._pauses = 0
        self._paused_until = 0.0
        self._began_at = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the host seems to be down."""
        return len(self._failing) >= MIN_FAILING

    async def pause(self) -> None:
        """Wait until requests may be sent."""
        loop = asyncio.get_running_loop()
        while (seconds := self._paused_until - loop.time()) > 0:  # noqa: ASYNC110  # it can be extended meanwhile
            await asyncio.sleep(seconds)

    def succeeded(self) -> None:
        """Note that the host answered."""
        self._is_unreachable = False
        self._failing.clear()
        self._pauses = 0

    def failed(self, item: object, error: CircleCIError, attempts: int) -> RetryDecision:
        """Note that a request for `item` failed, after `attempts` earlier failures, and return what to do."""
        if is_fatal(error, self._policy):
            return RetryDecision.STOP
        if not is_transient(error):
            if isinstance(error, ApiError):
                self.succeeded()
            return RetryDecision.GIVE_UP
        if not isinstance(error, TransportError):
            self._is_unreachable = False
        if self._is_unreachable:
            if attempts + 1 < self._attempts and not self._is_overdue():
                return RetryDecision.RETRY
            self._stop.fail(error)
            return RetryDecision.STOP
        if self._is_outage(item):
            if asyncio.get_running_loop().time() - self._began_at > MAX_DOWNTIME:
                minutes = round(MAX_DOWNTIME / 60)
                self._stop.fail(error, f"no {self._requests} succeeded for {minutes} minutes: {error}")
            return RetryDecision.RETRY_AFTER_OUTAGE
        return RetryDecision.RETRY if attempts + 1 < self._attempts else RetryDecision.GIVE_UP

    def _is_overdue(self) -> bool:
        deadline = self._policy.answer_deadline
        return deadline is not None and asyncio.get_running_loop().time() >= self._created_at + deadline

    def _is_outage(self, item: object) -> bool:
        now = asyncio.get_running_loop().time()
        if not self._failing:
            self._began_at = now
        if not self.is_on:
            self._failing.add(item)
        if not self.is_on:
            return False
        if now >= self._paused_until:
            self._pauses += 1
            self._paused_until = now + self._policy.delay(self._pauses)
        return True


def is_fatal(error: CircleCIError, policy: RetryPolicy) -> bool:
    """Return whether every further request would fail too: no token, a closed client, a pause
    beyond `max_wait`, a bucket that refuses to be written, no Dask workers."""
    if isinstance(error, RateLimited):
        return (error.retry_after or 0) > policy.max_wait
    if isinstance(error, StoreError):
        return error.is_refused
    return isinstance(error, AuthenticationError | ConfigurationError | WorkersError)
