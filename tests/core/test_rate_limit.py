"""Parsing of Retry-After and of the rate-limit headers."""

from collections.abc import Mapping
from email.utils import formatdate

import pytest

from circleci_async.core.rate_limit import parse_rate_limit, parse_retry_after

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-3", None),
        ("-1735689600", None),
        ("1735689600", None),
        ("1e3", None),
        ("1_000", None),
        ("\uff17", None),
        ("9" * 400, None),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("86400", 86_400.0),
        ("86401", None),
        ("1700000030", None),  # a date as seconds since the epoch
        (formatdate(NOW + 90_000, usegmt=True), None),
        ("Mon, 99 Foo 2026", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_parsed_as_seconds_or_as_a_date(text: str, seconds: float | None) -> None:
    assert parse_retry_after({"Retry-After": text}, now=NOW) == seconds


def test_an_absent_retry_after_is_none() -> None:
    assert parse_retry_after({}, now=NOW) is None


def test_a_date_is_compared_with_the_date_of_the_response() -> None:
    headers = {"Retry-After": formatdate(NOW + 30, usegmt=True), "Date": formatdate(NOW + 10, usegmt=True)}
    assert parse_retry_after(headers, now=NOW - 5000) == 20.0


@pytest.mark.parametrize(
    ("headers", "refused", "pause"),
    [
        ({}, False, None),
        ({}, True, None),
        ({"RateLimit-Remaining": "5", "RateLimit-Reset": "9"}, False, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "9"}, False, 9.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "9"}, False, 9.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4"}, False, 4.0),
        ({"X-RateLimit-Remaining-Second": "0", "X-RateLimit-Reset": "1"}, False, 1.0),
        (
            {"X-RateLimit-Remaining-Second": "3", "X-RateLimit-Remaining-Hour": "0", "X-RateLimit-Reset": "8"},
            False,
            8.0,
        ),
        # the exhausted family counts
        (
            {
                "RateLimit-Remaining": "3",
                "RateLimit-Reset": "9",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "2",
            },
            False,
            2.0,
        ),
        (
            {
                "RateLimit-Remaining": "0",
                "RateLimit-Reset": "9",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "2",
            },
            False,
            9.0,
        ),
        ({"RateLimit-Remaining": "0", "X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "2"}, False, 2.0),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "86400"}, False, 86400.0),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "86401"}, False, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "1735689600"}, False, None),
        ({"RateLimit-Remaining": "0"}, False, None),
        # a 429 means that nothing remains
        ({"RateLimit-Reset": "6"}, True, 6.0),
        ({"RateLimit-Reset": "6"}, False, None),
        # invalid values are ignored
        ({"RateLimit-Remaining": "none", "RateLimit-Reset": "9"}, False, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "1700000000"}, False, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "-4"}, False, None),
    ],
)
def test_rate_limit_headers_give_the_pause(headers: Mapping[str, str], refused: bool, pause: float | None) -> None:
    assert parse_rate_limit(headers, refused=refused).pause == pause


@pytest.mark.parametrize(
    ("headers", "remaining"),
    [
        ({}, None),
        ({"RateLimit-Remaining": "7"}, 7),
        ({"RateLimit-Remaining": "7", "X-RateLimit-Remaining-Minute": "90", "X-RateLimit-Remaining-Second": "3"}, 3),
        ({"X-RateLimit-Remaining": "many"}, None),
    ],
)
def test_rate_limit_headers_give_the_number_remaining(headers: Mapping[str, str], remaining: float | None) -> None:
    assert parse_rate_limit(headers, refused=False).remaining == remaining


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        ({}, None),
        ({"RateLimit-Remaining": "7"}, None),
        ({"RateLimit-Limit": "50"}, 50),
        ({"X-RateLimit-Limit-Minute": "900", "X-RateLimit-Limit-Second": "20"}, 20),
        ({"RateLimit-Limit": "50, 50;w=1"}, None),
    ],
)
def test_rate_limit_headers_give_the_limit(headers: Mapping[str, str], limit: float | None) -> None:
    assert parse_rate_limit(headers, refused=False).limit == limit
