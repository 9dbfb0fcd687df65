"""Days and weeks in UTC."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(weeks=1)


def day_of(moment: datetime) -> date:
    """Return the day in UTC."""
    return moment.astimezone(UTC).date()


def week_of(day: date) -> date:
    """Return the Monday of the day's week."""
    return day - DAY * day.weekday()


def days_between(start: datetime, end: datetime) -> list[date]:
    """Return the days of a window, including its partial first and last day; at least one."""
    first, last = day_of(start), day_of(max(start, end - timedelta(microseconds=1)))
    return [first + DAY * count for count in range((last - first).days + 1)]
