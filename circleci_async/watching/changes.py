"""What has changed between two polls."""

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
    """A new state or status of a pipeline, a workflow or a job: what `watch` yields."""

    kind: Literal["pipeline", "workflow", "job"]
    name: str
    """Name of the workflow or the job; number of the pipeline."""
    before: str | None
    """The previous state or status; None for the first one."""
    after: str
    """State of the pipeline, or status of the workflow or the job."""
    item: Pipeline | Workflow | WorkflowJob
    workflow: Workflow | None = None
    """Workflow of the job."""


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
            yield from self._change("pipeline", str(pipeline.number), pipeline.state, pipeline)
        for workflow in snapshot.workflows:
            own = list(self._change("workflow", workflow.name, workflow.status, workflow))
            jobs = [
                change
                for job in snapshot.jobs.get(workflow.id, ())
                for change in self._change("job", job.name, job.status, job, workflow)
            ]
            yield from [*own, *jobs] if outcome_of(workflow) == Outcome.RUNNING else [*jobs, *own]

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
