"""Insights, with a snapshot of the metrics of many projects."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing

from ..core.arguments import check_word
from ..core.fan_out import fan_out
from ..endpoints.insights import Insights as Endpoints
from ..endpoints.resource import ProjectRef
from ..errors import CircleCIError, InvalidArgument
from ..models.insights import ReportingWindow, WorkflowMetrics


class Insights(Endpoints):
    """Insights: metrics of workflows, jobs and tests."""

    async def snapshot(
        self,
        projects: Iterable[ProjectRef] | AsyncIterable[ProjectRef],
        *,
        branch: str | None = None,
        all_branches: bool | None = None,
        reporting_window: ReportingWindow | str | None = None,
        concurrency: int = 8,
    ) -> AsyncGenerator[tuple[ProjectRef, list[WorkflowMetrics] | CircleCIError], None]:
        """Iterate over `(project, metrics of its workflows)` of many projects, in the order of completion.

        A failed project yields `(project, error)` and does not stop the others: check for it with
        `isinstance(result, CircleCIError)`. The options are those of `workflows`. Wrap the call in
        `contextlib.aclosing` to cancel the remaining requests when you leave the loop early.
        """
        if isinstance(projects, str):
            raise InvalidArgument(f"projects must be a list such as [{projects!r}], got {projects!r}")

        check_word("reporting_window", reporting_window, ReportingWindow)

        async def fetch(project: ProjectRef) -> list[WorkflowMetrics]:
            metrics = self.workflows(
                project, branch=branch, all_branches=all_branches, reporting_window=reporting_window
            )
            return await metrics.collect()

        async with aclosing(fan_out(projects, fetch, concurrency=concurrency)) as outcomes:
            async for project, outcome in outcomes:
                if isinstance(outcome, Exception) and not isinstance(outcome, CircleCIError):
                    raise outcome
                yield project, outcome
