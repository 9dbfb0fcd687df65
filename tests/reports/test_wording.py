"""Numbers with units in sentences."""

import pytest

from circleci_async.reports.wording import counted, credit_count, duration, listed, name, percent


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


def test_lists() -> None:
    assert [listed(each) for each in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_names_are_printable_and_short() -> None:
    assert name("gh/acme/web", "deploy") == "gh/acme/web deploy"
    assert name("", "a\nb\x1b") == "a b\\x1b"
    assert len(name("x" * 1_000)) == 60
