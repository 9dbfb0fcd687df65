"""Which failures are retried, and after which delay."""

import re
from typing import Any

import pytest

from circleci_async.core.retry import RetryBudget, RetryPolicy, RetrySchedule, is_transient, should_retry
from circleci_async.errors import (
    ApiError,
    BadRequest,
    CircleCIError,
    DecodeError,
    DownloadInterrupted,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestTimeout,
    ServerError,
    TransportError,
)

SAFE = ["GET", "HEAD", "PUT", "DELETE"]
UNSAFE = ["POST", "PATCH"]


def delays_after(
    policy: RetryPolicy, *errors: CircleCIError, budget: RetryBudget | None = None, time_left: float | None = None
) -> list[float]:
    """Return the delays of a GET that fails with these errors one after another, until one is final."""
    schedule = RetrySchedule(policy, budget or RetryBudget(), "GET")
    delays: list[float] = []
    for error in errors:
        delay = schedule.next_delay(error, time_left=time_left)
        if delay is None:
            break
        delays.append(delay)
    return delays


@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_an_idempotent_request_is_retried_after_a_transient_status(method: str, status: int) -> None:
    assert should_retry(ServerError(status, "x"), method)


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_post_and_patch_are_not_retried_after_a_transient_status(method: str, status: int) -> None:
    assert not should_retry(ServerError(status, "x"), method)


@pytest.mark.parametrize("method", SAFE + UNSAFE)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 501, 505])
def test_other_statuses_are_final(method: str, status: int) -> None:
    assert not should_retry(ApiError(status, "x"), method)


@pytest.mark.parametrize("method", SAFE + UNSAFE)
def test_a_429_is_retried_for_every_method(method: str) -> None:
    assert should_retry(RateLimited(429, "x"), method)


@pytest.mark.parametrize(
    ("sent", "method", "retried"), [(True, "GET", True), (True, "POST", False), (False, "POST", True)]
)
def test_a_post_is_retried_only_if_it_was_never_sent(sent: bool, method: str, retried: bool) -> None:
    assert should_retry(TransportError("x", sent=sent), method) is retried
    assert should_retry(RequestTimeout("x", sent=sent), method) is retried


def test_delays_stay_below_a_bound_that_doubles_up_to_max_delay() -> None:
    policy = RetryPolicy(attempts=12, initial_delay=1, max_delay=10)
    for _ in range(50):
        delays = delays_after(policy, *[ServerError(500, "x")] * 20)
        assert len(delays) == 11
        assert all(0 <= wait <= min(10, 2**n) for n, wait in enumerate(delays))


def test_jitter_is_full() -> None:
    policy = RetryPolicy(initial_delay=8, max_delay=8)
    firsts = [delays_after(policy, ServerError(500, "x"))[0] for _ in range(300)]
    assert min(firsts) < 1
    assert max(firsts) > 7


def test_thousands_of_attempts_do_not_overflow() -> None:
    delays = delays_after(RetryPolicy(attempts=3000, initial_delay=1, max_delay=2), *[RateLimited(429, "x")] * 3000)
    assert len(delays) == 2999


def test_retry_after_is_never_shortened() -> None:
    assert delays_after(RetryPolicy(max_delay=1), RateLimited(429, "x", retry_after=100)) == [100]
    assert delays_after(RetryPolicy(max_delay=1), ServerError(503, "x", retry_after=100)) == [100]


def test_a_retry_after_above_max_wait_is_final() -> None:
    assert delays_after(RetryPolicy(max_wait=120), RateLimited(429, "x", retry_after=120)) == [120]
    assert delays_after(RetryPolicy(max_wait=120), RateLimited(429, "x", retry_after=120.1)) == []


def test_a_delay_beyond_the_deadline_is_final() -> None:
    assert delays_after(RetryPolicy(), RateLimited(429, "x", retry_after=5), time_left=5.1) == [5]
    assert delays_after(RetryPolicy(), RateLimited(429, "x", retry_after=5), time_left=5.0) == []


def test_a_policy_can_allow_no_delay() -> None:
    assert delays_after(RetryPolicy(initial_delay=0, max_delay=0), *[ServerError(500, "x")] * 2) == [0, 0]
    assert delays_after(RetryPolicy(max_wait=0), RateLimited(429, "x", retry_after=0.1)) == []


def test_one_attempt_is_not_retried() -> None:
    assert delays_after(RetryPolicy(attempts=1), ServerError(500, "x")) == []


def test_an_empty_budget_ends_retries_except_after_429s() -> None:
    budget = RetryBudget(capacity=2)
    policy = RetryPolicy(attempts=10)
    assert len(delays_after(policy, *[ServerError(500, "x")] * 9, budget=budget)) == 2
    assert len(delays_after(policy, *[RateLimited(429, "x", retry_after=1)] * 9, budget=budget)) == 9
    budget.earn()
    assert len(delays_after(policy, *[ServerError(500, "x")] * 9, budget=budget)) == 1


def test_the_budget_stays_between_zero_and_its_capacity() -> None:
    budget = RetryBudget(capacity=3)
    budget.earn()
    assert [budget.spend() for _ in range(5)] == [True, True, True, False, False]
    assert budget.left == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", 0),
        ("attempts", True),
        ("attempts", 2.5),
        ("initial_delay", -0.1),
        ("max_delay", -1),
        ("max_wait", float("nan")),
        ("deadline", 0),
    ],
)
def test_an_invalid_policy_names_the_argument_and_the_value(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match=rf"RetryPolicy\({name}=\).*{re.escape(repr(value))}"):
        RetryPolicy(**{name: value})


@pytest.mark.parametrize("error", [NotFound(404, "x"), BadRequest(400, "x")])
def test_a_final_error_is_not_retried(error: ApiError) -> None:
    assert delays_after(RetryPolicy(), error) == []


@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize("status", [400, 403])
def test_an_expired_signature_of_a_redirect_target_is_retried(method: str, status: int) -> None:
    error = ApiError(status, "Request has expired")
    assert not should_retry(error, method)
    error.redirected = True
    assert should_retry(error, method)
    assert is_transient(error)


def test_an_interrupted_download_is_transient_but_not_retried_by_its_call() -> None:
    error = DownloadInterrupted("interrupted 5 times")
    assert not should_retry(error, "GET")
    assert is_transient(error)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (DecodeError(("$.id: required, but absent",)), True),
        (RequestTimeout("x"), True),
        (RateLimited(429, "x"), True),
        (ServerError(503, "x"), True),
        (PermissionDenied(403, "x", body=" <html>proxy login</html>"), True),
        (PermissionDenied(403, "x", body='{"message": "no"}'), False),
        (NotFound(404, "x"), False),
        (InvalidArgument("x"), False),
    ],
)
def test_what_polling_and_harvests_tolerate(error: CircleCIError, transient: bool) -> None:
    assert is_transient(error) is transient
