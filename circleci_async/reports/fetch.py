"""Makes a report of projects from the API."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar, cast

from attrs import define, field

from ..core.arguments import check_positive_integer
from ..core.fan_out import map_concurrently
from ..core.progress import check_on_progress
from ..core.session import Session
from ..endpoints.resource import ProjectsRef
from ..endpoints.usage import MAX_AGE
from ..errors import CircleCIError, InvalidArgument, NotFound
from ..models.insights_tables import (
    InsightsFlakyTest,
    InsightsJob,
    InsightsRun,
    InsightsTest,
    InsightsUsage,
    InsightsWorkflow,
)
from ..models.projects import Project
from ..models.usage import UsageExport
from ..projects.given import given_projects
from ..slug import ProjectSlug
from .failure import InsightsFailure
from .metrics import workflows_of
from .progress import InsightsProgressTracker, OnInsightsProgress
from .reading import FATAL, Attempts, ProjectReader, check_branch, organization_failures
from .report import InsightsReport
from .table import InsightsTable, sorted_table
from .usage_rows import InsightsUsageSource, UsageFilter, export_rows, make_exports, usage_source
from .window import KEPT, REPORTING_WINDOWS, InsightsWindow, Window, parse_window
from .wording import length

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
    organizations = list(dict.fromkeys(str(ProjectSlug.parse(slug).organization_slug) for slug in given.projects))
    before = span.before()
    runs_window = Window(before.start, span.end) if before.is_kept(now) else span
    permits = asyncio.Semaphore(concurrency)

    async def read(slug: str) -> ProjectFetch:
        project = ProjectFetch(
            ProjectReader(session, slug, branch), span, runs_window, now, Attempts(slug, permits), tracker
        )
        await project.read()
        tracker.add(projects=1)
        return project

    async def read_projects() -> list[ProjectFetch]:
        return await map_concurrently(given.projects, read, concurrency=concurrency)

    async def export_usage() -> tuple[list[UsageExport], list[InsightsFailure]]:
        return await make_exports(session, organizations, span, now, tracker) if usage is True else ([], [])

    calls: list[Any] = [read_projects, export_usage]  # exports take minutes
    fetched, (exports, failures) = cast(
        "tuple[list[ProjectFetch], tuple[list[UsageExport], list[InsightsFailure]]]",
        await map_concurrently(calls, lambda call: call(), concurrency=len(calls)),
    )
    used = UsageFilter({each.reader.project: each.project for each in fetched}, branch, span)
    sources = [export_rows(session, export) for export in exports]
    for rows in sources if source is None else [source(session)]:
        try:
            await used.add_all(rows, lambda count: tracker.add(usage_rows=count))
        except (*FATAL, InvalidArgument):
            raise
        except CircleCIError as error:
            failures.append(InsightsFailure(project=", ".join(organizations), kind="usage", error=error))

    runs = [run for each in fetched for run in each.runs]
    runs_before = [run for run in runs if run.created_at < span.start]
    runs = [run for run in runs if run.created_at >= span.start]
    jobs = (job for each in fetched for job in each.jobs)
    flaky_tests = (test for each in fetched for test in each.flaky_tests)
    tests = (test for each in fetched for test in each.tests)
    return InsightsReport(
        projects=given.projects,
        start=span.start,
        end=span.end,
        branch=branch,
        workflows=InsightsTable(InsightsWorkflow, workflows_of(runs)),
        runs=sorted_table(InsightsRun, runs, "created_at", "id"),
        jobs=sorted_table(InsightsJob, jobs, "job"),
        flaky_tests=sorted_table(InsightsFlakyTest, flaky_tests, "job", "test_name"),
        tests=sorted_table(InsightsTest, tests, "job", "test_name"),
        usage=sorted_table(InsightsUsage, used.found, "started_at"),
        has_usage=source is not None or bool(exports),
        previous=InsightsTable(InsightsWorkflow, workflows_of(runs_before)),
        failures=(
            *organization_failures(given),
            *(failure for each in fetched for failure in each.attempts.failures),
            *failures,
        ),
        notes=tuple(_notes(span, now, exports_usage=usage is True)),
        requests=session.requests,
    )


@define
class ProjectFetch:
    """Reads one project: each list once, and concurrently as the permits of `attempts` allow."""

    reader: ProjectReader
    window: Window
    """Of the report."""
    runs_window: Window
    """Of the runs: also the window before, if it is kept."""
    now: datetime
    attempts: Attempts
    tracker: InsightsProgressTracker
    project: Project | None = field(default=None, init=False)
    """None if it could not be read."""
    workflows: dict[str, None] = field(factory=dict[str, None], init=False)
    """The names of the workflows that ran."""
    runs: list[InsightsRun] = field(factory=list[InsightsRun], init=False)
    jobs: list[InsightsJob] = field(factory=list[InsightsJob], init=False)
    flaky_tests: list[InsightsFlakyTest] = field(factory=list[InsightsFlakyTest], init=False)
    tests: list[InsightsTest] = field(factory=list[InsightsTest], init=False)

    async def read(self) -> None:
        """Read what can be read. A project that answers 404 has one failure, and nothing else is requested.

        Raises the errors in `FATAL`.
        """
        for kind, read in (("project", self._project), ("workflows", self._workflows)):
            if isinstance(await self.attempts.read(kind, None, read), NotFound):
                return
        parts: list[tuple[str, str | None, Callable[[], Awaitable[object]]]] = [
            ("flaky_tests", None, self._flaky_tests)
        ]
        for name in self.workflows:
            parts.append(("runs", name, partial(self._runs, name)))
            parts.append(("jobs", name, partial(self._jobs, name)))
            parts.append(("tests", name, partial(self._tests, name)))
        await map_concurrently(parts, lambda part: self.attempts.read(*part), concurrency=len(parts))

    async def _project(self) -> None:
        self.project = await self.reader.get()

    async def _workflows(self) -> None:
        pages = self.reader.workflows(self.runs_window.reporting_window(self.now))
        await each_page(pages, lambda page: self.workflows.update(dict.fromkeys(page)))

    async def _flaky_tests(self) -> None:
        self.flaky_tests = await self.reader.flaky_tests()

    async def _runs(self, workflow: str) -> None:
        def add(page: list[InsightsRun]) -> None:
            self.runs.extend(page)
            self.tracker.add(runs=len(page))

        default_branch = None if self.project is None else self.project.vcs_info.default_branch
        await each_page(self.reader.runs(workflow, self.runs_window, default_branch), add)

    async def _jobs(self, workflow: str) -> None:
        window = self.window.reporting_window(self.now)
        await each_page(self.reader.jobs(workflow, window), self.jobs.extend)

    async def _tests(self, workflow: str) -> None:
        self.tests += await self.reader.tests(workflow)


async def each_page(pages: AsyncGenerator[list[T]], add: Callable[[list[T]], object]) -> None:
    """Call a function with each page."""
    async with aclosing(pages):
        async for page in pages:
            add(page)


def _notes(window: Window, now: datetime, *, exports_usage: bool) -> list[str]:
    """Return a sentence for each limit of the API that applies to a report."""
    notes: list[str] = []
    days, day = KEPT // timedelta(days=1), timedelta(days=1)
    if not window.is_kept(now):
        notes.append(f"CircleCI keeps insights for {days} days: runs before {now - KEPT:%Y-%m-%d} are missing")
    if now - window.end < day:
        notes.append("CircleCI updates insights once a day: runs of the last day can be missing")
    if not window.is_reporting_window(now):
        covered = REPORTING_WINDOWS[window.reporting_window(now)]
        notes.append(f"job metrics cover the last {length(covered)}, because CircleCI has them for fixed windows only")
    notes.append("test metrics cover the ten latest runs of each workflow")
    notes.append("flaky tests are counted by CircleCI until now, on all branches")
    if exports_usage and now - window.start > MAX_AGE:
        notes.append(f"usage exports reach back one year: usage before {now - MAX_AGE:%Y-%m-%d} is missing")
    if not window.before().is_kept(now):
        notes.append(f"CircleCI keeps insights for {days} days: the window before is not known")
    return notes
