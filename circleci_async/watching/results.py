"""The results of waiting for a pipeline or a workflow."""

from collections.abc import Iterable
from typing import cast

from attrs import frozen

from ..errors import BuildFailed
from ..models.jobs import JobDetails
from ..models.newest_workflows import newest_of_each_name
from ..models.open_enum import OpenEnum
from ..models.pipelines import Pipeline
from ..models.workflows import Workflow, WorkflowJob, WorkflowStatus
from .snapshot import Snapshot

__all__ = ["Outcome", "PipelineResult", "WorkflowResult"]


class Outcome(OpenEnum):
    """How a pipeline or a workflow ended."""

    SUCCESS = "success"
    FAILED = "failed"
    ERRORED = "errored"
    """Its configuration is invalid, or CircleCI failed."""
    CANCELED = "canceled"
    UNAUTHORIZED = "unauthorized"
    ON_HOLD = "on_hold"
    """It waits for an approval."""
    NOT_RUN = "not_run"
    RUNNING = "running"
    """Not ended; only in `WaitTimeout.last`."""


_FROM_WORST = (
    Outcome.ERRORED,
    Outcome.FAILED,
    Outcome.UNAUTHORIZED,
    Outcome.CANCELED,
    Outcome.ON_HOLD,
    Outcome.NOT_RUN,
    Outcome.SUCCESS,
)
_OUTCOMES = {WorkflowStatus.ERROR: Outcome.ERRORED}


@frozen(kw_only=True)
class WorkflowResult:
    """How a workflow ended, as `workflows.wait` returns it."""

    status: Outcome
    workflow: Workflow
    jobs: tuple[WorkflowJob, ...]
    """In the order of the API, approvals included."""

    def raise_for_status(self) -> None:
        """Raise `BuildFailed`, whose `result` this is, unless the status is `success`."""
        if self.status != Outcome.SUCCESS:
            jobs = _listed((job.name, job.status) for job in self.jobs if job.status != "success")
            raise BuildFailed(f"workflow {self.workflow.name}: {self.status}{jobs}", result=self)


@frozen(kw_only=True)
class PipelineResult:
    """How a pipeline ended, as `pipelines.wait` returns it."""

    status: Outcome
    """The worst outcome of its workflows, in this order: `errored`, `failed`, `unauthorized`, `canceled`, `on_hold`,
    `not_run`, `success`.
    """
    pipeline: Pipeline
    workflows: tuple[Workflow, ...]
    """The newest workflow of each name: a rerun replaces the earlier run."""

    def raise_for_status(self) -> None:
        """Raise `BuildFailed`, whose `result` this is, unless the status is `success`."""
        if self.status != Outcome.SUCCESS:
            workflows = _listed((each.name, each.status) for each in self.workflows if each.status != "success")
            errors = "".join(f"; {error.type}: {error.message}" for error in self.pipeline.errors)
            where = f"pipeline {self.pipeline.number} of {self.pipeline.project_slug}"
            raise BuildFailed(f"{where}: {self.status}{workflows}{errors}", result=self)


def pipeline_result(snapshot: Snapshot, outcome: Outcome) -> PipelineResult:
    """Return the result of a pipeline that has been polled."""
    pipeline = cast("Pipeline", snapshot.pipeline)  # None only before the first poll
    return PipelineResult(status=outcome, pipeline=pipeline, workflows=newest_of_each_name(snapshot.workflows))


def workflow_result(snapshot: Snapshot, outcome: Outcome) -> WorkflowResult:
    """Return the result of a workflow that has been polled."""
    (workflow,) = snapshot.workflows
    return WorkflowResult(status=outcome, workflow=workflow, jobs=snapshot.jobs.get(workflow.id, ()))


def job_result(snapshot: Snapshot, _: Outcome) -> JobDetails:
    """Return the job that has been polled."""
    return cast("JobDetails", snapshot.job)  # None only before the first poll


def outcome_of(workflow: Workflow) -> Outcome:
    """Return how a workflow ended; `running` if it has not, or if its status is unknown."""
    status = workflow.status
    if status is None or not (status.is_finished or status == WorkflowStatus.ON_HOLD):
        return Outcome.RUNNING
    return _OUTCOMES.get(status) or Outcome(status)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the worst outcome; `not_run` if there is none."""
    found = set(outcomes)
    if Outcome.RUNNING in found:
        return Outcome.RUNNING
    return next((each for each in _FROM_WORST if each in found), Outcome.NOT_RUN)


def _listed(statuses: Iterable[tuple[str, str | None]]) -> str:
    text = ", ".join(f"{name} {status or 'without status'}" for name, status in statuses)
    return text and f" ({text})"
