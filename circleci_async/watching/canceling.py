"""Cancels the workflows of a pipeline until none is left."""

import asyncio
import math
from typing import Any

from attrs import define, evolve, field, frozen

from ..core.fan_out import fan_out_in_order
from ..core.polling import PollSchedule
from ..core.session import Session
from ..endpoints.resource import Id
from ..endpoints.workflows import Workflows
from ..errors import BadRequest, Conflict, NotFound, WaitTimeout
from ..models.messages import Message
from ..models.workflows import Workflow, WorkflowStatus
from .arguments import WaitOptions
from .polls import pipeline_poll
from .results import Outcome, PipelineResult, pipeline_result
from .snapshot import Snapshot
from .triggering import with_max_wait
from .verdict import PollResult, Verdict, pipeline_verdict
from .wait import Wait, checked_id

__all__ = ["PipelineCancellation"]

MAX_MISSING = 10.0
"""Seconds, but at most `grace`, for which the pipeline may be missing: a wrong id is likelier than a new pipeline."""

SETTLE_TIME = 5.0
"""Seconds after the last cancellation, but at most `grace`, for which later workflows are expected."""

CHECK_INTERVAL = 1.0
"""Seconds, but at most the first interval, between the polls after a cancellation."""

CANCELS_AT_ONCE = 8
"""Workflows that are canceled concurrently."""


@frozen(kw_only=True)
class PipelineCancellation(PipelineResult):
    """How a pipeline ended, as `pipelines.cancel` returns it."""

    canceled: tuple[Workflow, ...]
    """The workflows that this call canceled, oldest first. Empty if all had ended before."""


async def cancel_pipeline(session: Session, pipeline_id: Id, options: WaitOptions) -> PipelineCancellation:
    """Cancel the workflows of a pipeline until it has ended; see `pipelines.cancel`."""
    id = checked_id(pipeline_id)
    this = _Cancellation(Workflows(with_max_wait(session, options.timeout)), PollSchedule(options.interval))
    wait = Wait(session, ("pipeline", id), pipeline_poll(session, id), this.verdict, this.result, options)
    try:
        return await wait.result(this.cancel)
    except WaitTimeout as error:
        error.hint = "What was canceled stays canceled: call `cancel` again, with a longer `timeout`."
        raise


@define
class _Cancellation:
    """The cancellation of one pipeline. Each workflow is canceled once; again only after a request that failed."""

    workflows: Workflows
    schedule: PollSchedule
    """Decides which failed requests are repeated, by the rule for polls."""
    requested: set[str] = field(factory=set[str])
    """Ids of the workflows whose cancellation was requested."""
    refused: set[str] = field(factory=set[str])
    """Ids of the workflows whose cancellation was refused once."""
    canceled_at: float = -math.inf
    """When the last workflow was canceled, in the event loop's time."""

    def verdict(self, result: PollResult, *, grace: float, confirm_within: float, **options: Any) -> Verdict:
        """Decide whether the pipeline has ended. Unlike for a wait, older workflows of a name count too."""
        within = min(confirm_within, CHECK_INTERVAL)
        if result.missing:
            return pipeline_verdict(result, grace=min(grace, MAX_MISSING), confirm_within=within, **options)
        if any(not each.is_finished for each in result.snapshot.workflows):
            return Verdict(Outcome.RUNNING, is_final=False, poll_within=within)
        verdict = pipeline_verdict(result, grace=grace, confirm_within=within, **options)
        left = self.canceled_at + min(grace, SETTLE_TIME) - result.at
        if verdict.is_final and left > 0:
            return evolve(verdict, is_final=False, poll_within=min(left, confirm_within))
        return verdict

    def result(self, snapshot: Snapshot, outcome: Outcome) -> PipelineCancellation:
        """Return the result of the pipeline."""
        result = pipeline_result(snapshot, outcome)
        canceled = tuple(
            each for each in snapshot.workflows if each.id in self.requested and each.status == WorkflowStatus.CANCELED
        )
        return PipelineCancellation(
            status=result.status, pipeline=result.pipeline, workflows=result.workflows, canceled=canceled
        )

    async def cancel(self, snapshot: Snapshot) -> None:
        """Cancel the unfinished workflows whose cancellation has not been requested. Raises the first error."""
        clock = asyncio.get_running_loop().time
        if clock() < self.schedule.not_before:
            return
        unfinished = [each for each in snapshot.workflows if not each.is_finished and each.id not in self.requested]
        if not unfinished:
            return
        self.requested.update(each.id for each in unfinished)
        self.canceled_at = clock()  # polls continue meanwhile
        outcomes = await fan_out_in_order(unfinished, self._cancel, concurrency=CANCELS_AT_ONCE)
        self.canceled_at = clock()
        failed = [(each, outcome) for each, outcome in outcomes if isinstance(outcome, Exception)]
        self.requested.difference_update(each.id for each, _ in failed)
        for workflow, error in failed:
            if not self._is_tolerated(workflow, error):
                raise error
        if not failed:
            self.schedule.succeeded()

    async def _cancel(self, workflow: Workflow) -> Message:
        return await self.workflows.cancel(workflow.id)

    def _is_tolerated(self, workflow: Workflow, error: Exception) -> bool:
        """Return whether to cancel the workflow again, if the next poll does not show that it has ended."""
        if isinstance(error, BadRequest | Conflict | NotFound) and workflow.id not in self.refused:
            self.refused.add(workflow.id)
            return True
        return self.schedule.failed(error)
