"""Makes a report of projects from the API."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from attrs import frozen

from ..core.arguments import check_positive_integer
from ..core.fan_out import map_concurrently
from ..core.progress import check_on_progress
from ..core.session import Session
from ..endpoints.resource import ProjectsRef
from ..errors import CircleCIError, InvalidArgument
from ..models.insights_tables import (
    InsightsFlakyTest,
    InsightsJob,
    InsightsRun,
    InsightsTest,
    InsightsUsage,
    InsightsWorkflow,
)
from ..models.usage import UsageExport
from ..projects.given import given_projects
from ..slug import ProjectSlug
from ..usage.export import rows_of
from ..usage.progress import UsageProgressTracker
from .attempts import organization_failures
from .failure import InsightsFailure
from .metrics import workflows_of
from .notes import notes_on
from .previous import PreviousWindow, previous_of, workflows_before
from .progress import InsightsProgressTracker, OnInsightsProgress
from .project import ProjectFetch, ProjectInsights
from .reading import FATAL, ProjectReader, check_branch
from .report import InsightsReport
from .table import InsightsTable, sorted_table
from .usage_exports import make_exports
from .usage_rows import InsightsUsageSource, Rows, UsageFilter, usage_source
from .window import InsightsWindow, Window, parse_window

T = TypeVar("T")


async def make_report(
    session: Session,
    projects: ProjectsRef,
    window: InsightsWindow,
    branch: str | None,
    *,
    usage: InsightsUsageSource | None,
    concurrency: int,
    on_progress: OnInsightsProgress | None,
) -> InsightsReport:
    """Return the report of projects; see `insights.report`. The arguments are checked before anything is sent."""
    now = datetime.now(UTC)
    span = parse_window(window, now)
    check_branch(branch)
    check_positive_integer("concurrency", concurrency)
    check_on_progress(on_progress)
    source = usage_source(usage)
    session = session.with_options()  # counts the requests of this report only
    given = await given_projects(session, projects)
    tracker = InsightsProgressTracker(session, on_progress)
    tracker.update(projects_total=len(given.projects))
    fetch = _Fetch(session, given.projects, span, branch, now, concurrency, tracker)
    previous = previous_of(span, now)

    async def read_projects() -> list[ProjectInsights]:
        return await fetch.projects(previous)

    async def export_usage() -> tuple[list[UsageExport], list[InsightsFailure]]:
        return await fetch.exports() if usage is True else ([], [])

    calls: list[Any] = [read_projects, export_usage]  # exports take minutes
    read, (exports, failed_exports) = cast(
        "tuple[list[ProjectInsights], tuple[list[UsageExport], list[InsightsFailure]]]",
        await map_concurrently(calls, lambda call: call(), concurrency=len(calls)),
    )
    rows = [_export_rows(session, export) for export in exports]
    if source is not None:
        rows.append(source(session))
    used, failed_rows = await fetch.usage(rows, read)

    runs = [run for each in read for run in each.runs]
    if previous.runs is not None:
        before = [run for run in runs if run.created_at < span.start]
        runs = [run for run in runs if run.created_at >= span.start]
        workflows, known_before = workflows_of(runs), workflows_of(before)
    else:
        workflows = workflows_of(runs)
        known_before = [
            workflow
            for each in read
            if each.summary is not None
            for workflow in workflows_before(each.slug, each.summary.project_workflow_data, workflows)
        ]
    notes = notes_on(span, now, exports_usage=usage is True)
    return InsightsReport(
        projects=given.projects,
        start=span.start,
        end=span.end,
        branch=branch,
        workflows=InsightsTable(InsightsWorkflow, workflows),
        runs=sorted_table(InsightsRun, runs, "created_at", "id"),
        jobs=sorted_table(InsightsJob, (job for each in read for job in each.jobs), "job"),
        flaky_tests=sorted_table(
            InsightsFlakyTest, (test for each in read for test in each.flaky_tests), "job", "test_name"
        ),
        tests=sorted_table(InsightsTest, (test for each in read for test in each.tests), "job", "test_name"),
        usage=sorted_table(InsightsUsage, used, "started_at"),
        has_usage=source is not None or bool(exports),
        previous=InsightsTable(InsightsWorkflow, known_before),
        failures=(
            *organization_failures(given),
            *(failure for each in read for failure in each.failures),
            *failed_exports,
            *failed_rows,
        ),
        notes=(*notes, *filter(None, [previous.note])),
        requests=session.requests,
    )


@frozen
class _Fetch:
    """Reads the parts of one report."""

    session: Session
    slugs: tuple[str, ...]
    window: Window
    branch: str | None
    now: datetime
    concurrency: int
    tracker: InsightsProgressTracker

    async def projects(self, previous: PreviousWindow) -> list[ProjectInsights]:
        """Read all projects, in their order."""
        permits = asyncio.Semaphore(self.concurrency)

        async def read(slug: str) -> ProjectInsights:
            project = ProjectFetch(
                ProjectReader(self.session, slug, self.branch),
                self.window if previous.runs is None else Window(previous.runs.start, self.window.end),
                self.window.reporting_window(self.now),
                permits,
                self.now,
                previous.summary,
                lambda runs: self.tracker.add(runs=runs),
            )
            found = await project.read()
            self.tracker.add(projects=1)
            return found

        return await map_concurrently(self.slugs, read, concurrency=self.concurrency)

    @property
    def organizations(self) -> list[str]:
        """Return the organizations of the projects."""
        return list(dict.fromkeys(str(ProjectSlug.parse(slug).organization_slug) for slug in self.slugs))

    async def exports(self) -> tuple[list[UsageExport], list[InsightsFailure]]:
        """Make usage exports."""
        return await make_exports(self.session, self.organizations, self.window, self.now, self.tracker)

    async def usage(
        self, sources: Iterable[Rows], projects: Iterable[ProjectInsights]
    ) -> tuple[list[InsightsUsage], list[InsightsFailure]]:
        """Read the rows of usage exports."""
        usage = UsageFilter({each.slug: each.project for each in projects}, self.branch, self.window)
        failures: list[InsightsFailure] = []
        for rows in sources:
            try:
                await usage.add_all(rows, lambda count: self.tracker.add(usage_rows=count))
            except (*FATAL, InvalidArgument):
                raise
            except CircleCIError as error:
                project = ", ".join(self.organizations)
                failures.append(InsightsFailure(project=project, kind="usage", error=error))
        return usage.found, failures


def _export_rows(session: Session, export: UsageExport) -> Rows:
    tracker = UsageProgressTracker(export.usage_export_job_id, None)
    return cast(Rows, rows_of(session, export, tracker, raw=False))
