"""What the charts have in common: sizes, axes and names."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from math import ceil
from os.path import commonprefix
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..wording import month, percent

if TYPE_CHECKING:
    import altair as alt

Rows: TypeAlias = Sequence[Mapping[str, Any]]

WIDE: Final = 760
"""The width of a chart on a screen, in pixels."""
NARROW: Final = 340
"""The width of a chart on a phone."""
FONT_SIZE: Final = 12
CHARACTER_WIDTH: Final = 7.2
"""Pixels that a character takes at most, on average."""
HALO: Final[dict[str, Any]] = {"stroke": "var(--card)", "strokeWidth": 4}
"""Keeps text readable that lies on a line."""


def inline(values: Rows) -> Any:
    """Return rows as the data of a chart."""
    import altair as alt

    return alt.InlineData(
        values=json.dumps(values), format=alt.JsonDataFormat(type="json")
    )  # text: altair copies it often


def time_axis(days: Sequence[date], plot: int, width: int = 1) -> Callable[[str], "alt.X"]:
    """Return what makes the x axis of a column of times, for marks that are `width` days wide."""
    import altair as alt

    step = -(-len(days) * 80 // plot)
    if len(days) > 1 and (days[1] - days[0]).days == 1 and step > 3:
        step = -(-step // 7) * 7
    has_years = (days[-1] - days[0]).days > 366
    ticks = {
        at(day, 0.5 * width): f"{day.day} {month(day)}" + (f" {day.year % 100:02}" if has_years else "")
        for day in days[::step]
    }
    axis = alt.Axis(values=list(ticks), labelExpr=label_expr(ticks), grid=False, labelOverlap=True, title=None)
    scale = alt.Scale(domain=[at(days[0], 0), at(days[-1], width)], nice=False, zero=False)
    return lambda column: alt.X(f"{column}:Q", axis=axis, scale=scale)


def at(day: date, share: float) -> int:
    """Return a time of a day in milliseconds since the epoch, as scales of times take it."""
    return round((datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=share)).timestamp() * 1_000)


def share_text(share: float | None) -> str:
    """Return a share as percent; a dash if it is not known."""
    return "-" if share is None else percent(share)


def label_expr(words: Mapping[Any, str]) -> str:
    """Return an expression of Vega that replaces the values of an axis by words."""
    return f"{json.dumps({str(key): value for key, value in words.items()})}[datum.value]"


def row_names(rows: Rows, columns: Sequence[str]) -> list[str]:
    """Return the name of each row: its first column, and those of the others that differ between rows."""
    first, *others = columns
    useful = [first, *(name for name in others if len({row[name] for row in rows if row[name]}) > 1)]
    owners = {row["project"].rpartition("/")[0] for row in rows if row["project"]}
    start = len(owners.pop()) + 1 if len(owners) == 1 else 0  # of the last part of all slugs
    return [
        " · ".join(str(row[name])[start if name == "project" else 0 :] for name in useful if row[name]) for row in rows
    ]


def short_names(names: Sequence[str]) -> list[str]:
    """Return names without the words that all of them begin with, such as the organization."""
    common = commonprefix([name for name in names if name != "others"])  # noqa: RUF071  # cut at a word below
    start = max(common.rfind("/"), common.rfind(" ")) + 1
    return [name if name == "others" else name[start:] for name in names]


def duration_steps(longest: float) -> tuple[int, int]:
    """Return the distance of the ticks of an axis of seconds, and its end."""
    minutes = (60, 120, 300, 600, 1_200, 1_800)
    steps = (1, 2, 5, 10, 20, 30, *minutes, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 604_800)
    month = 30 * 86_400
    step = next((step for step in steps if longest / step <= 5), month * ceil(longest / (5 * month)))
    return step, step * (int(longest / step) + 1)
