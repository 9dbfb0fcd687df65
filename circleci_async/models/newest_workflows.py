"""Which workflows of a pipeline count, and whether all of them have been created."""

from collections.abc import Iterable

from .pipelines import Pipeline, PipelineState
from .workflows import Workflow, WorkflowTag

_IN_CREATION = frozenset({PipelineState.PENDING, PipelineState.SETUP, PipelineState.SETUP_PENDING})


def newest_of_each_name(workflows: Iterable[Workflow]) -> tuple[Workflow, ...]:
    """Return the newest workflow of each name, since a rerun has the same name and replaces the earlier run.

    Names keep the order in which they first occur. Of workflows created at the same time, the first one counts: the API
    lists the newest first.
    """
    newest: dict[str, Workflow] = {}
    for workflow in workflows:
        current = newest.setdefault(workflow.name, workflow)
        if workflow.created_at > current.created_at:
            newest[workflow.name] = workflow
    return tuple(newest.values())


def is_setup_finished(pipeline: Pipeline) -> bool:
    """Return whether the pipeline's configuration is complete, so that no continuation will add workflows.

    An unknown state counts as finished.
    """
    return pipeline.state not in _IN_CREATION


def expects_workflows(pipeline: Pipeline | None, workflows: Iterable[Workflow]) -> bool:
    """Return whether the pipeline should get further workflows: it is in creation, or has only run its setup."""
    if pipeline is None or not is_setup_finished(pipeline):
        return True
    return all(workflow.tag == WorkflowTag.SETUP for workflow in workflows)
