"""`insights`: workflow metrics of projects."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from .arguments import Projects, concurrency_option, option
from .output import Column, Output
from .runner import print_error

if TYPE_CHECKING:
    from .. import CircleCI
    from ..models import WorkflowMetrics

Row: TypeAlias = "tuple[str, WorkflowMetrics]"
"""A project, and the metrics of one of its workflows."""


async def insights(
    circle: "CircleCI",
    out: Output,
    slugs: Projects,
    branch: Annotated[
        str | None, option("Branch; by default the default branch of each project.", metavar="BRANCH")
    ] = None,
    all_branches: Annotated[bool, option("Include all branches.", "--all-branches")] = False,
    reporting_window: Annotated[
        str | None,
        option(
            "last-24-hours, last-7-days, last-30-days, last-60-days or last-90-days (the default).",
            "--window",
            metavar="WINDOW",
        ),
    ] = None,
    concurrency: Annotated[int, concurrency_option("Projects requested concurrently.")] = 8,
) -> int:
    """Show the metrics of the workflows of projects.

    An organization stands for the projects that `circleci-async projects` lists. The exit code is 1 if the request for
    any project failed; the other projects are shown.
    """
    from ..slug import project_or_organization

    projects = list(dict.fromkeys(str(project_or_organization(slug)) for slug in slugs))
    snapshot = circle.insights.snapshot(
        projects,
        branch=branch,
        all_branches=all_branches or None,
        reporting_window=reporting_window,
        concurrency=concurrency,
    )
    metrics: dict[str, list[WorkflowMetrics]] = {}
    failed = False

    async def results() -> AsyncIterator[dict[str, Any]]:
        nonlocal failed
        async with aclosing(snapshot) as arriving:
            async for project, result in arriving:
                if isinstance(result, Exception):
                    failed = True
                    print_error(out, result, f"{project}: ")
                    yield {"project": project, "error": result}
                else:
                    metrics[project] = result
                    yield {"project": project, "workflows": result}

    if out.is_json:
        await out.array(results())
    else:
        async for _ in results():
            pass
    successful = [project for project in [*projects, *sorted(metrics.keys() - projects)] if project in metrics]
    if rows := [(project, each) for project in successful for each in metrics[project]]:
        out.table(rows, METRICS)
    if not (successful or failed):
        out.note("no projects")
    for project in successful:
        if not metrics[project]:
            out.note(f"{project}: no workflow runs in this window")
    return 1 if failed else 0


def _seconds(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


METRICS: "tuple[Column[Row], ...]" = (
    Column("Project", lambda row: row[0]),
    Column("Workflow", lambda row: row[1].name),
    Column("Runs", lambda row: row[1].metrics.total_runs, is_fixed=True, is_number=True),
    Column("Success", lambda row: f"{row[1].metrics.success_rate:.1%}", is_fixed=True, is_number=True),
    Column("Per day", lambda row: f"{row[1].metrics.throughput:.1f}", is_fixed=True, is_number=True),
    Column("Median", lambda row: _seconds(row[1].metrics.duration_metrics.median), is_fixed=True, is_number=True),
    Column("p95", lambda row: _seconds(row[1].metrics.duration_metrics.p95), is_fixed=True, is_number=True),
    Column("Recovery", lambda row: _seconds(row[1].metrics.mttr or None), is_fixed=True, is_number=True),
    Column("Credits", lambda row: row[1].metrics.total_credits_used, is_fixed=True, is_number=True),
)
