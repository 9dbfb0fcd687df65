"""The workflows API, with waiting for the end of a workflow and watching its changes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.polling import Interval
from ..endpoints.resource import Id
from ..endpoints.workflows import Workflows as Endpoints
from ..watching.arguments import GRACE, INTERVAL, HoldCallback, OnHold, WaitOptions

if TYPE_CHECKING:
    from ..watching.results import WorkflowResult
    from ..watching.wait import Wait
    from ..watching.watch import Watch


class Workflows(Endpoints):
    """Workflows: the runs of workflow definitions within pipelines."""

    async def wait(
        self,
        workflow_id: Id,
        *,
        timeout: float | None = None,
        on_hold: OnHold | HoldCallback = "return",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
    ) -> "WorkflowResult":
        """Wait until a workflow has ended, and return the result with its jobs.

        A rerun is another workflow: wait for the one that `rerun` returns, or for the pipeline. `grace`: seconds for
        which the workflow may be missing, because it is new. The other arguments are those of `pipelines.wait`.

        Raises `WaitTimeout`, whose `last` is the latest `WorkflowResult`, and `NotFound` if the workflow is missing
        after `grace`.
        """
        options = WaitOptions(timeout, interval, grace, on_hold, jobs=True)
        return await self._wait(workflow_id, options).result()

    def watch(
        self,
        workflow_id: Id,
        *,
        timeout: float | None = None,
        on_hold: OnHold = "wait",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
        jobs: bool = True,
    ) -> "Watch[WorkflowResult]":
        """Iterate the changes of a workflow and its jobs until it has ended, as `pipelines.watch` does."""
        options = WaitOptions(timeout, interval, grace, on_hold, jobs=jobs)
        from ..watching.watch import Watch  # only now: it loads the models of other groups

        return Watch(self._wait(workflow_id, options))

    async def rerun_and_wait(
        self,
        workflow_id: Id,
        *,
        from_failed: bool | None = None,
        jobs: Sequence[Id] | None = None,
        enable_ssh: bool | None = None,
        sparse_tree: bool | None = None,
        timeout: float | None = None,
        on_hold: OnHold | HoldCallback = "return",
        interval: Interval = INTERVAL,
        grace: float = GRACE,
    ) -> "WorkflowResult":
        """Rerun a workflow, wait until the new workflow has ended, and return its result.

        The arguments are those of `rerun` and `wait`. `timeout` starts with the call, but never interrupts the rerun
        itself, whose outcome would be unknown.

        Raises the errors of these methods, and `RateLimited` before anything is sent if a rate-limit pause outlasts
        `timeout`. An error during the wait does not stop the new workflow.
        """
        options = WaitOptions(timeout, interval, grace, on_hold, jobs=True)
        from ..watching.triggering import rerun_and_wait  # only now: it loads the models of other groups

        return await rerun_and_wait(
            self._session,
            workflow_id,
            options,
            from_failed=from_failed,
            jobs=jobs,
            enable_ssh=enable_ssh,
            sparse_tree=sparse_tree,
        )

    def _wait(self, workflow_id: Id, options: WaitOptions) -> "Wait[WorkflowResult]":
        from ..watching.wait import wait_for_workflow  # only now: it loads the models of other groups

        return wait_for_workflow(self._session, workflow_id, options)
