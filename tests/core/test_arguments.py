"""Checks of arguments that many calls take."""

from typing import Any

import pytest

from circleci_async import InvalidArgument
from circleci_async.core.arguments import check_positive_integer, is_number


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
