"""Reads the insights of one project as rows, and keeps what cannot be read apart."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, overload
from urllib.parse import quote

from attrs import define, field, frozen

from ..core.paging import Page, Paged
from ..core.session import Session
from ..endpoints.insights import Insights
from ..endpoints.projects import Projects
from ..errors import AuthenticationError, CircleCIError, ConfigurationError, DecodeError, InvalidArgument
from ..harvest.ledger.values import bounded_integer
from ..models.insights import (
    FlakyTest,
    Granularity,
    JobMetrics,
    JobTimeseries,
    ReportingWindow,
    TestMetric,
    WorkflowRun,
)
from ..models.insights_tables import InsightsFlakyTest, InsightsJob, InsightsJobDay, InsightsRun, InsightsTest
from ..models.projects import Project
from ..projects.given import GivenProjects
from .failure import InsightsFailure
from .window import Window

T = TypeVar("T")

FATAL: Final = (AuthenticationError, ConfigurationError)
"""The errors that every further request would raise too: no valid token, a closed client."""

MAX_FAULTY_PAGES: Final = 100
"""Pages with faulty items of one list. The next one ends the list."""


def check_branch(branch: Any) -> None:
    """Raise `InvalidArgument` unless `branch` is the name of a branch, or None for all branches."""
    if branch is not None and not (isinstance(branch, str) and branch):
        raise InvalidArgument(f"branch must be the name of a branch, or left out for all branches, got {branch!r}")


@frozen
class ProjectReader:
    """Reads the insights of one project, each list once. Every method raises as the calls of the API do.

    If items of a list are faulty, the others are read before the `DecodeError` is raised.
    """

    session: Session
    project: str
    """The slug."""
    branch: str | None = None
    """None for all branches. Flaky tests always cover all branches."""

    @property
    def _branches(self) -> dict[str, Any]:
        return {"all_branches": True} if self.branch is None else {"branch": self.branch}

    async def get(self) -> Project:
        """Return the project, which has its default branch and its id."""
        return await Projects(self.session).get(self.project)

    async def workflows(self, window: ReportingWindow) -> AsyncGenerator[list[str]]:
        """Iterate pages of the names of the workflows that ran in a window."""
        listed = Insights(self.session).workflows(self.project, reporting_window=window, **self._branches)
        async with aclosing(_pages(listed)) as pages:
            async for page in pages:
                yield [each.name for each in page.items]

    async def runs(
        self, workflow: str, window: Window, default_branch: str | None
    ) -> AsyncGenerator[list[InsightsRun]]:
        """Iterate pages of the runs of a workflow that started in a window. No run is yielded twice."""
        seen: set[str] = set()
        for piece in window.pieces():
            listed = Insights(self.session).workflow_runs(
                self.project, workflow, start_date=piece.start, end_date=piece.end, **self._branches
            )
            async with aclosing(_pages(listed)) as pages:
                async for page in pages:  # runs that start meanwhile can move others to the next page
                    new = {run.id: run for run in page.items if run.id not in seen}
                    seen.update(new)
                    yield [self._run(workflow, run, default_branch) for run in new.values()]

    async def jobs(self, workflow: str, window: ReportingWindow) -> AsyncGenerator[list[InsightsJob]]:
        """Iterate pages of the metrics of a workflow's jobs."""
        listed = Insights(self.session).workflow_jobs(self.project, workflow, reporting_window=window, **self._branches)
        async with aclosing(_pages(listed)) as pages:
            async for page in pages:
                yield [self._job(workflow, job) for job in page.items]

    async def job_days(self, workflow: str, branch: str, window: Window) -> AsyncGenerator[list[InsightsJobDay]]:
        """Iterate pages of the runs of a workflow's jobs on a branch, by day. The window has at most 90 days."""
        listed = Insights(self.session).job_timeseries(
            self.project,
            workflow,
            branch=branch,
            granularity=Granularity.DAILY,
            start_date=window.start,
            end_date=window.end,
        )
        async with aclosing(_pages(listed)) as pages:
            async for page in pages:
                yield [self._job_day(workflow, branch, bucket) for bucket in page.items]

    async def tests(self, workflow: str) -> list[InsightsTest]:
        """Return the tests that are among the most often failed or the slowest of the ten latest runs, each once."""
        report = await Insights(self.session).test_metrics(self.project, workflow, **self._branches)
        tests = [self._test(workflow, test) for test in (*report.most_failed_tests, *report.slowest_tests)]
        return list(
            {(each.job, each.test_name, each.classname, each.file, each.source): each for each in tests}.values()
        )

    async def flaky_tests(self) -> list[InsightsFlakyTest]:
        """Return the flaky tests, on all branches."""
        report = await Insights(self.session).flaky_tests(self.project)
        return [self._flaky_test(test) for test in report.flaky_tests]

    def _run(self, workflow: str, run: WorkflowRun, default_branch: str | None) -> InsightsRun:
        return InsightsRun(
            project=self.project,
            workflow=workflow,
            id=run.id,
            branch=run.branch or None,  # empty for a run of a tag
            is_default_branch=None if default_branch is None else run.branch == default_branch,
            status=None if run.status is None else run.status.value,
            duration=_integer(run.duration),
            credits_used=_integer(run.credits_used),
            created_at=run.created_at.astimezone(UTC),
            stopped_at=_utc(run.stopped_at),
            is_approval=run.is_approval,
        )

    def _job(self, workflow: str, job: JobMetrics) -> InsightsJob:
        metrics = job.metrics
        return InsightsJob(
            project=self.project,
            workflow=workflow,
            job=job.name,
            total_runs=_integer(metrics.total_runs),
            successful_runs=_integer(metrics.successful_runs),
            failed_runs=_integer(metrics.failed_runs),
            median_duration=_number(metrics.duration_metrics.median),
            p95_duration=_number(metrics.duration_metrics.p95),
            credits_used=_integer(metrics.total_credits_used),
        )

    def _job_day(self, workflow: str, branch: str, bucket: JobTimeseries) -> InsightsJobDay:
        metrics, day = bucket.metrics, bucket.timestamp.astimezone(UTC).date()
        names = (self.project, workflow, branch, bucket.name, day.isoformat())
        return InsightsJobDay(
            project=self.project,
            workflow=workflow,
            branch=branch,
            job=bucket.name,
            day=day,
            id="/".join(quote(name, safe="", errors="backslashreplace") for name in names),
            total_runs=_integer(metrics.total_runs),
            successful_runs=_integer(metrics.successful_runs),
            failed_runs=_integer(metrics.failed_runs),
            median_duration=_number(metrics.duration_metrics.median),
            p95_duration=_number(metrics.duration_metrics.p95),
            total_duration=_number(metrics.duration_metrics.total),
            credits_used=_integer(metrics.total_credits_used),
        )

    def _test(self, workflow: str, test: TestMetric) -> InsightsTest:
        return InsightsTest(
            project=self.project,
            workflow=workflow,
            job=test.job_name,
            test_name=test.test_name,
            classname=test.classname,
            file=test.file,
            source=test.source,
            total_runs=_integer(test.total_runs),
            failed_runs=_integer(test.failed_runs),
            is_flaky=test.flaky,
            p95_duration=_number(test.p95_duration),
        )

    def _flaky_test(self, test: FlakyTest) -> InsightsFlakyTest:
        return InsightsFlakyTest(
            project=self.project,
            workflow=test.workflow_name,
            job=test.job_name,
            test_name=test.test_name,
            classname=test.classname,
            file=test.file,
            source=test.source,
            times_flaked=_integer(test.times_flaked),
            time_wasted=_integer(test.time_wasted),
            job_number=_integer(test.job_number),
            pipeline_number=_integer(test.pipeline_number),
            workflow_id=test.workflow_id,
            workflow_created_at=test.workflow_created_at.astimezone(UTC),
        )


@define
class Attempts:
    """The attempts to read the parts of a project."""

    project: str
    permits: asyncio.Semaphore
    """How many parts are read at a time, over all projects."""
    failures: list[InsightsFailure] = field(factory=list[InsightsFailure])

    async def read(
        self, kind: str, workflow: str | None, read: Callable[[], Awaitable[object]]
    ) -> CircleCIError | None:
        """Read a part, and return the error that it failed with. Raises the errors in `FATAL`."""
        try:
            async with self.permits:
                await read()
        except FATAL:
            raise
        except CircleCIError as error:
            self.failures.append(InsightsFailure(project=self.project, kind=kind, workflow=workflow, error=error))
            return error
        return None


def organization_failures(given: GivenProjects) -> list[InsightsFailure]:
    """Return the organizations whose projects could not be listed."""
    return [
        InsightsFailure(project=organization, kind="projects", error=error)
        for organization, error in given.organizations.items()
        if error is not None
    ]


async def _pages(paged: Paged[T]) -> AsyncGenerator[Page[T]]:
    """Iterate the pages of a list. Faulty items are left out, and their first error is raised at the end."""
    errors: list[DecodeError] = []
    token: str | None = None
    while not errors or token is not None:
        try:
            async with aclosing(paged.pages(start=token)) as pages:
                async for page in pages:
                    yield page
            break
        except DecodeError as error:
            errors.append(error)
            if error.page is None or len(errors) > MAX_FAULTY_PAGES:
                break
            items, token = error.page
            yield Page(items, token)
    if errors:
        raise errors[0]


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


@overload
def _integer(value: int) -> int: ...
@overload
def _integer(value: int | None) -> int | None: ...
def _integer(value: int | None) -> int | None:
    """Return an integer that tables and charts can contain."""
    return None if value is None else bounded_integer(value)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
