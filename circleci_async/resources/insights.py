"""Insights, with reports and a snapshot of the metrics of many projects."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..core.arguments import check_word
from ..core.fan_out import fan_out
from ..endpoints.insights import Insights as Endpoints
from ..endpoints.resource import ProjectRef, ProjectsRef
from ..errors import CircleCIError
from ..models.insights import ReportingWindow, WorkflowMetrics
from ..slug import OrgSlug, ProjectSlug

if TYPE_CHECKING:
    from ..harvest.destination.place import HarvestDestination
    from ..reports.history.collection import InsightsCollection
    from ..reports.progress import OnInsightsProgress
    from ..reports.report import InsightsReport
    from ..reports.usage_rows import InsightsUsageSource
    from ..reports.window import InsightsWindow

P = TypeVar("P", bound=ProjectRef)


class Insights(Endpoints):
    """Insights: metrics of workflows, jobs and tests."""

    async def collect(
        self,
        projects: ProjectsRef,
        into: "HarvestDestination",
        *,
        recheck: str | timedelta = "7d",
        concurrency: int = 16,
        on_progress: "OnInsightsProgress | None" = None,
    ) -> "InsightsCollection":
        """Add what is new to a history of runs, jobs, tests and flaky tests, which outlasts CircleCI's 90 days.

        - `projects`: projects, or organizations for all of their projects.
        - `into`: a folder, the URL of a bucket such as `s3://ci-archive/history`, or a store of obstore. The files are
          Parquet in Hive partitions: `runs/project=gh%2Facme%2Fapi/month=2026-11/runs.parquet`.
        - `recheck`: read the runs again that started up to this long before the newest run in the history, because
          Insights lags by a day, and lists a run only when it has ended, such as after an approval.
        - `concurrency`: the lists that are read at a time.
        - `on_progress`: a plain function, called with an `InsightsProgress`.

        The first time, the runs of 90 days are read, later those since the newest run in the history. It can be
        cancelled or killed at any time, and repeated. `report_from_history` reads the history. What cannot be read is
        in `failures`; the rest is collected. Needs the extra `report`, and `store` for a bucket. Raises
        `ConfigurationError` without them, `InvalidArgument`, `AuthenticationError`, `LedgerError` if a file of the
        history is damaged, `StoreError`, and the error of an organization if no project can be listed.
        """
        from ..reports.history.collect import collect

        return await collect(
            self._session, projects, into, recheck=recheck, concurrency=concurrency, on_progress=on_progress
        )

    @overload
    def snapshot(
        self,
        projects: Iterable[str] | AsyncIterable[str],
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
        reporting_window: ReportingWindow | str | None = None,
        concurrency: int = 8,
    ) -> AsyncGenerator[tuple[str, list[WorkflowMetrics] | CircleCIError], None]: ...

    @overload
    def snapshot(
        self,
        projects: ProjectSlug | Iterable[ProjectSlug] | AsyncIterable[ProjectSlug],
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
        reporting_window: ReportingWindow | str | None = None,
        concurrency: int = 8,
    ) -> AsyncGenerator[tuple[ProjectSlug, list[WorkflowMetrics] | CircleCIError], None]: ...

    @overload
    def snapshot(  # type: ignore[overload-overlap]  # an OrgSlug is not a ProjectRef
        self,
        projects: OrgSlug | Iterable[ProjectSlug | OrgSlug] | AsyncIterable[ProjectSlug | OrgSlug],
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
        reporting_window: ReportingWindow | str | None = None,
        concurrency: int = 8,
    ) -> AsyncGenerator[tuple[ProjectSlug | OrgSlug, list[WorkflowMetrics] | CircleCIError], None]: ...

    @overload
    def snapshot(
        self,
        projects: Iterable[str | ProjectSlug] | AsyncIterable[str | ProjectSlug],
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
        reporting_window: ReportingWindow | str | None = None,
        concurrency: int = 8,
    ) -> AsyncGenerator[tuple[str | ProjectSlug, list[WorkflowMetrics] | CircleCIError], None]: ...

    @overload
    def snapshot(
        self,
        projects: P | Iterable[P] | AsyncIterable[P],
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
        reporting_window: ReportingWindow | str | None = None,
        concurrency: int = 8,
    ) -> AsyncGenerator[tuple[P, list[WorkflowMetrics] | CircleCIError], None]: ...

    def snapshot(
        self,
        projects: ProjectsRef,
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
        reporting_window: ReportingWindow | str | None = None,
        concurrency: int = 8,
    ) -> AsyncGenerator[tuple[Any, list[WorkflowMetrics] | CircleCIError], None]:
        """Iterate over `(project, metrics of its workflows)` of many projects, in the order of completion.

        `projects` are yielded as they were passed: text stays text. An organization such as `gh/acme`, alone or among
        them, stands for the projects that `projects.list` finds.

        A failed project yields `(project, error)`, and an organization whose projects cannot be listed
        `(organization, error)`; the others continue: check for it with `isinstance(result, CircleCIError)`. The options
        are those of `workflows`. Wrap the call in `contextlib.aclosing` to cancel the remaining requests when you leave
        the loop early.
        """
        check_word("reporting_window", reporting_window, ReportingWindow)

        async def fetch(each: "tuple[Any, ProjectSlug | CircleCIError]") -> list[WorkflowMetrics]:
            if isinstance(each[1], CircleCIError):
                raise each[1]
            options: dict[str, Any] = {"branch": branch, "all_branches": all_branches}
            return await self.workflows(each[1], reporting_window=reporting_window, **options).collect()

        async def results() -> AsyncGenerator[tuple[Any, list[WorkflowMetrics] | CircleCIError], None]:
            from ..projects.given import each_project  # only now: it loads the models of other groups

            given = each_project(self._session, projects)
            async with aclosing(fan_out(given, fetch, concurrency=concurrency)) as outcomes:
                async for (project, _), outcome in outcomes:
                    if isinstance(outcome, Exception) and not isinstance(outcome, CircleCIError):
                        raise outcome
                    yield project, outcome

        return results()

    async def report(
        self,
        projects: ProjectsRef,
        window: "InsightsWindow" = "90d",
        branch: str | None = None,
        *,
        usage: "InsightsUsageSource | None" = None,
        concurrency: int = 16,
        on_progress: "OnInsightsProgress | None" = None,
    ) -> "InsightsReport":
        """Return a report: what the workflows of projects cost, where they fail, and whether that gets better.

        `projects` are projects, organizations for all their projects, or several of both. `window`: a length until now,
        such as `90d`, `2w` or `12h`, or a pair of start and end. `branch`: all branches by default. At most
        `concurrency` lists are read at a time.

        `usage` adds queue times, resource classes and the use of CPU and RAM: a completed `UsageExport`, the CSV file
        of one, its rows, or True to ask CircleCI for exports, which takes minutes to hours.

        What cannot be read is in `InsightsReport.failures`, and the limits of the API that apply, such as the 90 days
        that CircleCI keeps, in `.notes`. `on_progress` is called with an `InsightsProgress`.

        Raises `InvalidArgument` before anything is sent, `AuthenticationError`, and the error of an organization if no
        project can be listed.
        """
        from ..reports.fetch import make_report

        return await make_report(
            self._session,
            projects,
            window,
            branch,
            usage=usage,
            concurrency=concurrency,
            on_progress=on_progress,
        )
