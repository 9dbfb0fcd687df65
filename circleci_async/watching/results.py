"""What waiting for a pipeline or a workflow comes to."""

from collections.abc import Iterable
from typing import cast

from attrs import frozen

from ..errors import BuildFailed
from ..models.newest_workflows import newest_of_each_name
from ..models.open_enum import OpenEnum
from ..models.pipelines import Pipeline
from ..models.workflows import Workflow, WorkflowJob, WorkflowStatus
from .snapshot import Snapshot

__all__ = [
    "Outcome",
    "PipelineResult",
    "WorkflowResult",
    "outcome_of",
    "pipeline_result",
    "workflow_result",
    "worst",
]


class Outcome(OpenEnum):
    """How a pipeline or a workflow ended, or that it has not."""

    SUCCESS = "success"
    FAILED = "failed"
    ERRORED = "errored"
    """Its configuration, or CircleCI itself, made it come to nothing."""
    CANCELED = "canceled"
    UNAUTHORIZED = "unauthorized"
    ON_HOLD = "on_hold"
    """It goes on when somebody approves."""
    NOT_RUN = "not_run"
    RUNNING = "running"
    """It has not ended: only what `WaitTimeout.last` holds has this."""


_FROM_WORST = (
    Outcome.ERRORED,
    Outcome.FAILED,
    Outcome.UNAUTHORIZED,
    Outcome.CANCELED,
    Outcome.ON_HOLD,
    Outcome.NOT_RUN,
    Outcome.SUCCESS,
)
_OTHERWISE_NAMED = {WorkflowStatus.ERROR: Outcome.ERRORED}


@frozen(kw_only=True)
class WorkflowResult:
    """How a workflow ended: what `workflows.wait` returns."""

    status: Outcome
    workflow: Workflow
    jobs: tuple[WorkflowJob, ...]
    """In the order of the API, approvals included."""

    def raise_for_status(self) -> None:
        """Raise `BuildFailed`, which has this result, unless it is a success."""
        if self.status != Outcome.SUCCESS:
            jobs = _listed((job.name, job.status) for job in self.jobs if job.status != "success")
            raise BuildFailed(f"workflow {self.workflow.name}: {self.status}{jobs}", result=self)


@frozen(kw_only=True)
class PipelineResult:
    """How a pipeline ended: what `pipelines.wait` returns."""

    status: Outcome
    """The worst of what counts: `errored`, `failed`, `unauthorized`, `canceled`, `on_hold`, `not_run`, `success`."""
    pipeline: Pipeline
    workflows: tuple[Workflow, ...]
    """The newest of each name, which counts: a rerun takes the place of what it ran again."""

    def raise_for_status(self) -> None:
        """Raise `BuildFailed`, which has this result, unless it is a success."""
        if self.status != Outcome.SUCCESS:
            workflows = _listed((each.name, each.status) for each in self.workflows if each.status != "success")
            errors = "".join(f"; {error.type}: {error.message}" for error in self.pipeline.errors)
            where = f"pipeline {self.pipeline.number} of {self.pipeline.project_slug}"
            raise BuildFailed(f"{where}: {self.status}{workflows}{errors}", result=self)


def pipeline_result(snapshot: Snapshot, outcome: Outcome) -> PipelineResult:
    """Return what a pipeline that was seen has come to."""
    pipeline = cast("Pipeline", snapshot.pipeline)  # what has been seen has one
    return PipelineResult(status=outcome, pipeline=pipeline, workflows=newest_of_each_name(snapshot.workflows))


def workflow_result(snapshot: Snapshot, outcome: Outcome) -> WorkflowResult:
    """Return what a workflow that was seen has come to."""
    (workflow,) = snapshot.workflows
    return WorkflowResult(status=outcome, workflow=workflow, jobs=snapshot.jobs.get(workflow.id, ()))


def outcome_of(workflow: Workflow) -> Outcome:
    """Return how a workflow ended; `running` if it has not, or if nobody has heard of its status."""
    status = workflow.status
    if status is None or not (status.is_finished or status == WorkflowStatus.ON_HOLD):
        return Outcome.RUNNING
    return _OTHERWISE_NAMED.get(status) or Outcome(status)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the worst of these; of none, `not_run`."""
    found = set(outcomes)
    if Outcome.RUNNING in found:
        return Outcome.RUNNING
    return next((each for each in _FROM_WORST if each in found), Outcome.NOT_RUN)


def _listed(statuses: Iterable[tuple[str, str | None]]) -> str:
    text = ", ".join(f"{name} {status or 'of no status'}" for name, status in statuses)
    return text and f" ({text})"
