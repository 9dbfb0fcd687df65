"""What has changed between two polls."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from attrs import frozen

from ..models.pipelines import Pipeline
from ..models.workflows import Workflow, WorkflowJob
from .results import Outcome, outcome_of
from .snapshot import Snapshot

__all__ = ["Change", "JobChange", "PipelineChange", "WorkflowChange"]


@frozen(kw_only=True)
class _StatusChange:
    name: str
    """Name of the workflow or the job; number of the pipeline."""
    before: str | None
    """The previous state or status; None for the first one."""
    after: str
    """State of the pipeline, or status of the workflow or the job."""


@frozen(kw_only=True)
class PipelineChange(_StatusChange):
    """A new state of a pipeline."""

    kind: Literal["pipeline"] = "pipeline"
    item: Pipeline
    workflow: None = None


@frozen(kw_only=True)
class WorkflowChange(_StatusChange):
    """A new status of a workflow."""

    kind: Literal["workflow"] = "workflow"
    item: Workflow
    workflow: None = None


@frozen(kw_only=True)
class JobChange(_StatusChange):
    """A new status of a job."""

    kind: Literal["job"] = "job"
    item: WorkflowJob
    workflow: Workflow
    """Workflow of the job."""


Change: TypeAlias = PipelineChange | WorkflowChange | JobChange
"""What `watch` yields. A comparison of its `kind` narrows the type of `item`."""


class Changes:
    """Compares each snapshot with those before it. Each change is reported once."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def since_last(self, snapshot: Snapshot) -> Iterator[Change]:
        """Yield the change of the pipeline, then those of each workflow and its jobs.

        The jobs of a workflow that has ended come before its own change.
        """
        pipeline = snapshot.pipeline
        if pipeline is not None:
            for before, after in self._changed(pipeline.id, pipeline.state):
                yield PipelineChange(name=str(pipeline.number), before=before, after=after, item=pipeline)
        for workflow in snapshot.workflows:
            own: list[Change] = [
                WorkflowChange(name=workflow.name, before=before, after=after, item=workflow)
                for before, after in self._changed(workflow.id, workflow.status)
            ]
            jobs: list[Change] = [
                JobChange(name=job.name, before=before, after=after, item=job, workflow=workflow)
                for job in snapshot.jobs.get(workflow.id, ())
                for before, after in self._changed(job.id, job.status)
            ]
            yield from [*own, *jobs] if outcome_of(workflow) == Outcome.RUNNING else [*jobs, *own]

    def _changed(self, id: str, status: str | None) -> Iterator[tuple[str | None, str]]:
        """Yield the previous and the new status, if they differ."""
        before = self._seen.get(id)
        if status is not None and status != before:
            self._seen[id] = status
            yield before, status
