"""Values as text for people."""

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TypeAlias

Cell: TypeAlias = "str | int | float | Enum | datetime | timedelta | None"
"""What a table or a record may hold."""

STYLES = {
    **dict.fromkeys(("success", "created"), "green"),
    **dict.fromkeys(
        ("failed", "failing", "error", "errored", "failure", "infrastructure_fail", "timedout", "unauthorized"), "red"
    ),
    **dict.fromkeys(("running", "queued", "pending", "setup", "setup-pending"), "cyan"),
    **dict.fromkeys(("on_hold", "terminated-unknown"), "yellow"),
    **dict.fromkeys(("canceled", "not_run", "not_running", "blocked", "skipped", "retried"), "dim"),
}
"""The colour of each status; whatever is not listed has none."""

_DATE_AFTER = timedelta(days=60)
_JOINER = "\u200d"  # holds emoji together, and is harmless


def printable(text: str) -> str:
    """Return text from outside as one line that can't drive a terminal.

    White space of any kind becomes a space. Other control and format characters, such as the escape that begins a
    terminal's commands, and those that reverse the direction of writing, are spelled out.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == _JOINER else " " if char.isspace() else _spelled_out(char)
        for char in text
    )


def shown(value: Cell, *, exact: bool = False) -> str:
    """Return a value as a cell: times as an age, or to the second if they are to be `exact`."""
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
    """Return how long ago something was, in one unit; the date when that is long."""
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


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun: `1 file`, `2 files`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def _spelled_out(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
