"""The page of a report: one HTML file without scripts that loads nothing, and its fragment for notebooks."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from . import charts
from .answer import InsightsAnswer
from .data_table import changes_table, data_table, text
from .metrics import FAILED, durations, failure_rate, percentile
from .wording import count, day, duration, length, percent

if TYPE_CHECKING:
    from .report import InsightsReport

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_LINKS: Final = {
    "failures": "Failures",
    "waits": "Durations",
    "jobs": "Jobs",
    "flaky_tests": "Flaky tests",
    "credits": "Credits",
    "queue": "Queue",
    "sizing": "Sizing",
    "changes": "Changes",
}
_MAX_NAMED: Final = 3
_MAX_LISTED: Final = 200


def document(report: "InsightsReport", answers: Sequence[InsightsAnswer]) -> str:
    """Return the page. Raises `ConfigurationError` without the extra `report`."""
    charts.check_installed()
    title = text(f"CI report: {_projects(report)}, {_window(report)}")
    links = "".join(f'<li><a href="#{text(each.key)}">{_LINKS[each.key]}</a></li>' for each in answers)
    failed = '<li><a href="#unread">Not read</a></li>' if report.failures else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body{{margin:0}}
{_style()}</style>
</head>
<body>
<div class="circleci-report page">
<a class="skip" href="#answers">Skip to the answers</a>
<header>
{_heading(report)}
{_figures(report)}
</header>
<nav aria-label="Answers"><ul>{links}{failed}<li><a href="#notes">Notes</a></li></ul></nav>
<main id="answers" tabindex="-1">
{"".join(_section(each) for each in answers)}
{_failures(report)}
{_notes(report)}
</main>
</div>
</body>
</html>
"""


def fragment(report: "InsightsReport", answers: Sequence[InsightsAnswer]) -> str:
    """Return the report for the output of a notebook: without charts if the extra `report` is missing."""
    return f"""<div class="circleci-report fragment">
<style>{_style()}</style>
<header>
{_heading(report)}
{_figures(report)}
</header>
{"".join(_section(each, is_anchor=False) for each in answers)}
{_failures(report, is_anchor=False)}
</div>
"""


@cache
def _style() -> str:
    return files("circleci_async.reports").joinpath("page.css").read_text("utf-8")


def _projects(report: "InsightsReport") -> str:
    names = [name.partition("/")[2] or name for name in report.projects]
    if len(names) <= _MAX_NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_MAX_NAMED])} and {len(names) - _MAX_NAMED} more"


def _window(report: "InsightsReport") -> str:
    last = report.end.astimezone(UTC) - timedelta(microseconds=1)
    return f"{day(report.start.astimezone(UTC))} to {day(last)}"


def _heading(report: "InsightsReport") -> str:
    branch = "all branches" if report.branch is None else f"branch <bdi>{text(report.branch, 100)}</bdi>"
    return (
        f"<h1><bdi>{text(_projects(report))}</bdi></h1>"
        f'<p class="window">{_window(report)} · {length(report.end - report.start)} · {branch}</p>'
    )


def _figures(report: "InsightsReport") -> str:
    taken = durations(report.runs)
    p50, p95 = percentile(taken, 0.5), percentile(taken, 0.95)
    rate = failure_rate(sum(run.status in FAILED for run in report.runs), len(report.runs))
    figures = {
        "Runs": count(len(report.runs)),
        "Failure rate": "-" if rate is None else percent(rate),
        "p50 duration": "-" if p50 is None else duration(p50),
        "p95 duration": "-" if p95 is None else duration(p95),
        "Credits": count(sum(run.credits_used or 0 for run in report.runs)),
        "Flaky tests": count(len(report.flaky_tests)),
        "Requests": count(report.requests),
    }
    items = (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures.items())
    return f'<dl class="figures">{"".join(items)}</dl>'


def _section(answer: InsightsAnswer, *, is_anchor: bool = True) -> str:
    anchor = f' id="{text(answer.key)}"' if is_anchor else ""
    body = f'<p class="answer">{text(answer.text, charts.MAX_TEXT)}</p>'
    if not answer.rows:
        body = f'<p class="answer empty">{text(answer.text, charts.MAX_TEXT)}</p>'
    elif answer.key == "changes":
        body += changes_table(answer.rows, answer.question)
    else:
        body += _chart(answer)
        table = data_table(answer.rows, f"Data: {answer.question}")
        body += f"<details><summary>Data table</summary>{table}</details>"
    return f'<section{anchor} aria-label="{text(answer.question)}"><h2>{text(answer.question)}</h2>{body}</section>\n'


def _chart(answer: InsightsAnswer) -> str:
    if not charts.are_installed():
        return ""
    drawing = charts.draw(answer)
    if drawing is None:
        return ""
    legend = "".join(
        f'<li><span class="key {style}" aria-hidden="true"></span>{text(meaning)}</li>'
        for style, meaning in drawing.legend
    )
    return (
        f'<ul class="legend">{legend}</ul>'
        f'<div class="chart wide">{drawing.wide}</div><div class="chart narrow">{drawing.narrow}</div>'
    )


def _failures(report: "InsightsReport", *, is_anchor: bool = True) -> str:
    if not report.failures:
        return ""
    items = (
        f"<bdi>{text(' · '.join(filter(None, (each.project, each.workflow))), 200)}</bdi>,"
        f" {text(each.kind.replace('_', ' '))}: {text(each.error)}"
        for each in report.failures
    )
    anchor = ' id="unread"' if is_anchor else ""
    return (
        f"<section{anchor}><h2>What could not be read</h2>"
        f'<p class="answer">The report does not contain it.</p>{_list(items, len(report.failures))}</section>\n'
    )


def _notes(report: "InsightsReport") -> str:
    items = [text(note[:1].upper() + note[1:], 1_000) for note in report.notes]
    items.append(
        f"The window starts at {_minute(report.start)} and ends at {_minute(report.end)}."
        " All days and hours are in UTC."
    )
    names = ", ".join(report.projects[:_MAX_LISTED])
    more = len(report.projects) - _MAX_LISTED
    items.append(f"Projects: <bdi>{text(names, 10_000)}</bdi>" + (f" and {count(more)} more" if more > 0 else ""))
    return f'<section id="notes"><h2>Notes</h2>{_list(items, len(items))}</section>'


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _list(items: Iterable[str], number: int) -> str:
    listed = [item for item, _ in zip(items, range(_MAX_LISTED), strict=False)]
    if number > len(listed):
        listed.append(f"and {count(number - len(listed))} more")
    return f"<ul>{''.join(f'<li>{item}</li>' for item in listed)}</ul>"
