"""Windows of reports: how they are parsed, split, and mapped to those of the API."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_async import InvalidArgument
from circleci_async.reports.window import MAX_WINDOW, Window, parse_window

NOW = datetime(2026, 11, 28, 8, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("window", "length"),
    [
        ("90d", 90 * DAY),
        ("2w", 14 * DAY),
        (" 12h ", DAY / 2),
        ("30m", timedelta(minutes=30)),
        (timedelta(days=3, seconds=1), timedelta(days=3, seconds=1)),
        (MAX_WINDOW, MAX_WINDOW),
    ],
)
def test_a_length_ends_now(window: Any, length: timedelta) -> None:
    assert parse_window(window, NOW) == Window(NOW - length, NOW)


@pytest.mark.parametrize(
    ("pair", "start", "end"),
    [
        (("2026-09-01", "2026-10-01"), datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)),
        ([date(2026, 9, 1), None], datetime(2026, 9, 1, tzinfo=UTC), NOW),
        (("60d", timedelta(days=30)), NOW - 60 * DAY, NOW - 30 * DAY),
        (("60d", NOW + 300 * DAY), NOW - 60 * DAY, NOW),
        (
            (datetime(2026, 9, 1, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 9, 2)),  # noqa: DTZ001
            datetime(2026, 8, 31, 22, tzinfo=UTC),
            datetime(2026, 9, 2, tzinfo=UTC),
        ),
    ],
)
def test_a_pair_is_a_start_and_an_end_in_utc(pair: Any, start: datetime, end: datetime) -> None:
    found = parse_window(pair, NOW)
    assert (found, found.start.tzinfo, found.end.tzinfo) == (Window(start, end), UTC, UTC)


FORMS = (
    "window must be a length such as '90d', '2w' or '12h', a positive timedelta, or a pair of start and end such as"
    " ('2026-09-01', '2026-10-01'), got "
)
POINT = (
    " must be a datetime, a date, a positive timedelta, or text such as '7d', '12h', '30m', '2w', '2026-11-24' or"
    " '2026-11-24T10:00:00Z', got "
)


@pytest.mark.parametrize(
    ("window", "message"),
    [
        *((each, f"{FORMS}{each!r}") for each in ("", "0d", "-3d", "3 months", "last-90-days", "2026-11-24")),
        *((each, f"{FORMS}{each!r}") for each in (None, True, 90, timedelta(0), -DAY, NOW, date(2026, 1, 1))),
        *((each, f"{FORMS}{each!r}") for each in ((), ("7d",), ("7d", "6d", "5d"), {"7d", "6d"})),
        (("soon", "7d"), f"window[0]{POINT}'soon'"),
        (("7d", 6), f"window[1]{POINT}6"),
        ((None, "7d"), "window[0] is required: the start of the window, got (None, '7d')"),
        (
            ("7d", "7d"),
            "window must end after its start 2026-11-21 08:30:00+00:00, got the end 2026-11-21 08:30:00+00:00",
        ),
        (("2027-01-01", "2027-02-01"), "window must start in the past, got the start 2027-01-01 00:00:00+00:00"),
        ("3654d", "window must be at most 10 years long, got '3654d'"),
        ("999999w", "window must be at most 10 years long, got '999999w'"),
        (timedelta.max, f"window must be at most 10 years long, got {timedelta.max!r}"),
        (("0001-01-01", "7d"), "window must be at most 10 years long, got ('0001-01-01', '7d')"),
        (("999999d", "7d"), "window must be at most 10 years long, got ('999999d', '7d')"),
    ],
)
def test_an_invalid_window_is_refused(window: Any, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_window(window, NOW)
    assert str(caught.value) == message


def test_the_window_before_has_the_same_length() -> None:
    window = Window(NOW - 30 * DAY, NOW)
    assert window.before() == Window(NOW - 60 * DAY, NOW - 30 * DAY)


def test_the_start_is_inclusive_and_the_end_exclusive() -> None:
    window = Window(NOW - DAY, NOW)
    assert [at in window for at in (NOW - DAY, NOW - DAY / 2, NOW)] == [True, True, False]


@pytest.mark.parametrize(("days", "lengths"), [(90, [90]), (91, [90, 1]), (180, [90, 90]), (200, [90, 90, 20])])
def test_pieces_are_at_most_ninety_days_long(days: int, lengths: list[int]) -> None:
    assert [piece.length / DAY for piece in Window(NOW - days * DAY, NOW).pieces()] == lengths


@given(length=st.timedeltas(timedelta(microseconds=1), MAX_WINDOW), max_days=st.integers(30, 90))
def test_pieces_are_adjacent_and_cover_the_window(length: timedelta, max_days: int) -> None:
    window = Window(NOW - length, NOW)
    pieces = window.pieces(max_days * DAY)
    assert (pieces[0].start, pieces[-1].end) == (window.start, window.end)
    assert all(before.end == after.start for before, after in pairwise(pieces))
    assert all(timedelta(0) < piece.length <= max_days * DAY for piece in pieces)


@pytest.mark.parametrize(
    ("window", "name"),
    [
        (("12h", None), "last-24-hours"),
        (("24h", None), "last-24-hours"),
        (("25h", None), "last-7-days"),
        (("7d", None), "last-7-days"),
        (("20d", "10d"), "last-30-days"),
        (("60d", None), "last-60-days"),
        (("61d", "60d"), "last-90-days"),
        (("90d", None), "last-90-days"),
        (("400d", None), "last-90-days"),
    ],
)
def test_the_shortest_reporting_window_that_contains_it(window: Any, name: str) -> None:
    assert parse_window(window, NOW).reporting_window(NOW + timedelta(seconds=20)) == name


def test_a_window_that_is_one_of_the_api_ends_now() -> None:
    assert parse_window("60d", NOW).is_reporting_window(NOW)
    assert not parse_window("59d", NOW).is_reporting_window(NOW)
    assert not parse_window(("70d", "10d"), NOW).is_reporting_window(NOW)


def test_a_window_is_kept_for_ninety_days() -> None:
    assert [parse_window(days, NOW).is_kept(NOW) for days in ("89d", "90d", "91d")] == [True, True, False]
