"""`insights`: how the workflows of projects have fared."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from .output import Column, Output
from .runner import hint_of

if TYPE_CHECKING:
    from ..client import CircleCI
    from ..endpoints.resource import ProjectRef
    from ..errors import CircleCIError
    from ..models.insights import WorkflowMetrics

Row: TypeAlias = "tuple[str, WorkflowMetrics]"
"""A project, and how one of its workflows has fared."""

Results: TypeAlias = "AsyncGenerator[tuple[ProjectRef, list[WorkflowMetrics] | CircleCIError], None]"


async def insights(
    circle: "CircleCI",
    out: Output,
    slugs: Annotated[
        list[str], typer.Argument(metavar="PROJECT", help="Projects, all asked at once.", show_default=False)
    ],
    branch: Annotated[
        str | None, typer.Option(help="Of this branch; the default branch unless given.", show_default=False)
    ] = None,
    all_branches: Annotated[bool, typer.Option("--all-branches", help="Of all branches.", show_default=False)] = False,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="WINDOW",
            help="last-24-hours, last-7-days, last-30-days, last-60-days or last-90-days (the default).",
            show_default=False,
        ),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=32, metavar="N", help="Projects at once.")] = 8,
) -> int:
    """Show the metrics of the workflows of many projects.

    The exit code is 1 if those of a project could not be had; the others are shown all the same.
    """
    from ..slug import ProjectSlug

    projects = list(dict.fromkeys(str(ProjectSlug.parse(slug)) for slug in slugs))
    results = circle.insights.snapshot(
        projects, branch=branch, all_branches=all_branches or None, reporting_window=window, concurrency=concurrency
    )
    return 0 if await show_snapshot(out, projects, results) else 1


async def show_snapshot(out: Output, projects: Sequence[str], results: Results) -> bool:
    """Show metrics: as they come (JSON), or in the order of `projects`. Return whether none failed."""
    found: dict[str, list[WorkflowMetrics] | CircleCIError] = {}

    async def arriving() -> AsyncIterator[dict[str, Any]]:
        async with aclosing(results):
            async for project, result in results:
                found[str(project)] = result
                if isinstance(result, Exception):
                    out.error(f"{project}: {result}", hint_of(result))
                    yield {"project": str(project), "error": result}
                else:
                    yield {"project": str(project), "workflows": result}

    if out.is_json:
        await out.array(arriving())
    else:
        async for _ in arriving():
            pass
    metrics = {project: got for project in projects if isinstance(got := found[project], list)}
    rows = [(project, each) for project, workflows in metrics.items() for each in workflows]
    if rows:
        out.table(rows, METRICS)
    for project in [project for project, workflows in metrics.items() if not workflows]:
        out.note(f"{project}: no workflow ran")
    return len(metrics) == len(projects)


def _seconds(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


METRICS: "tuple[Column[Row], ...]" = (
    Column("Project", lambda row: row[0]),
    Column("Workflow", lambda row: row[1].name),
    Column("Runs", lambda row: row[1].metrics.total_runs, is_fixed=True, is_number=True),
    Column("Success", lambda row: f"{row[1].metrics.success_rate:.1%}", is_fixed=True, is_number=True),
    Column("A day", lambda row: f"{row[1].metrics.throughput:.1f}", is_fixed=True, is_number=True),
    Column("Median", lambda row: _seconds(row[1].metrics.duration_metrics.median), is_fixed=True, is_number=True),
    Column("p95", lambda row: _seconds(row[1].metrics.duration_metrics.p95), is_fixed=True, is_number=True),
    Column("Recovery", lambda row: _seconds(row[1].metrics.mttr), is_fixed=True, is_number=True, is_wide=True),
    Column("Credits", lambda row: row[1].metrics.total_credits_used, is_fixed=True, is_number=True, is_wide=True),
)
