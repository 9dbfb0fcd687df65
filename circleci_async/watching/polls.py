"""One poll: the current state of a pipeline, a workflow or a job, in as few calls as possible."""

from collections.abc import Awaitable
from contextlib import aclosing
from typing import Protocol

from ..core.fan_out import fan_out
from ..core.session import Session
from ..endpoints.jobs import Jobs as JobEndpoints
from ..endpoints.pipelines import Pipelines
from ..endpoints.resource import ProjectRef
from ..endpoints.workflows import Workflows
from ..models.newest_workflows import expects_workflows
from ..models.workflows import Workflow, WorkflowJob
from .snapshot import Jobs, Snapshot, in_order, merged

LISTS_AT_ONCE = 4
"""Lists of jobs that one poll requests concurrently."""


class Poll(Protocol):
    """Returns the current state, given the previous one. Raises `NotFound` if it does not exist."""

    def __call__(self, before: Snapshot, *, jobs: bool) -> Awaitable[Snapshot]:
        """Request what might have changed since `before`; `jobs`: also the jobs."""
        ...


def pipeline_poll(session: Session, pipeline_id: str) -> Poll:
    """Return the poll of a pipeline and its workflows."""
    pipelines, workflows = Pipelines(session), Workflows(session)

    async def poll(before: Snapshot, *, jobs: bool) -> Snapshot:
        pipeline = before.pipeline
        if not _is_running(before):
            pipeline = await pipelines.get(pipeline_id)
        listed = pipelines.workflows(pipeline_id)
        is_seen_running = not all(each.is_finished for each in before.workflows)  # then a 404 means that it was deleted
        found = await (listed if is_seen_running else listed.empty_if_missing()).collect()
        found = merged(await _unlisted(workflows, found, before), found)
        return Snapshot(pipeline, in_order(found), await _jobs(workflows, found, before) if jobs else {})

    return poll


def workflow_poll(session: Session, workflow_id: str) -> Poll:
    """Return the poll of a workflow."""
    workflows = Workflows(session)

    async def poll(before: Snapshot, *, jobs: bool) -> Snapshot:
        workflow = await workflows.get(workflow_id)
        return Snapshot(None, (workflow,), await _jobs(workflows, [workflow], before) if jobs else {})

    return poll


def job_poll(session: Session, project: ProjectRef, number: int) -> Poll:
    """Return the poll of a job."""
    endpoints = JobEndpoints(session)

    async def poll(before: Snapshot, *, jobs: bool) -> Snapshot:
        del before, jobs
        return Snapshot(job=await endpoints.get(project, number))

    return poll


async def _unlisted(workflows: Workflows, found: list[Workflow], before: Snapshot) -> list[Workflow]:
    """Return the known workflows that a list lacks, since it can be outdated. Raises `NotFound` if one was deleted."""
    ids = {each.id for each in found}
    unlisted = [each for each in before.workflows if each.id not in ids]
    return [each if each.is_finished else await workflows.get(each.id) for each in unlisted]


def _is_running(snapshot: Snapshot) -> bool:
    """Return whether the pipeline itself cannot change now: it has all its workflows, and some of them run."""
    has_all_workflows = not expects_workflows(snapshot.pipeline, snapshot.workflows)
    return has_all_workflows and not all(each.is_finished for each in snapshot.workflows)


async def _jobs(workflows: Workflows, found: list[Workflow], before: Snapshot) -> Jobs:
    """Return the jobs of each workflow, requesting only what might have changed."""
    finished_before = {each.id for each in before.workflows if each.is_finished}

    async def jobs_of(workflow: Workflow) -> tuple[WorkflowJob, ...]:
        known = before.jobs.get(workflow.id)
        if known and workflow.id in finished_before and all(job.status.is_finished for job in known):
            return known
        return tuple(merged(known or (), await workflows.jobs(workflow.id).empty_if_missing().collect()))

    jobs: dict[str, tuple[WorkflowJob, ...]] = {}
    async with aclosing(fan_out(found, jobs_of, concurrency=LISTS_AT_ONCE)) as outcomes:
        async for workflow, outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
            jobs[workflow.id] = outcome
    return jobs
