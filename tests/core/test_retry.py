"""Which failure is tried again, and after how long."""

from typing import Any

import pytest

from circleci_async.core.retry import Budget, RetryPolicy, retrying, should_retry, waits
from circleci_async.errors import (
    ApiError,
    BadRequest,
    CircleCIError,
    InvalidArgument,
    NotFound,
    RateLimited,
    RequestTimeout,
    ServerError,
    TransportError,
)

SAFE = ["GET", "HEAD", "PUT", "DELETE"]
UNSAFE = ["POST", "PATCH"]


def wait_list(
    policy: RetryPolicy, *errors: CircleCIError, budget: Budget | None = None, left: float | None = None
) -> list[float]:
    generator = waits(policy, budget or Budget(), remaining=lambda: left)
    generator.send(None)  # type: ignore[arg-type]  # primes it, as backoff does
    found: list[float] = []
    for error in errors:
        try:
            found.append(generator.send(error))
        except StopIteration:
            break
    return found


@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_repeatable_request_is_tried_again_after_a_transient_status(method: str, status: int) -> None:
    assert should_retry(ServerError(status, "x"), method)


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_post_is_never_tried_again_after_a_transient_status(method: str, status: int) -> None:
    assert not should_retry(ServerError(status, "x"), method)


@pytest.mark.parametrize("method", SAFE + UNSAFE)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 501, 505])
def test_other_statuses_are_final(method: str, status: int) -> None:
    assert not should_retry(ApiError(status, "x"), method)


@pytest.mark.parametrize("method", SAFE + UNSAFE)
def test_429_is_tried_again_for_every_method(method: str) -> None:
    assert should_retry(RateLimited(429, "x"), method)


@pytest.mark.parametrize(
    ("sent", "method", "again"), [(True, "GET", True), (True, "POST", False), (False, "POST", True)]
)
def test_a_post_is_tried_again_only_if_it_never_left(sent: bool, method: str, again: bool) -> None:
    assert should_retry(TransportError("x", sent=sent), method) is again
    assert should_retry(RequestTimeout("x", sent=sent), method) is again


def test_waits_stay_below_a_bound_that_doubles_up_to_the_cap() -> None:
    policy = RetryPolicy(attempts=12, initial_delay=1, max_delay=10)
    for _ in range(50):
        found = wait_list(policy, *[ServerError(500, "x")] * 20)
        assert len(found) == 11
        assert all(0 <= wait <= min(10, 2**n) for n, wait in enumerate(found))


def test_jitter_is_full() -> None:
    policy = RetryPolicy(initial_delay=8, max_delay=8)
    firsts = [wait_list(policy, ServerError(500, "x"))[0] for _ in range(300)]
    assert min(firsts) < 1
    assert max(firsts) > 7


def test_a_great_many_attempts_do_not_overflow() -> None:
    found = wait_list(RetryPolicy(attempts=3000, initial_delay=1, max_delay=2), *[RateLimited(429, "x")] * 3000)
    assert len(found) == 2999


def test_retry_after_is_obeyed_in_full() -> None:
    assert wait_list(RetryPolicy(max_delay=1), RateLimited(429, "x", retry_after=100)) == [100]
    assert wait_list(RetryPolicy(max_delay=1), ServerError(503, "x", retry_after=100)) == [100]


def test_a_longer_wait_than_allowed_ends_the_retries() -> None:
    assert wait_list(RetryPolicy(max_wait=120), RateLimited(429, "x", retry_after=120)) == [120]
    assert wait_list(RetryPolicy(max_wait=120), RateLimited(429, "x", retry_after=120.1)) == []


def test_a_wait_that_would_pass_the_deadline_is_not_begun() -> None:
    assert wait_list(RetryPolicy(), RateLimited(429, "x", retry_after=5), left=5.1) == [5]
    assert wait_list(RetryPolicy(), RateLimited(429, "x", retry_after=5), left=5.0) == []


def test_no_wait_at_all_can_be_asked_for() -> None:
    assert wait_list(RetryPolicy(initial_delay=0, max_delay=0), *[ServerError(500, "x")] * 2) == [0, 0]
    assert wait_list(RetryPolicy(max_wait=0), RateLimited(429, "x", retry_after=0.1)) == []


def test_one_attempt_never_retries() -> None:
    assert wait_list(RetryPolicy(attempts=1), ServerError(500, "x")) == []


def test_an_empty_budget_ends_retries_but_not_obeyed_429s() -> None:
    budget = Budget(capacity=2)
    policy = RetryPolicy(attempts=10)
    assert len(wait_list(policy, *[ServerError(500, "x")] * 9, budget=budget)) == 2
    assert len(wait_list(policy, *[RateLimited(429, "x", retry_after=1)] * 9, budget=budget)) == 9
    budget.earn()
    assert len(wait_list(policy, *[ServerError(500, "x")] * 9, budget=budget)) == 1


def test_the_budget_never_exceeds_its_capacity_nor_falls_below_zero() -> None:
    budget = Budget(capacity=3)
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
def test_a_policy_that_can_not_be_right_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match=name):
        RetryPolicy(**{name: value})


class Recorder:
    def __init__(self) -> None:
        self.waits: list[tuple[str, float, int]] = []

    def __call__(self, error: CircleCIError, seconds: float, attempts: int) -> None:
        self.waits.append((type(error).__name__, seconds, attempts))


async def run(*outcomes: CircleCIError | str, policy: RetryPolicy, method: str = "GET") -> tuple[str, int, Recorder]:
    left = list(outcomes)
    recorder = Recorder()

    async def attempt() -> str:
        outcome = left.pop(0)
        if isinstance(outcome, CircleCIError):
            raise outcome
        return outcome

    result = await retrying(
        attempt,
        policy=policy,
        budget=Budget(),
        again=lambda error: should_retry(error, method),
        remaining=lambda: None,
        on_wait=recorder,
    )
    return result, len(outcomes) - len(left), recorder


QUICK = RetryPolicy(initial_delay=0.0001, max_delay=0.001)


async def test_what_fails_twice_succeeds_the_third_time() -> None:
    result, made, recorder = await run(ServerError(500, "x"), TransportError("y"), "fine", policy=QUICK)
    assert (result, made) == ("fine", 3)
    assert [(name, attempts) for name, _, attempts in recorder.waits] == [("ServerError", 1), ("TransportError", 2)]


async def test_the_last_error_is_raised_as_it_is_without_the_retries_innards() -> None:
    last = ServerError(503, "last")
    with pytest.raises(ServerError) as caught:
        await run(ServerError(500, "x"), last, policy=RetryPolicy(attempts=2, initial_delay=0.0001))
    assert caught.value is last
    assert last.__suppress_context__
    assert last.__cause__ is None


@pytest.mark.parametrize("error", [NotFound(404, "x"), BadRequest(400, "x")])
async def test_a_final_error_is_raised_at_once(error: ApiError) -> None:
    with pytest.raises(type(error)):
        await run(error, "never", policy=QUICK)
