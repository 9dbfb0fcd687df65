"""The tables of a page: the data behind a chart, and the changes since the window before."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from html import escape
from typing import Any, Final

from ..untrusted_text import shown
from .wording import count, duration, percent

MAX_ROWS: Final = 400
"""Rows of a table in a page."""

_NUMBERS: Final[dict[str, Callable[[Any], str]]] = {
    **dict.fromkeys(("p50", "p95", "recovery", "median", "total", "time_wasted"), duration),
    **dict.fromkeys(("failure_rate", "mean_7d", "share", "cumulative_share"), percent),
    **dict.fromkeys(("runs", "failed", "jobs", "times_flaked", "credits", "failed_credits"), count),
    **dict.fromkeys(("median_cpu", "max_cpu", "median_ram", "max_ram"), lambda value: f"{value:.0f} %"),
    "hour": "{:02}:00".format,
}
"""How the numbers of a column are written."""

_HEADINGS: Final = {
    "mean_7d": "mean of 7 days",
    "recovery": "time to recovery",
    "hour": "hour (UTC)",
    "median_cpu": "median CPU",
    "max_cpu": "highest CPU",
    "median_ram": "median RAM",
    "max_ram": "highest RAM",
    "is_candidate": "candidate",
}

_CHANGES: Final = {
    "runs": ("Runs", "more", "fewer", False),
    "failure_rate": ("Failure rate", "worse", "better", True),
    "p50": ("p50", "slower", "faster", True),
    "p95": ("p95", "slower", "faster", True),
    "credits": ("Credits", "more", "fewer", True),
}
"""Heading, the words for a higher and a lower value, and whether a higher one is worse."""


def text(value: object, max_length: int = 500) -> str:
    """Return text from outside as HTML: on one line, without control characters, clipped."""
    return escape(shown(str(value), max_length))


def data_table(rows: Sequence[Mapping[str, Any]], caption: str) -> str:
    """Return a table of rows with the same keys; the first rows of many."""
    columns = list(rows[0])
    heads = "".join(
        f'<th scope="col"{_style(name)}>{text(_HEADINGS.get(name, name.replace("_", " ")))}</th>' for name in columns
    )
    body = "".join(
        f"<tr>{''.join(f'<td{_style(name)}>{_cell(name, row[name])}</td>' for name in columns)}</tr>"
        for row in rows[:MAX_ROWS]
    )
    if len(rows) > MAX_ROWS:
        caption += f": the first {MAX_ROWS} of {len(rows):,} rows"
    return _table(caption, heads, body)


def changes_table(rows: Sequence[Mapping[str, Any]], caption: str) -> str:
    """Return the table of the answer `changes`, with the direction of each change in a word and an arrow."""
    heads = '<th scope="col">Workflow</th>' + "".join(
        f'<th scope="col" class="number">{heading}</th>' for heading, *_ in _CHANGES.values()
    )
    body = "".join(
        f'<tr><th scope="row"><bdi>{text(row["workflow"], 80)}</bdi>'
        f"<small><bdi>{text(row['project'], 80)}</bdi></small></th>"
        + "".join(f'<td class="number">{_change(name, row)}</td>' for name in _CHANGES)
        + "</tr>"
        for row in rows[:MAX_ROWS]
    )
    return _table(caption, heads, body)


def _table(caption: str, heads: str, body: str) -> str:
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(caption)}"><table>'
        f"<caption>{text(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _style(column: str) -> str:
    return ' class="number"' if column in _NUMBERS else ""


def _cell(column: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.isoformat()
    if column in _NUMBERS:
        return _NUMBERS[column](value)
    return f"<bdi>{text(value, 200)}</bdi>"


def _change(name: str, row: Mapping[str, Any]) -> str:
    now, before, change = row[name], row[f"{name}_before"], row[f"{name}_change"]
    if now is None:
        return "-"
    write, (_, more, less, is_judged) = _NUMBERS[name], _CHANGES[name]
    if before is None:
        return f"{write(now)}<small>not known before</small>"
    if now == before or (change is not None and round(change * 100, 1) == 0):
        return f"{write(now)}<small>= unchanged</small>"
    if change is None:  # a ratio to 0
        amount = ""
    else:
        amount = f"{change * 100:+.1f} points" if name == "failure_rate" else f"{change * 100:+.1f} %"
    arrow, word = ("▲", more) if now > before else ("▼", less)
    color = ("bad" if now > before else "good") if is_judged else "plain"
    return (
        f'{write(now)}<small class="{color}"><span aria-hidden="true">{arrow}</span> {amount} {word}</small>'
        f"<small>was {write(before)}</small>"
    )
