"""The summary of a report in the terminal: each question with a small chart and a sentence."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..reports.wording import BRANCHES, counted, duration, percent
from ..untrusted_text import printable
from .output import Output
from .sparkline import bar, sparkline

if TYPE_CHECKING:
    from .. import InsightsAnswer, InsightsReport

WIDTH: Final = 40
"""Columns of a sparkline, at most."""

BAR: Final = 16
"""Columns of the longest bar."""

BARS: Final = 5
"""Rows of a ranking."""

MIN_NAME: Final = 10
"""Columns of a name, at least."""

HOURS: Final = range(24)

Rows: TypeAlias = Sequence[Mapping[str, Any]]
Series: TypeAlias = Mapping[str, Sequence[float | None]]


def show_summary(out: Output, report: "InsightsReport", *, questions: int | None = None) -> None:
    """Print the answers and the notes, or the first answers only; each with a sparkline or bars."""
    one = len(report.projects) == 1
    of = printable(report.projects[0]) if one else counted(len(report.projects), "project")
    branch = "" if report.branch is None else f", branch {printable(report.branch)}"
    read = f"{counted(len(report.runs), 'run')}, {counted(report.requests, 'request')}"
    out.say(f"{of}, {report.start:%Y-%m-%d} to {report.end:%Y-%m-%d}{branch}: {read}", wraps=True)
    width = out.console.width if out.is_fitted else None
    for answer in report.answers[:questions]:
        out.say("")
        out.say(answer.question, "bold")
        if not out.console.options.ascii_only:
            for line in _chart(answer, width):
                out.say(line, "cyan")
        out.say(printable(answer.text), wraps=True)
    if questions is None and report.notes:
        out.say("\nNotes", "bold")
        for note in report.notes:
            out.say(f"- {printable(note)}", wraps=True)


def _chart(answer: "InsightsAnswer", width: int | None) -> list[str]:
    """Return the lines of a chart, which are cut to `width`."""
    rows = answer.rows
    match answer.key:
        case "failures":
            return _lines({"failure rate, 7-day mean": [row["mean_7d"] for row in rows]}, percent, width)
        case "waits":
            medians = {f"median by week, {BRANCHES[name]}": p50 for name, p50 in _by_branch(rows).items()}
            return _lines(medians, duration, width)
        case "queue":
            waits = {f"p95 by hour, {name}": p95 for name, p95 in _by_class(rows).items()}
            return _lines(waits, duration, width)
        case "jobs":
            return _bars(rows, ("project", "workflow", "job"), "total", duration, width)
        case "flaky_tests":
            return _bars(rows, ("project", "job", "test"), "time_wasted", duration, width)
        case "credits":
            return _bars(_first_ranking(rows), ("name",), "credits", lambda credits: f"{credits:,.0f}", width)
        case _:
            return []


def _by_branch(rows: Rows) -> dict[str, list[float | None]]:
    """Return the medians of the weeks, oldest first, by branch."""
    weeks = {week: at for at, week in enumerate(sorted({row["week"] for row in rows}))}
    series: dict[str, list[float | None]] = {}
    for row in rows:
        series.setdefault(row["branch"], [None] * len(weeks))[weeks[row["week"]]] = row["p50"]
    return series


def _by_class(rows: Rows) -> dict[str, list[float | None]]:
    """Return the queue times of the hours of a day by resource class, the longest first."""
    series: dict[str, list[float | None]] = {}
    for row in sorted(rows, key=lambda row: -row["p95"]):
        series.setdefault(row["resource_class"], [None] * len(HOURS))[row["hour"]] = row["p95"]
    return dict(list(series.items())[:BARS])


def _first_ranking(rows: Rows) -> Rows:
    """Return the rows of the first kind that has several, such as projects or workflows; otherwise of the last kind."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        kinds.setdefault(row["by"], []).append(row)
    return next((some for some in kinds.values() if len(some) > 1), [*kinds.values(), []][-1])


def _lines(series: Series, shown: Callable[[float], str], width: int | None) -> list[str]:
    """Return a sparkline and the largest value of each series that has one; all sparklines have the same scale."""
    columns = WIDTH if width is None else max(1, min(WIDTH, width // 2))
    known = {label: [value for value in values if value is not None] for label, values in series.items()}
    largest = {label: max(values) for label, values in known.items() if values}
    lines = [
        f"{sparkline(series[label], columns, max(largest.values()))}  {printable(label)}, up to {shown(most)}"
        for label, most in largest.items()
    ]
    return lines if width is None else [fit(line, width) for line in lines]


def _bars(
    rows: Rows, columns: Sequence[str], value: str, shown: Callable[[float], str], width: int | None
) -> list[str]:
    """Return a bar, the value and the name of each of the first rows."""
    known = [row for row in rows if row[value]][:BARS]
    largest = max((row[value] for row in known), default=0)
    texts = [shown(row[value]) for row in known]
    text_width = max(map(len, texts), default=0)
    lines: list[str] = []
    for row, text in zip(known, texts, strict=True):
        start = f"{bar(row[value] / largest, BAR)}  {text:>{text_width}}  "
        name = printable(" ".join(row[column] for column in columns if row[column]))
        lines.append(start + (name if width is None else fit(name, max(width - len(start), MIN_NAME))))
    return lines


def fit(text: str, width: int) -> str:
    """Cut a text to a width; an ellipsis marks the cut."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"
