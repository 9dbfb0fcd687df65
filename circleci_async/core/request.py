"""One request with its retries, until its deadline."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TypeVar
from urllib.parse import urlsplit

from attrs import frozen

from ..config.log import log
from ..config.redacted import Redacted, reveal
from ..errors import (
    ApiError,
    CircleCIError,
    ConfigurationError,
    InvalidArgument,
    RateLimited,
    RequestTimeout,
    TransportError,
)
from .arguments import is_number
from .attempts import AttemptObserver, AttemptSpan, OnAttempt, check_hook
from .capture import CallRecorder, captures
from .deletion import may_be_done
from .lifetime import CLOSED
from .limiter import Permit, WaitLimit, next_sequence
from .response import Response
from .retry import RetryPolicy, RetrySchedule
from .state import ClientState
from .unreachable import no_answer

T = TypeVar("T")

SAFE = frozenset({"GET", "HEAD"})
"""Methods whose request can be aborted: it changes nothing."""


@frozen
class RequestOptions:
    """The options of calls. `with_options` can change all but `min_speed`."""

    timeout: float
    """Seconds for one attempt."""
    retry: RetryPolicy
    on_attempt: OnAttempt | None = None
    min_speed: float | None = 1024.0
    """Bytes per second below which a body that is read in parts counts as interrupted; None: no limit."""

    def __attrs_post_init__(self) -> None:
        try:
            is_valid = 0 < self.timeout < math.inf
        except TypeError:
            is_valid = False
        if not is_valid:
            raise InvalidArgument(f"timeout must be a positive number of seconds, got {self.timeout!r}")
        if self.min_speed is not None and not (is_number(self.min_speed) and 0 <= self.min_speed < math.inf):
            raise InvalidArgument(
                f"min_speed must be a non-negative number of bytes per second or None, got {self.min_speed!r}"
            )
        if self.on_attempt is not None:
            check_hook(self.on_attempt)


class Request:
    """One request: its deadline, which starts now, and its attempts.

    `isolated_limit`: a 429 concerns this request alone and pauses no other. `extra_headers`: headers that are sent to
    the origin of `url` only.
    Raises `ConfigurationError` if the client is closed or belongs to another event loop or process.
    """

    __slots__ = (
        "_answer_by",
        "_is_answered",
        "_isolated_limit",
        "_observer",
        "_policy",
        "_schedule",
        "_sequence",
        "_state",
        "_timeout",
        "_timer",
        "_wait_limit",
        "body",
        "deadline",
        "extra_headers",
        "is_repeated",
        "method",
        "recorder",
        "url",
    )

    def __init__(
        self,
        state: ClientState,
        options: RequestOptions,
        method: str,
        url: str | Redacted[str],
        *,
        isolated_limit: bool = False,
        body: Redacted[bytes] | None = None,
        extra_headers: Redacted[Mapping[str, str]] | None = None,
    ) -> None:
        self.url: str = reveal(url)
        del url  # it can be signed: an attribute holds it, so that no local variable does
        state.lifetime.check()
        self._state = state
        self._policy = policy = options.retry
        self._timeout = options.timeout
        self._isolated_limit = isolated_limit
        self._schedule: RetrySchedule | None = None
        self.method: str = method
        self.body: Redacted[bytes] | None = body
        self.is_repeated: bool = False
        """Whether an earlier attempt may have been carried out, although it failed."""
        self.extra_headers: Redacted[Mapping[str, str]] | None = extra_headers
        found = captures()
        self.recorder: CallRecorder | None = CallRecorder(found, state.credentials, method) if found else None
        self.deadline: float | None = None
        if policy.deadline:
            self.deadline = asyncio.get_running_loop().time() + policy.deadline
        self._answer_by: float | None = None
        self._is_answered = False
        self._timer: asyncio.Timeout | None = None
        self._sequence = next_sequence()
        self._wait_limit: WaitLimit | None = None
        self._observer = (
            AttemptObserver(
                options.on_attempt,
                state.credentials,
                state.api,
                method,
                self.url,
                self.sent,
                deadline=self.deadline,
            )
            if options.on_attempt
            else None
        )

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run `attempt` until it succeeds or its error is final.

        Raises that error; `RequestTimeout` at the deadline; `ConfigurationError` if the client is closed meanwhile.
        """
        lifetime = self._state.lifetime
        if self._policy.answer_deadline and not self._is_answered:
            self._answer_by = asyncio.get_running_loop().time() + self._policy.answer_deadline
        # closing the client reschedules it
        self._timer = timeout = asyncio.timeout_at(self._abort_at)
        failure = ""
        hint: str | None = None
        self._schedule = None
        self._wait_limit = None  # a body is read by many runs
        recorder = self.recorder
        if recorder is not None:
            recorder.start()
        try:
            async with timeout:
                lifetime.begin(timeout)
                while True:
                    try:
                        return await attempt()
                    except (ApiError, TransportError) as error:
                        delay = self._delay_after(error)
                        if delay is None:
                            raise
                        failure, hint, is_limited = _summary(error), error.hint, isinstance(error, RateLimited)
                    if delay:
                        with self.waiting_for_rate_limit() if is_limited else nullcontext():
                            await self._sleep(delay, failure)
        except TimeoutError:
            if not timeout.expired():
                raise
        finally:
            lifetime.end(timeout)
            if recorder is not None:
                recorder.end(self._retries.attempts)
        if lifetime.has_ended:
            raise ConfigurationError(CLOSED)
        raise self._deadline_exceeded(failure, hint)

    @property
    def sent(self) -> int:
        """Bytes of the body."""
        return 0 if self.body is None else len(self.body.reveal())

    def span(self) -> AttemptSpan | None:
        """Start an attempt, after the limiter admitted it. None without an `on_attempt` function."""
        return None if self._observer is None else self._observer.start()

    def apply_rate_limit(self, response: Response, permit: Permit) -> None:
        """Apply the rate limit that a response states to the limiter of the client."""
        refused = response.status == 429
        self._state.stats.rate_limited += refused
        if self._isolated_limit or not response.is_trusted:
            return  # its own quota, or that of a storage
        self._state.limiter.apply_rate_limit(response.rate_limit, permit, refused=refused)

    @property
    def wait_limit(self) -> WaitLimit:
        """How long this run may wait for a permit, and how long it has waited."""
        if self._wait_limit is None:
            self._wait_limit = WaitLimit(
                self._policy.max_wait,
                self.deadline,
                self._sequence,
                self._timeout,
                method=self.method,
                url=self.url,
                attempts=self._policy.attempts,
            )
        return self._wait_limit

    @contextmanager
    def waiting_for_rate_limit(self) -> Generator[None]:
        """Exclude the time until the end of the block from the answer deadline."""
        timer, began = self._timer, asyncio.get_running_loop().time()
        if self._answer_by is None or timer is None:
            yield
            return
        self._reschedule(timer, self.deadline)
        try:
            yield
        finally:
            self._answer_by += asyncio.get_running_loop().time() - began
            self._reschedule(timer, self._abort_at)

    def answered(self) -> None:
        """Note that a streamed body has begun: the answer deadline does not apply from now on."""
        self._is_answered, self._answer_by = True, None
        if self._timer is not None:
            self._reschedule(self._timer, self.deadline)

    def _reschedule(self, timer: asyncio.Timeout, moment: float | None) -> None:
        if not (timer.expired() or self._state.lifetime.has_ended):
            timer.reschedule(moment)

    @property
    def _abort_at(self) -> float | None:
        """When the attempt in flight is aborted."""
        return _earliest(self.deadline, self._answer_by if self.method in SAFE else None)

    def _deadline_exceeded(self, failure: str, hint: str | None) -> RequestTimeout:
        """Return the error, from the failure and the hint of the last attempt, if one has ended."""
        seconds = self._policy.deadline if self._abort_at == self.deadline else self._policy.answer_deadline
        message = f"not completed within the deadline of {seconds:g} s{f': {failure}' if failure else ''}"
        error = RequestTimeout(message, method=self.method, url=self._state.credentials.public_url(self.url))
        error.hint = hint or no_answer(urlsplit(self.url).hostname, "deadline")
        return error

    @property
    def _retries(self) -> RetrySchedule:
        if self._schedule is None:
            self._schedule = RetrySchedule(self._policy, self._state.retry_budget, self.method)
        return self._schedule

    def _delay_after(self, error: ApiError | TransportError) -> float | None:
        """Return the seconds to wait before the next attempt, or None if the error is final."""
        if not error.method:  # raised by the limiter, without the request
            error.method, error.url = self.method, self._state.credentials.public_url(self.url)
        now = asyncio.get_running_loop().time()
        attempts = self._retries.attempts
        end = self.deadline if isinstance(error, RateLimited) else _earliest(self.deadline, self._answer_by)
        delay = self._retries.next_delay(error, time_left=None if end is None else end - now)
        if delay is None:
            return None
        self.wait_limit.attempt = self._retries.attempts
        self._state.stats.retries += 1
        self.is_repeated = self.is_repeated or may_be_done(error)
        failure = _summary(error)
        path = urlsplit(self.url).path
        log.info("%s %s: attempt %d failed (%s), retry in %.2f s", self.method, path, attempts, failure, delay)
        # During a pause of the limiter the request waits there, where it keeps its position.
        return 0.0 if self._is_paused_for(error) else delay

    def _is_paused_for(self, error: CircleCIError) -> bool:
        is_shared = isinstance(error, RateLimited) and not (self._isolated_limit or error.redirected)
        return is_shared and self._state.limiter.is_paused

    async def _sleep(self, delay: float, failure: str) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        stats, monitor = self._state.stats, self._state.waits
        stats.waits += 1
        wait = monitor.begin(self.wait_limit, began, reason=f"retry after {failure}", until=began + delay)
        try:
            await asyncio.sleep(delay)
        finally:
            now = loop.time()
            stats.waited += now - began
            monitor.end(wait, now)


def _earliest(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else min(one, other)


def _summary(error: ApiError | TransportError) -> str:
    return f"status {error.status}" if isinstance(error, ApiError) else error.message
