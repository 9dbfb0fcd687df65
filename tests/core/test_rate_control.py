"""The state machine that paces requests, driven by hand."""

import math

import pytest

from circleci_async.core.rate_control import BACKOFF, MARGIN, RECOVERY, Plan, RateControl, Ticket
from circleci_async.core.rate_limit import UNKNOWN


def serve(control: RateControl, now: float) -> Ticket:
    """Send a request that is accepted at once."""
    ticket = control.send(now)
    control.accepted(ticket, now, UNKNOWN)
    control.ended()
    return ticket


def refuse(control: RateControl, now: float, pause: float | None = 1.0) -> float:
    """Send a request that is refused at once; return the pause."""
    ticket = control.send(now)
    pause = control.refused(ticket, now, pause)
    control.ended()
    return pause


def cruising(rate: float = 20.0) -> tuple[RateControl, float]:
    """Return a control that has estimated this rate, and the time at which it resumes."""
    control = RateControl(32)
    for _ in range(5):
        serve(control, 100.0)
    refuse(control, 100.0)
    for number in range(30):
        serve(control, 101.0 + number / rate)
    now = 101.0 + 30 / rate
    for _ in range(5):
        serve(control, now)
    refuse(control, now)
    return control, now + 1.0


def test_a_plan_recovers_holds_and_probes() -> None:
    plan = Plan(start=7, target=10, recovery=6, hold=4, doubling=4)
    assert [plan.pace_at(elapsed) for elapsed in (0, 3, 6, 10, 14, 18)] == [7, 8.5, 10, 10, 20, 40]
    assert [plan.is_probing(elapsed) for elapsed in (5, 9, 11)] == [False, False, True]


def test_it_starts_without_a_pace() -> None:
    control = RateControl(32)
    assert (control.phase, control.pace, control.rate) == ("start", math.inf, None)
    for _ in range(1000):
        serve(control, 100.0)
        assert control.ready_at(100.0) <= 100.0


def test_the_first_refusal_starts_a_search() -> None:
    control = RateControl(32)
    serve(control, 100.0)
    assert refuse(control, 100.0) == 1.0
    assert (control.phase, control.pace, control.rate) == ("search", 8.0, None)
    assert 100.1 <= control.ready_at(100.0) <= 101.0


def test_the_second_refusal_gives_an_estimate() -> None:
    control, _ = cruising(20)
    assert control.phase == "cruise"
    assert control.rate == pytest.approx(20, rel=0.2)
    assert control.pace == pytest.approx(MARGIN * (control.rate or 0))


def test_an_unexpected_refusal_reduces_the_pace_for_some_seconds() -> None:
    control, now = cruising(20)
    before = control.rate or 0.0
    for number in range(40):
        serve(control, now + number / 10)
    refuse(control, now + 4)
    after = control.rate or 0.0
    assert 0.9 * before <= after <= before
    assert control.pace <= BACKOFF * before
    moment = control.ready_at(now + 4)
    end = moment + RECOVERY + 2
    while moment < end:
        serve(control, moment)
        moment = control.ready_at(moment)
    assert control.pace == pytest.approx(MARGIN * after)


def test_refusals_of_requests_sent_before_the_refusal_are_the_same_event() -> None:
    control = RateControl(32)
    tickets = [control.send(100.0) for _ in range(8)]
    for ticket in tickets[:5]:
        control.accepted(ticket, 100.1, UNKNOWN)
    for ticket in tickets[5:]:
        control.refused(ticket, 100.1, 1.0)
    assert (control.phase, control.pace) == ("search", 8.0)


def test_repeated_refusals_without_retry_after_double_the_pause_up_to_a_limit() -> None:
    control = RateControl(32)
    pauses = [refuse(control, 100.0 + number, pause=None) for number in range(10)]
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 16, 20, 20, 20]


def test_one_request_is_in_flight_after_a_refusal_until_one_is_accepted() -> None:
    control = RateControl(32)
    refuse(control, 100.0)
    refuse(control, 101.0)
    ticket = control.send(110.0)
    assert control.ready_at(200.0) == math.inf
    control.accepted(ticket, 110.0, UNKNOWN)
    assert control.ready_at(200.0) < 200.0


def test_the_hold_lasts_only_while_the_pace_limits_the_requests() -> None:
    control, now = cruising(20)
    pace = control.pace
    for number in range(100):
        serve(control, now + 5 * number)
    assert control.pace == pace
