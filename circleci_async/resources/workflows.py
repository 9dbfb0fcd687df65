"""The calls about workflows, with waiting for their end."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from ..endpoints.resource import Id
from ..endpoints.workflows import Workflows as Endpoints
from ..slug import segment
from ..watching.arguments import GRACE, INTERVAL, Interval, OnHold, Patience

if TYPE_CHECKING:
    from ..watching.changes import Change
    from ..watching.results import WorkflowResult
    from ..watching.wait import Wait


class Workflows(Endpoints):
    """Workflows: one run of a workflow definition within a pipeline."""

    async def wait(
        self,
        workflow_id: Id,
        *,
        timeout: float | None = None,
        on_hold: OnHold = "return",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
    ) -> "WorkflowResult":
        """Wait until a workflow has ended, and return how, with its jobs.

        A rerun of it is another workflow: wait for the one that `rerun` returns, or for the pipeline. `grace`: seconds
        for which it may be missing, just after it was made. The other arguments are those of `pipelines.wait`, as is
        how it waits.

        Raises `WaitTimeout`, whose `last` is the `WorkflowResult` of what was seen last; `NotFound` if the workflow is
        not there after `grace`.
        """
        return await self._wait(workflow_id, Patience(timeout, interval, grace, on_hold), jobs=True).end()

    def watch(
        self,
        workflow_id: Id,
        *,
        timeout: float | None = None,
        on_hold: OnHold = "wait",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
        jobs: bool = True,
    ) -> "AsyncGenerator[Change, None]":
        """Iterate what changes in a workflow until it has ended: first how it stands, then each change once, in order.

        As `pipelines.watch`, of one workflow and its jobs.
        """
        return self._wait(workflow_id, Patience(timeout, interval, grace, on_hold), jobs=jobs).changes()

    def _wait(self, workflow_id: Id, patience: Patience, *, jobs: bool) -> "Wait[WorkflowResult]":
        from ..watching.wait import for_workflow

        segment(workflow_id)  # whose text is used from here on
        return for_workflow(self._session, str(workflow_id).lower(), patience, jobs=jobs)
