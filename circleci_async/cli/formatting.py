"""Formats values for people."""

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TypeAlias

from ..untrusted_text import printable

Cell: TypeAlias = "str | int | float | Enum | datetime | timedelta | None"
"""A value of a table or a record."""

STYLES = {
    **dict.fromkeys(("success", "created"), "green"),
    **dict.fromkeys(
        ("failed", "failing", "error", "errored", "failure", "infrastructure_fail", "timedout", "unauthorized"), "red"
    ),
    **dict.fromkeys(("running", "queued", "pending", "setup", "setup-pending"), "cyan"),
    **dict.fromkeys(("on_hold", "terminated-unknown"), "yellow"),
    **dict.fromkeys(("canceled", "not_run", "not_running", "blocked", "skipped", "retried"), "dim"),
}
"""Colour of each status."""

_DATE_AFTER = timedelta(days=60)


def shown(value: Cell, *, exact: bool = False) -> str:
    """Return the text of a cell: datetimes as an age, or with `exact` as a timestamp."""
    match value:
        case None | "":
            return "-"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if exact else age(value, datetime.now(UTC))
        case timedelta():
            return duration(value.total_seconds())
        case _:
            return printable(str(value))


def age(moment: datetime, now: datetime) -> str:
    """Return the time since `moment` in one unit, or its date if that is over 60 days."""
    past = now - moment
    if past > _DATE_AFTER:
        return moment.astimezone(UTC).strftime("%Y-%m-%d")
    seconds = past.total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit} ago"
    return "now"


def duration(seconds: float) -> str:
    """Return a duration in at most two units."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def size(count: int) -> str:
    """Return a number of bytes in decimal units."""
    from rich.filesize import decimal

    return decimal(count)
