"""Numbers with units, dates and names, in the sentences, tables and charts of a report."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from ..untrusted_text import shown

UNKNOWN: Final = "unknown"
"""The name of a resource class that is not known."""

BRANCHES: Final = {"default": "default branch", "other": "other branches", "all": "all branches"}
"""The names of groups of branches. `all`: of projects whose default branch is not known."""

MAX_NAME: Final = 60
"""Characters of a project, workflow, job or test in a sentence."""

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""In English: strftime uses the language of the program's locale."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun: `1 file`, `2 files`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def count(number: float) -> str:
    """Return a number without decimals: `12,345`."""
    return f"{number:,.0f}"


def credit_count(credits: float) -> str:
    """Return a number of credits: `1,234 credits`."""
    return counted(round(credits), "credit")


def percent(share: float) -> str:
    """Return a share as `21 %`, below 10 % as `2.1 %`."""
    value = share * 100
    if 0 < abs(value) < 0.05:
        return "under 0.1 %"
    return f"{_short(value) if abs(value) < 9.95 else f'{value:,.0f}'} %"


def duration(seconds: float) -> str:
    """Return a duration in at most two units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 9.95:
        return f"{_short(seconds)} s"
    total = round(seconds)
    for length, unit, smaller_length, smaller in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if total >= length:
            rest = total % length // smaller_length
            return f"{total // length:,} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{total} s"


def length(span: timedelta) -> str:
    """Return the length of a window: `90 days`, `24 hours`, `30 min`."""
    if span >= timedelta(days=2):
        return f"{_short(span / timedelta(days=1))} days"
    hours = round(span / timedelta(hours=1))
    return counted(hours, "hour") if hours else duration(span.total_seconds())


def day(value: date) -> str:
    """Return a date: `4 May 2026`."""
    return f"{value.day} {month(value)} {value.year}"


def month(value: date) -> str:
    """Return the month of a date: `May`."""
    return _MONTHS[value.month - 1]


def weekday(value: date) -> str:
    """Return a date with its day of the week: `Mon 4 May 2026`."""
    return f"{_DAYS[value.weekday()]} {day(value)}"


def name(*parts: str) -> str:
    """Return the names of a thing, such as project, workflow and job: one line, each of limited length."""
    return " ".join(shown(part, MAX_NAME) for part in parts if part)


def listed(items: Sequence[str], max_items: int | None = None) -> str:
    """Return `a, b and c`; of more than `max_items` the first ones: `a, b and 3 more`."""
    if max_items is not None and len(items) > max_items:
        items = [*items[:max_items], f"{len(items) - max_items:,} more"]
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
