"""Numbers with units in sentences."""

from datetime import date, timedelta

import pytest

from circleci_async.reports.wording import (
    counted,
    credit_count,
    day,
    duration,
    length,
    listed,
    month,
    name,
    percent,
    weekday,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (4.24, "4.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (372, "6 min 12 s"),
        (3_599.7, "1 h"),
        (3_900, "1 h 5 min"),
        (86_399.6, "1 d"),
        (86_400 * 3 + 15_000, "3 d 4 h"),
        (86_400 * 1_234, "1,234 d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.0001, "under 0.1 %"),
        (0.0005, "0.1 %"),
        (0.0214, "2.1 %"),
        (0.06, "6 %"),
        (0.0996, "10 %"),
        (0.214, "21 %"),
        (1, "100 %"),
        (12.5, "1,250 %"),
    ],
)
def test_shares(share: float, text: str) -> None:
    assert percent(share) == text


def test_counts() -> None:
    assert counted(1, "file") == "1 file"
    assert counted(2_000, "entry", "entries") == "2,000 entries"
    assert credit_count(1_234.4) == "1,234 credits"
    assert credit_count(0.6) == "1 credit"


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(days=90), "90 days"),
        (timedelta(days=30, hours=12), "30.5 days"),
        (timedelta(days=1), "24 hours"),
        (timedelta(hours=12), "12 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=20), "20 min"),
    ],
)
def test_lengths_of_windows(span: timedelta, text: str) -> None:
    assert length(span) == text


def test_lists() -> None:
    assert [listed(each) for each in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert [listed("abcd", number) for number in (1, 3, 4)] == ["a and 3 more", "a, b, c and 1 more", "a, b, c and d"]


def test_names_are_printable_and_short() -> None:
    assert name("gh/acme/web", "deploy") == "gh/acme/web deploy"
    assert name("", "a\nb\x1b") == "a b\\x1b"
    assert len(name("x" * 1_000)) == 60


class French(date):
    """A date as strftime writes it where the locale of the program is French."""

    def strftime(self, format: str) -> str:  # noqa: A002  # as date names it
        return super().strftime(format.replace("%a", "ven.").replace("%b", "f\u00e9v."))

    def __format__(self, spec: str) -> str:
        return self.strftime(spec)


def test_dates_do_not_depend_on_the_locale() -> None:
    leap_day = French(2028, 2, 29)
    assert f"{leap_day:%a %b}" == "ven. f\u00e9v."
    assert (day(leap_day), month(leap_day), weekday(leap_day)) == ("29 Feb 2028", "Feb", "Tue 29 Feb 2028")
    assert [month(date(2026, number, 1)) for number in range(1, 13)] == [f"{date(2026, n, 1):%b}" for n in range(1, 13)]
