"""Checks of arguments that many calls take."""

from pathlib import Path
from typing import Any

import pytest

from circleci_async import InvalidArgument
from circleci_async.core.arguments import (
    check_bool,
    check_positive_integer,
    check_word,
    check_words,
    is_number,
    local_path,
)
from circleci_async.models import ReportingWindow


def test_a_positive_integer_is_returned() -> None:
    assert check_positive_integer("attempts", 1) == 1


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None])
def test_anything_but_a_positive_integer_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match=rf"^attempts must be a positive integer, got {value!r}"):
        check_positive_integer("attempts", value)


@pytest.mark.parametrize(
    ("value", "expected"), [(0, True), (1.5, True), (float("inf"), True), (True, False), ("1", False), (None, False)]
)
def test_a_number_is_an_integer_or_a_float_but_not_a_bool(value: Any, expected: bool) -> None:
    assert is_number(value) is expected


def test_a_bool_is_returned() -> None:
    assert (check_bool("deep", True), check_bool("deep", False)) == (True, False)


@pytest.mark.parametrize("value", [0, 1, "no", "", None, []])
def test_anything_but_a_bool_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_bool("deep", value)
    assert str(caught.value) == f"deep must be True or False, got {value!r}"


ADDRESSES = [
    "s3://bucket/x",
    "gs://bucket",
    "az://c/x",
    "https://example.com/x",
    "file:///tmp/x",
    "S3://b",
    "a+b.c-1://x",
]


@pytest.mark.parametrize("path", [b"out", 5, True, None, ["out"]])
def test_a_path_of_another_type_is_refused(path: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        local_path("into", path)
    assert str(caught.value) == f"into must be a string or a Path, got {path!r}"


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_not_a_local_path(address: str) -> None:
    scheme = address.partition("//")[0]
    with pytest.raises(InvalidArgument) as caught:
        local_path("into", address)
    problem = f"into must be a path on this machine, got an address that begins with '{scheme}//'"
    assert str(caught.value) == f"{problem}: use a local folder; only the destination of a harvest can be a bucket"


def test_an_address_with_a_password_is_not_shown() -> None:
    with pytest.raises(InvalidArgument) as caught:
        local_path("into", "s3://key:s3cret@bucket/x")
    assert "s3cret" not in str(caught.value)


PATHS = ["out", "a:b", "a:/b", r"C:\x", "C:/x", "C://x", "./s3://x", "/s3://x", "s3:x", "s3:/x", "://x", "", "1://x"]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_with_a_colon_is_local(path: str) -> None:
    assert local_path("into", path) == Path(path)
    assert local_path("into", Path(path)) == Path(path)


WORDS = ("daily", "hourly", "monthly")


@pytest.mark.parametrize("value", ["daily", ReportingWindow.LAST_7_DAYS, None])
def test_a_word_of_the_list_is_accepted(value: Any) -> None:
    check_word("x", value, (*WORDS, "last-7-days"))


@pytest.mark.parametrize("value", ["weekly", "", 1, ["daily"], b"daily", ReportingWindow.LAST_7_DAYS])
def test_another_word_is_refused(value: Any) -> None:
    shown = repr(str(value)) if isinstance(value, str) else repr(value)
    with pytest.raises(InvalidArgument) as caught:
        check_word("x", value, WORDS)
    assert str(caught.value) == f"x must be one of 'daily', 'hourly', 'monthly', got {shown}"


def test_a_required_word_must_be_given() -> None:
    with pytest.raises(InvalidArgument, match=r"^x must be 'daily' or 'hourly', got None$"):
        check_word("x", None, WORDS[:2], required=True)


def test_each_word_of_a_list_is_checked() -> None:
    check_words("x", None, WORDS)
    check_words("x", ["daily", "hourly"], WORDS)
    with pytest.raises(InvalidArgument, match=r"^x must be 'daily', got 'hourly'$"):
        check_words("x", ["daily", "hourly"], WORDS[:1])
