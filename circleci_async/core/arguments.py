"""Checks of arguments that many calls take: numbers of things, and seconds."""

from typing import Any

from ..errors import InvalidArgument


def check_positive_integer(name: str, value: Any) -> int:
    """Return the number. Raises `InvalidArgument`, also for a bool."""
    if type(value) is not int or value < 1:
        raise InvalidArgument(f"{name} must be a positive integer, got {value!r}")
    return value


def is_number(value: Any) -> bool:
    """Return whether a value is an integer or a float; a bool is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
