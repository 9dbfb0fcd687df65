"""The state of a pipeline, a workflow or a job, combined from polls and webhook events."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypeVar

from attrs import evolve, field, frozen

from ..models.events import WebhookEvent
from ..models.jobs import JobDetails, JobStatus, JobType
from ..models.pipelines import Pipeline
from ..models.workflows import Workflow, WorkflowJob

T = TypeVar("T", bound=Workflow | WorkflowJob)

Jobs: TypeAlias = Mapping[str, tuple[WorkflowJob, ...]]
"""Jobs by the id of their workflow."""


@frozen
class Snapshot:
    """The known state of a pipeline, or of what is polled alone: a workflow or a job. `pipeline` is None then."""

    pipeline: Pipeline | None = None
    workflows: tuple[Workflow, ...] = ()
    """Oldest first."""
    jobs: Jobs = field(factory=dict[str, tuple[WorkflowJob, ...]])
    """Jobs of the workflows whose jobs were requested."""
    job: JobDetails | None = None
    """The job, if one is polled alone."""

    @property
    def statuses(self) -> tuple[object, ...]:
        """All states and statuses: two snapshots with the same ones are the same state."""
        workflows = ((each.id, each.status) for each in self.workflows)
        return (
            self.pipeline and self.pipeline.state,
            self.job and self.job.status,
            *workflows,
            *((job.id, job.status) for each in self.jobs.values() for job in each),
        )

    @property
    def has_running_stragglers(self) -> bool:
        """Whether jobs still run in workflows that have ended."""
        ended = [each.id for each in self.workflows if each.is_finished]
        return any(job.status == JobStatus.RUNNING for id in ended for job in self.jobs.get(id, ()))


class CompletedEvents:
    """Events about completed workflows and jobs. They outweigh later polls, which can be outdated."""

    def __init__(self) -> None:
        self.workflows: dict[str, WebhookEvent] = {}
        self.jobs: dict[str, WebhookEvent] = {}

    def add(self, event: WebhookEvent) -> None:
        """Add an event, if it reports a completion."""
        workflow, job = event.workflow, event.job
        if job is not None:
            if job.status is not None and job.status.is_finished:
                self.jobs[job.id] = event
        elif workflow is not None and workflow.status is not None and workflow.status.is_finished:
            self.workflows[workflow.id] = event

    def applied_to(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot updated by the events. Workflows and jobs that it lacks are added."""
        workflows = [self._workflow(each) for each in snapshot.workflows]
        known = {each.id for each in workflows}
        workflows += [new for id, event in self.workflows.items() if id not in known and (new := _workflow(event))]
        jobs = {id: tuple(map(self._job, each)) for id, each in snapshot.jobs.items()}
        known_jobs = {job.id for each in jobs.values() for job in each}
        for id, event in self.jobs.items():
            workflow_id = event.workflow and event.workflow.id
            if id not in known_jobs and workflow_id in jobs and (job := _job(event)):
                jobs[workflow_id] = (*jobs[workflow_id], job)
        return evolve(snapshot, workflows=in_order(workflows), jobs=jobs)

    def _workflow(self, workflow: Workflow) -> Workflow:
        reported = (event := self.workflows.get(workflow.id)) and event.workflow
        if not reported or workflow.is_finished:
            return workflow
        return evolve(workflow, status=reported.status, stopped_at=reported.stopped_at or workflow.stopped_at)

    def _job(self, job: WorkflowJob) -> WorkflowJob:
        reported = (event := self.jobs.get(job.id)) and event.job
        if not reported or reported.status is None or job.status.is_finished:
            return job
        return evolve(
            job,
            status=reported.status,
            started_at=reported.started_at or job.started_at,
            stopped_at=reported.stopped_at or job.stopped_at,
            job_number=reported.number or job.job_number,
        )


def in_order(workflows: Iterable[Workflow]) -> tuple[Workflow, ...]:
    """Return workflows oldest first."""
    return tuple(sorted(workflows, key=lambda each: each.created_at))


def merged(before: Iterable[T], now: Iterable[T]) -> list[T]:
    """Return a list together with its earlier items that it lacks: a replica can return an outdated list."""
    found = list(now)
    ids = {each.id for each in found}
    return [*found, *(each for each in before if each.id not in ids)]


def _workflow(event: WebhookEvent) -> Workflow | None:
    """Return the workflow of an event, if the event contains enough of it."""
    workflow = event.workflow
    if workflow is None or workflow.name is None or workflow.created_at is None:
        return None
    return Workflow(
        id=workflow.id,
        name=workflow.name,
        created_at=workflow.created_at,
        status=workflow.status,
        stopped_at=workflow.stopped_at,
        pipeline_id=event.pipeline.id if event.pipeline else None,
        pipeline_number=event.pipeline.number if event.pipeline else None,
        project_slug=event.project.slug if event.project else None,
    )


def _job(event: WebhookEvent) -> WorkflowJob | None:
    """Return the job of an event, if the event contains enough of it. Approval jobs send no events."""
    job = event.job
    if job is None or job.name is None or job.status is None:
        return None
    return WorkflowJob(
        id=job.id,
        name=job.name,
        type=JobType.BUILD,
        status=job.status,
        job_number=job.number,
        project_slug=event.project.slug if event.project else None,
        started_at=job.started_at,
        stopped_at=job.stopped_at,
    )
