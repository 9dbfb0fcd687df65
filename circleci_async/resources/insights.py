"""The calls about insights, with what one call is not enough for: a snapshot of many projects."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing

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
        """Iterate `(project, metrics of its workflows)` of many projects, as they come.

        A project that fails gives `(project, error)` and leaves the others alone: tell the two apart with
        `isinstance(result, CircleCIError)`. The options are those of `workflows`. To leave the loop early and be sure
        that nothing goes on, wrap this in `contextlib.aclosing`.
        """
        if isinstance(projects, str):
            raise InvalidArgument(f"projects={projects!r}: give several, as a list: [{projects!r}]")

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
