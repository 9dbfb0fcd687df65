"""Points in time as arguments: dates, and how long ago."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias

from ..errors import InvalidArgument

When: TypeAlias = datetime | date | timedelta | str
"""A point in time: a datetime, a date (its first moment), or how long ago, as a timedelta. As text: `30m`, `12h`, `7d`,
`2w`, or ISO 8601 such as `2026-11-24` or `2026-11-24T10:00:00+01:00`. Without a time zone it is in UTC."""

_AGO = re.compile(r"([0-9]{1,6}) ?([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_when(name: str, value: When | None) -> datetime | timedelta | None:
    """Return the argument `name` as an aware datetime, or as the positive timedelta that it is before now.

    None stays None. Raises `InvalidArgument` for anything else.
    """
    when = _parse_text(value.strip()) if isinstance(value, str) else value
    if isinstance(when, datetime):
        return _in_range(name, when if when.tzinfo else when.replace(tzinfo=UTC))
    if isinstance(when, date):
        return datetime.combine(when, time(), UTC)
    if value is None or (isinstance(when, timedelta) and when > timedelta(0)):
        return when
    raise InvalidArgument(
        f"{name} must be a datetime, a date, a positive timedelta, or text such as '7d', '12h', '30m', '2w',"
        f" '2026-11-24' or '2026-11-24T10:00:00Z', got {value!r}"
    )


def parse_length(name: str, value: str | timedelta) -> timedelta:
    """Return the argument `name`, a length of time, as a timedelta. Raises `InvalidArgument`."""
    try:
        length = parse_when(name, value)
    except InvalidArgument:
        length = None
    if not isinstance(length, timedelta):
        raise InvalidArgument(f"{name} must be a length of time such as '3d', '2w' or '12h', got {value!r}")
    return length


def to_datetime(when: datetime | timedelta | None, now: datetime) -> datetime | None:
    """Return the result of `parse_when` as a point in time."""
    try:
        return now - when if isinstance(when, timedelta) else when
    except OverflowError:  # before the year 1
        return datetime.min.replace(tzinfo=UTC)


def parse_datetime(name: str, value: When | None, now: datetime | None = None) -> datetime | None:
    """Return the argument `name` as an aware datetime; None for None. Raises `InvalidArgument`."""
    return to_datetime(parse_when(name, value), now or datetime.now(UTC))


def _in_range(name: str, when: datetime) -> datetime:
    try:
        when.astimezone(UTC)
    except OverflowError:
        raise InvalidArgument(f"{name} must be a date that can be converted to UTC, got {str(when)!r}") from None
    return when


def _parse_text(text: str) -> datetime | timedelta | None:
    if ago := _AGO.fullmatch(text):
        return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
