"""What has changed between two looks."""

from collections.abc import Iterator
from typing import Literal

from attrs import frozen

from ..models.pipelines import Pipeline
from ..models.workflows import Workflow, WorkflowJob
from .results import Outcome, outcome_of
from .snapshot import Snapshot

__all__ = ["Change"]


@frozen(kw_only=True)
class Change:
    """A pipeline, a workflow or a job stands otherwise than before: what `watch` yields."""

    kind: Literal["pipeline", "workflow", "job"]
    name: str
    """The name of the workflow or the job; the number of the pipeline."""
    before: str | None
    """The state or status before, or None at first."""
    after: str
    """The state of the pipeline, or the status of the workflow or the job."""
    item: Pipeline | Workflow | WorkflowJob
    workflow: Workflow | None = None
    """The workflow that a job belongs to."""


class Changes:
    """Finds what has changed since it was last asked. Each change is found once."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def of(self, snapshot: Snapshot) -> Iterator[Change]:
        """Iterate what is new: the pipeline, then each workflow with its jobs, which come first when it has stopped."""
        pipeline = snapshot.pipeline
        if pipeline is not None:
            yield from self._change("pipeline", str(pipeline.number), pipeline.state, pipeline)
        for workflow in snapshot.workflows:
            itself = list(self._change("workflow", workflow.name, workflow.status, workflow))
            jobs = [
                change
                for job in snapshot.jobs.get(workflow.id, ())
                for change in self._change("job", job.name, job.status, job, workflow)
            ]
            yield from [*itself, *jobs] if outcome_of(workflow) == Outcome.RUNNING else [*jobs, *itself]

    def _change(
        self,
        kind: Literal["pipeline", "workflow", "job"],
        name: str,
        status: str | None,
        item: Pipeline | Workflow | WorkflowJob,
        workflow: Workflow | None = None,
    ) -> Iterator[Change]:
        before = self._seen.get(item.id)
        if status is not None and status != before:
            self._seen[item.id] = status
            yield Change(kind=kind, name=name, before=before, after=status, item=item, workflow=workflow)
