"""When the next poll is due, and which failures polling tolerates."""

import math
from typing import Any

import pytest

from circleci_async.core import polling
from circleci_async.core.polling import PollSchedule, check_interval
from circleci_async.errors import (
    BadRequest,
    CircleCIError,
    DecodeError,
    InvalidArgument,
    NotFound,
    RateLimited,
    ServerError,
    TransportError,
)

DOWN = ServerError(503, "down")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schedule(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> PollSchedule:
    monkeypatch.setattr("random.random", lambda: 0.0)
    return PollSchedule((2.0, 30.0), clock=clock)


@pytest.mark.parametrize("interval", [(1, 1), (0.5, 30.0), [2, 3]])
def test_an_interval_is_two_positive_numbers_the_smaller_first(interval: Any) -> None:
    assert check_interval(interval) == tuple(interval)


@pytest.mark.parametrize(
    "interval",
    [None, 5, "12", (1,), (1, 2, 3), (0, 1), (-1, 1), (2, 1), (1, math.inf), (1, math.nan), (True, 2), ("1", "2")],
    ids=repr,
)
def test_another_interval_is_refused(interval: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_interval(interval)
    assert str(caught.value) == f"interval must be two positive numbers of seconds, the smaller first, got {interval!r}"


def test_delays_grow_by_half_until_the_end_of_the_interval(schedule: PollSchedule) -> None:
    assert [schedule.next_delay() for _ in range(9)] == pytest.approx(
        [2, 3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30]
    )


def test_jitter_shortens_each_delay_but_the_first_by_a_fifth_at_most(
    schedule: PollSchedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    assert [schedule.next_delay() for _ in range(3)] == pytest.approx([2, 3 * 0.8, 4.5 * 0.8])


def test_a_change_restarts_the_delays(schedule: PollSchedule) -> None:
    schedule.next_delay()
    schedule.succeeded()
    assert schedule.next_delay() == 3
    schedule.succeeded(changed=True)
    assert schedule.next_delay() == 2


def test_the_interval_can_be_replaced_meanwhile(schedule: PollSchedule) -> None:
    schedule.next_delay()
    schedule.interval = (5.0, 6.0)
    assert [schedule.next_delay() for _ in range(3)] == [5, 6, 6]


def test_a_delay_can_be_bounded(schedule: PollSchedule) -> None:
    assert schedule.next_delay(at_most=0.5) == 0.5
    assert schedule.next_delay(at_most=10) == 3


def test_retry_after_is_the_lower_bound_of_the_next_delay(schedule: PollSchedule, clock: Clock) -> None:
    assert schedule.failed(RateLimited(429, "slow down", retry_after=60.0))
    clock.now += 10
    assert schedule.next_delay(at_most=1) == 50
    clock.now += 50
    assert schedule.next_delay() == 3
    assert schedule.failed(DOWN)
    assert schedule.not_before == clock.now


@pytest.mark.parametrize(
    ("error", "is_tolerated", "if_seen_before"),
    [
        (DOWN, True, True),
        (RateLimited(429, "slow down"), True, True),
        (TransportError("no connection"), True, True),
        (DecodeError(("$: not JSON",)), True, True),
        (NotFound(404, "no such thing"), False, True),
        (BadRequest(400, "no"), False, False),
        (CircleCIError("something else"), False, False),
    ],
    ids=lambda each: type(each).__name__,
)
def test_transient_failures_and_the_absence_of_what_was_seen_are_tolerated(
    schedule: PollSchedule, error: CircleCIError, is_tolerated: bool, if_seen_before: bool
) -> None:
    assert schedule.failed(error) is is_tolerated
    assert schedule.failed(error, seen_before=True) is if_seen_before


def test_failures_are_tolerated_up_to_their_maximum_number_and_time(schedule: PollSchedule, clock: Clock) -> None:
    clock.now += 1
    assert schedule.failed(DOWN)
    clock.now += polling.MAX_OUTAGE
    for _ in range(polling.MAX_FAILURES - 1):  # all at the end of it
        assert schedule.failed(DOWN)
    assert not schedule.failed(DOWN)


def test_many_failures_within_the_outage_are_tolerated(schedule: PollSchedule, clock: Clock) -> None:
    for _ in range(100):
        assert schedule.failed(DOWN)
    clock.now += polling.MAX_OUTAGE - 0.1
    assert schedule.failed(DOWN)
    clock.now += 0.1
    assert not schedule.failed(DOWN)


def test_a_success_ends_an_outage(schedule: PollSchedule, clock: Clock) -> None:
    for _ in range(10):
        schedule.failed(DOWN)
    clock.now += polling.MAX_OUTAGE
    schedule.succeeded()
    assert schedule.failures == 0
    for _ in range(10):
        assert schedule.failed(DOWN)


def test_the_longest_outage_is_read_at_each_failure(
    schedule: PollSchedule, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        schedule.failed(DOWN)
    clock.now += 5
    assert schedule.failed(DOWN)
    monkeypatch.setattr(polling, "MAX_OUTAGE", 5.0)
    assert not schedule.failed(DOWN)


async def test_the_clock_is_the_event_loops_by_default() -> None:
    schedule = PollSchedule((1.0, 1.0))
    assert schedule.failed(RateLimited(429, "slow down", retry_after=60.0))
    assert 59 < schedule.next_delay() <= 60
