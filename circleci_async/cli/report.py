"""`report`: what the runs of projects cost, where they fail, and whether it gets better."""

import asyncio
import webbrowser
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

from ..errors import InvalidArgument
from ..reports.analysis.wording import counted
from ..untrusted_text import printable
from .arguments import argument, concurrency_option, option, parse_destination, parse_path
from .output import Output
from .progress import ProgressBar
from .runner import print_error
from .sparkline import sparkline

if TYPE_CHECKING:
    from .. import CircleCI, InsightsAnswer, InsightsProgress, InsightsReport

WIDTH: Final = 60
"""Columns of a sparkline, at most."""

BAR: Final = 24
"""Columns of the longest bar."""

BARS: Final = 5
"""Rows of a ranking."""

RANKINGS: Final = {
    "jobs": (("project", "workflow", "job"), "total"),
    "flaky_tests": (("project", "test"), "time_wasted"),
    "credits": (("name",), "credits"),
}
"""The columns of the names and the column of the values, by the key of the answer."""

Rows: TypeAlias = Sequence[Mapping[str, Any]]


async def report(
    circle: "CircleCI",  # None with --from
    out: Output,
    slugs: Annotated[
        list[str] | None,
        argument("PROJECT", "Projects, such as gh/acme/api, or organizations, such as gh/acme."),
    ] = None,
    into: Annotated[
        Path | None,
        option("Write the page to this file: HTML; needs the extra 'report'.", metavar="FILE", parser=parse_path),
    ] = None,
    window: Annotated[
        str, option("How far back: 90d, 2w or 12h.", "--window", metavar="WINDOW", show_default=True)
    ] = "90d",
    branch: Annotated[str | None, option("Only runs of this branch; by default all.", metavar="BRANCH")] = None,
    usage: Annotated[
        bool, option("Ask for a usage export, for queue times and CPU and memory use. It takes minutes.", "--usage")
    ] = False,
    usage_file: Annotated[
        Path | None,
        option("Read a usage export that `usage export --into` wrote.", metavar="FILE", parser=parse_path),
    ] = None,
    history: Annotated[
        str | None,
        option(
            "Read what `insights collect` wrote to this folder or bucket, and send no request.",
            "--from",
            metavar="DIR | URL",
            parser=parse_destination,
        ),
    ] = None,
    opens: Annotated[bool, option("Open the page in the browser.", "--open")] = False,
    concurrency: Annotated[int, concurrency_option("Projects read concurrently.")] = 8,
) -> int:
    """Report what the runs of projects cost, where they fail, and whether it gets better.

    Prints a summary; --into writes a page with charts and tables; --json prints all tables and answers. The exit code
    is 1 if anything could not be read; the report has the rest.
    """
    if opens and into is None:
        into = Path(mkdtemp(prefix="circleci-report-"), "report.html")
    with _page(into) as file:
        if history is not None:
            found = await _from_history(out, history, slugs, window, branch, usage=usage or usage_file is not None)
        else:
            found = await _from_api(circle, out, slugs, window, branch, usage_file or usage or None, concurrency)
        if file is not None:
            with out.errors.status("Drawing the page ...") if out.shows_progress else nullcontext():
                await asyncio.to_thread(found.save, file)
    if out.is_json:
        out.data(_json(found, into))
    else:
        _show(out, found)
    for failure in found.failures:
        prefix = f"{failure.project}: {failure.kind}: " if failure.kind != "project" else f"{failure.project}: "
        print_error(out, failure.error, prefix)
    if into is not None:
        out.say(f"The page is {printable(str(into))}")
        if opens and not await asyncio.to_thread(webbrowser.open, into.resolve().as_uri()):
            out.note("no browser was found: open the file yourself")
    return 1 if found.failures else 0


@contextmanager
def _page(into: Path | None) -> Generator[Path | None]:
    """Yield the path of the page, which gets its name when it is complete."""
    if into is None:
        yield None
        return
    from ..downloads.replaced_file import replaced_file
    from ..reports.charts import check_installed

    check_installed()
    with replaced_file("--into", into) as path:
        yield path


async def _from_history(
    out: Output, history: str, slugs: Sequence[str] | None, window: str, branch: str | None, *, usage: bool
) -> "InsightsReport":
    from .. import report_from_history

    if usage:
        raise InvalidArgument("--usage and --usage-file cannot be combined with --from: a history has no usage")
    with out.errors.status("Reading the history ...") if out.shows_progress else nullcontext():
        return await report_from_history(history, slugs or None, window=window, branch=branch)


async def _from_api(
    circle: "CircleCI",
    out: Output,
    slugs: Sequence[str] | None,
    window: str,
    branch: str | None,
    usage: Path | bool | None,
    concurrency: int,
) -> "InsightsReport":
    if not slugs:
        raise InvalidArgument("PROJECT is required: projects such as gh/acme/api, or an organization such as gh/acme")
    with ProgressBar(out, projects="projects", details="") as bar:

        def show(progress: "InsightsProgress") -> None:
            done, total = progress.projects_done, progress.projects_total
            details = f"{counted(progress.runs, 'run')}  {counted(progress.requests, 'request')}"
            bar.show(done, total or None, projects=f"{done}/{total} projects", details=details)

        return await circle.insights.report(
            slugs, window, branch, usage=usage, concurrency=concurrency, on_progress=show
        )


def _json(found: "InsightsReport", into: Path | None) -> dict[str, Any]:
    return {
        "projects": found.projects,
        "start": found.start,
        "end": found.end,
        "branch": found.branch,
        "requests": found.requests,
        "answers": found.answers,
        "failures": found.failures,
        "notes": found.notes,
        **found.rows(),
        "previous": found.previous.rows(),
        "page": None if into is None else str(into),
    }


def _show(out: Output, found: "InsightsReport") -> None:
    """Print the answers, with a sparkline or the first bars of each."""
    window = f"{found.start:%Y-%m-%d} to {found.end:%Y-%m-%d}"
    of = counted(len(found.projects), "project")
    branch = "" if found.branch is None else f", branch {found.branch}"
    out.say(f"{of}, {window}{branch}: {counted(len(found.runs), 'run')}, {counted(found.requests, 'request')}")
    for answer in found.answers:
        out.say(f"\n{answer.question}", "bold")
        for line in _chart(answer):
            out.say(line, "cyan")
        out.say(printable(answer.text))
    for note in found.notes:
        out.note(note)


def _chart(answer: "InsightsAnswer") -> list[str]:
    rows = answer.rows
    match answer.key:
        case "failures":
            return _lines({"7-day mean of the failure rate": [row["mean_7d"] for row in rows]})
        case "waits":
            return _lines(_by(rows, "branch", "p50", "median by week, {} branch"))
        case "queue":
            return _lines(_by(rows, "resource_class", "p95", "p95 by hour, {}"))
        case "jobs" | "flaky_tests" | "credits":
            return _bars(rows, *RANKINGS[answer.key])
        case _:
            return []


def _by(rows: Rows, group: str, value: str, label: str) -> dict[str, list[float | None]]:
    series: dict[str, list[float | None]] = {}
    for row in rows:
        series.setdefault(label.format(row[group]), []).append(row[value])
    return series


def _lines(series: Mapping[str, Sequence[float | None]]) -> list[str]:
    return [f"{sparkline(values, WIDTH)}  {printable(label)}" for label, values in series.items()]


def _bars(rows: Rows, names: Sequence[str], value: str) -> list[str]:
    """Return a bar for each of the largest rows of the first group."""
    first = [row for row in rows if row.get("by") == rows[0].get("by")][:BARS]
    largest = max((row[value] or 0 for row in first), default=0) or 1
    return [
        f"{'█' * max(1, round((row[value] or 0) / largest * BAR)):{BAR}}  "
        + printable(" ".join(str(row[name]) for name in names if row[name]))
        for row in first
    ]
