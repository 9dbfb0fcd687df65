"""Which workflows of a pipeline count, whether all of them have been created, and whether they succeeded."""

from collections.abc import Iterable

from .pipelines import Pipeline, PipelineState
from .workflows import Workflow, WorkflowStatus, WorkflowTag

__all__: list[str] = []  # not public: rules for this package

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


def succeeded(pipeline: Pipeline, newest: Iterable[Workflow], *, is_all: bool) -> bool:
    """Return whether there are workflows, each the newest of its name, and all of them succeeded.

    `is_all`: they are all workflows of the pipeline. A setup workflow alone is then not enough while its continuation
    is missing; a setup configuration has only one workflow.
    """
    workflows = list(newest)
    is_incomplete = not is_setup_finished(pipeline) and len(workflows) == 1
    if is_all and (is_incomplete or pipeline.state == PipelineState.ERRORED):
        return False
    return bool(workflows) and all(each.status == WorkflowStatus.SUCCESS for each in workflows)
