"""Insights: metrics of workflows, jobs and tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ..core.arguments import check_word
from ..core.paging import Paged
from ..core.when import When, parse_datetime
from ..errors import InvalidArgument
from ..models.insights import (
    FlakyTestReport,
    Granularity,
    InsightsBranches,
    JobMetrics,
    JobTimeseries,
    ReportingWindow,
    TestMetricsReport,
    WorkflowMetrics,
    WorkflowRun,
    WorkflowSummary,
)
from ..models.summaries import OrgSummary, ProjectSummary
from ..slug import org_path, project_path, segment
from .resource import OrgRef, ProjectRef, Resource

MAX_SPAN = timedelta(days=90)

ROUNDING = timedelta(minutes=1)
"""How much earlier "90 days ago" may be by the time it is checked. Metrics lag by a day, so no run is lost."""


class Insights(Resource):
    """Insights: metrics of workflows, jobs and tests.

    Durations are in seconds. Without `branch`, metrics cover the default branch; with `all_branches=True`, all
    branches. CircleCI updates them daily, so the last day can be missing. They are not suitable for billing.
    """

    def workflows(
        self,
        project: ProjectRef,
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
        reporting_window: ReportingWindow | str | None = None,
    ) -> Paged[WorkflowMetrics]:
        """Iterate over the metrics of a project's workflows.

        `GET /insights/{project-slug}/workflows`

        `reporting_window`: `last-90-days` by default.
        """
        _check_branch(branch, all_branches)
        check_word("reporting_window", reporting_window, ReportingWindow)
        return self._session.paged(
            WorkflowMetrics,
            f"/insights/{project_path(project)}/workflows",
            query={"branch": branch, "all-branches": all_branches, "reporting-window": reporting_window},
        )

    def workflow_runs(
        self,
        project: ProjectRef,
        workflow: str,
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
        start_date: When | None = None,
        end_date: When | None = None,
    ) -> Paged[WorkflowRun]:
        """Iterate over the runs of a workflow in the last 90 days.

        `GET /insights/{project-slug}/workflows/{workflow-name}`

        `start_date` is inclusive, `end_date` exclusive: datetimes, dates, text such as `30d`, and so on: see `When`.
        `end_date` requires a `start_date` at most 90 days earlier.
        Without `end_date`, a `start_date` more than 90 days ago is refused: the API would omit the runs that started
        more than 90 days after it.
        """
        _check_branch(branch, all_branches)
        start, end = _parse_range(start_date, end_date)
        return self._session.paged(
            WorkflowRun,
            f"/insights/{project_path(project)}/workflows/{segment(workflow)}",
            query={"branch": branch, "all-branches": all_branches, "start-date": start, "end-date": end},
        )

    def workflow_jobs(
        self,
        project: ProjectRef,
        workflow: str,
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
        reporting_window: ReportingWindow | str | None = None,
        job_name: str | None = None,
    ) -> Paged[JobMetrics]:
        """Iterate over the metrics of a workflow's jobs.

        `GET /insights/{project-slug}/workflows/{workflow-name}/jobs`

        `job_name`: only jobs whose name contains this text.
        """
        _check_branch(branch, all_branches)
        check_word("reporting_window", reporting_window, ReportingWindow)
        return self._session.paged(
            JobMetrics,
            f"/insights/{project_path(project)}/workflows/{segment(workflow)}/jobs",
            query={
                "branch": branch,
                "all-branches": all_branches,
                "reporting-window": reporting_window,
                "job-name": job_name,
            },
        )

    async def workflow_summary(
        self,
        project: ProjectRef,
        workflow: str,
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
    ) -> WorkflowSummary:
        """Return the metrics and trends of a workflow.

        `GET /insights/{project-slug}/workflows/{workflow-name}/summary`
        """
        _check_branch(branch, all_branches)
        return await self._session.request(
            WorkflowSummary,
            "GET",
            f"/insights/{project_path(project)}/workflows/{segment(workflow)}/summary",
            query={"branch": branch, "all-branches": all_branches},
        )

    async def test_metrics(
        self,
        project: ProjectRef,
        workflow: str,
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
    ) -> TestMetricsReport:
        """Return the test metrics of the ten latest runs of a workflow.

        `GET /insights/{project-slug}/workflows/{workflow-name}/test-metrics`
        """
        _check_branch(branch, all_branches)
        return await self._session.request(
            TestMetricsReport,
            "GET",
            f"/insights/{project_path(project)}/workflows/{segment(workflow)}/test-metrics",
            query={"branch": branch, "all-branches": all_branches},
        )

    def job_timeseries(
        self,
        project: ProjectRef,
        workflow: str,
        *,
        branch: str | None = None,
        granularity: Granularity | str | None = None,
        start_date: When | None = None,
        end_date: When | None = None,
    ) -> Paged[JobTimeseries]:
        """Iterate over the metrics of a workflow's jobs over time.

        `GET /insights/time-series/{project-slug}/workflows/{workflow-name}/jobs`

        `granularity`: `hourly` (kept for 48 hours) or `daily` (kept for 90 days). The dates are as in `workflow_runs`.
        """
        check_word("granularity", granularity, Granularity)
        start, end = _parse_range(start_date, end_date)
        return self._session.paged(
            JobTimeseries,
            f"/insights/time-series/{project_path(project)}/workflows/{segment(workflow)}/jobs",
            query={"branch": branch, "granularity": granularity, "start-date": start, "end-date": end},
        )

    async def branches(self, project: ProjectRef, *, workflow: str | None = None) -> InsightsBranches:
        """Return the branches that have metrics, of one workflow or all: 5,000 at most.

        `GET /insights/{project-slug}/branches`
        """
        return await self._session.request(
            InsightsBranches, "GET", f"/insights/{project_path(project)}/branches", query={"workflow-name": workflow}
        )

    async def flaky_tests(self, project: ProjectRef) -> FlakyTestReport:
        """Return the flaky tests of a project, on all branches.

        `GET /insights/{project-slug}/flaky-tests`
        """
        return await self._session.request(FlakyTestReport, "GET", f"/insights/{project_path(project)}/flaky-tests")

    async def project_summary(
        self,
        project: ProjectRef,
        *,
        reporting_window: ReportingWindow | str | None = None,
        branches: Sequence[str] | None = None,
        workflow_names: Sequence[str] | None = None,
    ) -> ProjectSummary:
        """Return the metrics and trends of a project, by workflow and branch.

        `GET /insights/pages/{project-slug}/summary`
        """
        check_word("reporting_window", reporting_window, ReportingWindow)
        return await self._session.request(
            ProjectSummary,
            "GET",
            f"/insights/pages/{project_path(project)}/summary",
            query={"reporting-window": reporting_window, "branches": branches, "workflow-names": workflow_names},
        )

    async def org_summary(
        self,
        organization: OrgRef,
        *,
        reporting_window: ReportingWindow | str | None = None,
        project_names: Sequence[str] | None = None,
    ) -> OrgSummary:
        """Return the metrics and trends of an organization, over all branches.

        `GET /insights/{org-slug}/summary`

        `org_project_data` covers only the projects in `project_names`.
        """
        check_word("reporting_window", reporting_window, ReportingWindow)
        return await self._session.request(
            OrgSummary,
            "GET",
            f"/insights/{org_path(organization)}/summary",
            query={"reporting-window": reporting_window, "project-names": project_names},
        )


def _check_branch(branch: str | None, all_branches: bool | None) -> None:
    if branch is not None and all_branches:
        raise InvalidArgument(f"branch and all_branches cannot be combined, got branch={branch!r}, all_branches=True")


def _parse_range(start_date: When | None, end_date: When | None) -> tuple[datetime | None, datetime | None]:
    """Parse and check the start and the end of a time range."""
    now = datetime.now(UTC)
    start, end = parse_datetime("start_date", start_date, now), parse_datetime("end_date", end_date, now)
    if end is not None:
        if start is None:
            raise InvalidArgument("end_date requires a start_date, at most 90 days earlier")
        if not timedelta(0) < end - start <= MAX_SPAN:
            problem = "" if end > start else ", which is not after it"
            raise InvalidArgument(f"end_date must be at most 90 days after start_date={start}, got {end}{problem}")
    elif start is not None and now - start > MAX_SPAN + ROUNDING:
        raise InvalidArgument(
            f"start_date={start} is more than 90 days ago, so end_date is required: it must be at most 90 days later"
        )
    return start, end
