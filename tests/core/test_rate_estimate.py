"""The rate and the burst of a bucket, from the requests that it accepted and refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_async.core.rate_estimate import estimate_burst, estimate_rate, replay


def accepted_by(rate: float, burst: int, moments: list[float], tokens: float) -> tuple[list[float], float]:
    """Return the requests that a bucket accepts, and the time of the first that it refuses."""
    accepted: list[float] = []
    last = 0.0
    for moment in moments:
        tokens = min(burst, tokens + rate * (moment - last))
        last = moment
        if tokens < 1:
            return accepted, moment
        tokens -= 1
        accepted.append(moment)
    raise AssertionError("nothing was refused")


def test_replay_returns_the_peak_and_the_level_at_the_end() -> None:
    peak, taken = replay([0.0, 0.0, 0.0, 1.0], rate=2, since=0, taken=0, until=1.25)
    assert (peak, taken) == (3, 1.5)


def test_replay_starts_with_what_is_already_taken() -> None:
    assert replay([1.0], rate=2, since=0, taken=5, until=1) == (4, 4)


def test_a_bucket_is_never_more_than_full() -> None:
    assert replay([100.0], rate=2, since=0, taken=5, until=100) == (1, 1)


@pytest.mark.parametrize(("sends", "burst"), [([], 1), ([0.0], 1), ([0.0] * 7, 7), ([0.0] * 5 + [0.1, 0.2], 5)])
def test_the_burst_is_what_a_full_bucket_accepted_beyond_its_rate(sends: list[float], burst: float) -> None:
    assert estimate_burst(sends, rate=10, until=0.2) == burst


@given(rate=st.floats(1, 200), burst=st.integers(1, 100), pause=st.floats(0.1, 3))
def test_two_refusals_give_the_rate(rate: float, burst: int, pause: float) -> None:
    pace, moment = rate / 4, pause
    moments: list[float] = []
    while len(moments) < 2000:  # a search
        moments.append(moment)
        moment += 1 / pace
        pace = min(1.05 * pace, 4 * rate)
    sends, refused_at = accepted_by(rate, burst, moments, tokens=0.0)
    if len(sends) < 10:
        return
    estimate = estimate_rate(sends, burst=burst, since=0.0, until=refused_at)
    assert 0.85 * rate <= estimate <= 1.05 * rate
