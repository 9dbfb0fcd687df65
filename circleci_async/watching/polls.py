"""A look: what the API says of a pipeline or a workflow right now."""

from collections.abc import Awaitable
from contextlib import aclosing
from typing import Protocol

from ..core.fan_out import fan_out
from ..core.session import Session
from ..endpoints.pipelines import Pipelines
from ..endpoints.workflows import Workflows
from ..models.newest_workflows import expects_workflows
from ..models.workflows import Workflow, WorkflowJob
from .snapshot import Jobs, Snapshot, in_order, is_finished, merged

LISTS_AT_ONCE = 4
"""Lists of jobs that one look asks for at the same time."""


class Look(Protocol):
    """Looks at one thing; `NotFound` if it is not there. Given how it stood, asks only for what may have changed."""

    def __call__(self, before: Snapshot, *, jobs: bool) -> Awaitable[Snapshot]:
        """Look once more; `jobs` says whether anybody wants to know of them."""
        ...


def pipeline(session: Session, pipeline_id: str) -> Look:
    """Return what looks at a pipeline and its workflows, and at the jobs of these if asked."""
    pipelines, workflows = Pipelines(session), Workflows(session)

    async def look(before: Snapshot, *, jobs: bool) -> Snapshot:
        found = before.pipeline
        if not _is_under_way(before):
            found = await pipelines.get(pipeline_id)
        listed = merged(before.workflows, await pipelines.workflows(pipeline_id).empty_if_missing().collect())
        return Snapshot(found, in_order(listed), await _jobs(workflows, listed, before) if jobs else {})

    return look


def workflow(session: Session, workflow_id: str) -> Look:
    """Return what looks at a workflow, and at its jobs if asked."""
    workflows = Workflows(session)

    async def look(before: Snapshot, *, jobs: bool) -> Snapshot:
        found = [await workflows.get(workflow_id)]
        return Snapshot(None, tuple(found), await _jobs(workflows, found, before) if jobs else {})

    return look


def _is_under_way(snapshot: Snapshot) -> bool:
    """Say whether the pipeline itself has nothing new to tell: it has been created, and its workflows run."""
    return not expects_workflows(snapshot.pipeline, snapshot.workflows) and not all(
        is_finished(each.status) for each in snapshot.workflows
    )


async def _jobs(workflows: Workflows, listed: list[Workflow], before: Snapshot) -> Jobs:
    """Return the jobs of each workflow, asking for those that may have changed."""
    finished_before = {each.id for each in before.workflows if is_finished(each.status)}

    async def jobs_of(workflow: Workflow) -> tuple[WorkflowJob, ...]:
        known = before.jobs.get(workflow.id)
        if known and workflow.id in finished_before and all(is_finished(job.status) for job in known):
            return known
        return tuple(merged(known or (), await workflows.jobs(workflow.id).empty_if_missing().collect()))

    found: dict[str, tuple[WorkflowJob, ...]] = {}
    async with aclosing(fan_out(listed, jobs_of, concurrency=LISTS_AT_ONCE)) as answers:
        async for each, jobs in answers:
            if isinstance(jobs, Exception):
                raise jobs
            found[each.id] = jobs
    return found
