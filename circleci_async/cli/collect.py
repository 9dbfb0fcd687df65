"""`insights collect`: a history of insights that outlasts CircleCI's."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from ..reports.wording import counted
from ..untrusted_text import printable
from .arguments import Projects, check_length, concurrency_option, option, parse_destination
from .output import Output
from .progress import InsightsProgressBar
from .report import print_failures

if TYPE_CHECKING:
    from .. import CircleCI, InsightsChanges, InsightsCollection


async def collect(
    circle: "CircleCI",
    out: Output,
    projects: Projects,
    into: Annotated[
        str,
        option(
            "The history: a folder, or a bucket such as s3://ci-archive/history; needs the extra 'report'.",
            metavar="DIR | URL",
            parser=parse_destination,
        ),
    ],
    recheck: Annotated[
        str,
        option(
            "Read runs again that started up to this long before the newest one in the history.",
            metavar="WHEN",
            show_default=True,
        ),
    ] = "7d",
    concurrency: Annotated[int, concurrency_option("Lists read concurrently.")] = 16,
) -> int:
    """Add new runs, jobs, tests and flaky tests to a history, which outlasts CircleCI's 90 days.

    An organization stands for the projects that `circleci-async projects` lists.

    Run the same command again, every night or after it was interrupted, to add what is new. The files are Parquet,
    partitioned by project and month; `circleci-async report --from DIR` reads them. The exit code is 1 if anything
    could not be read; the next run reads it again.
    """
    check_length("--recheck", recheck)
    try:
        with InsightsProgressBar(out) as bar:
            found = await circle.insights.collect(
                projects, into, recheck=recheck, concurrency=concurrency, on_progress=bar.update
            )
    except asyncio.CancelledError:
        out.note("stopped: run the same command again to resume")
        raise
    if out.is_json:
        out.data(_as_data(found))
    else:
        out.fields(
            [
                (name.capitalize().replace("_", " "), f"{each.added:,} added, {each.changed:,} changed")
                for name, each in _tables(found).items()
            ]
        )
        of = f"{counted(len(found.projects), 'project')}, {counted(found.requests, 'request')}"
        out.say(f"{of}, in {printable(found.location)}")
    print_failures(out, found.failures)
    return 0 if found.is_complete else 1


def _tables(found: "InsightsCollection") -> "dict[str, InsightsChanges]":
    return {"runs": found.runs, "jobs": found.jobs, "tests": found.tests, "flaky_tests": found.flaky_tests}


def _as_data(found: "InsightsCollection") -> dict[str, Any]:
    return {
        "projects": found.projects,
        **_tables(found),
        "failures": found.failures,
        "is_complete": found.is_complete,
        "requests": found.requests,
        "location": found.location,
    }
