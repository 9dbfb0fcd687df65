"""How a pipeline or a workflow stands, put together from what looks and webhook events show."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from attrs import evolve, field, frozen

from ..models.events import WebhookEvent
from ..models.jobs import JobStatus, JobType
from ..models.pipelines import Pipeline
from ..models.workflows import Workflow, WorkflowJob, WorkflowStatus

T = TypeVar("T", bound=Workflow | WorkflowJob)

Jobs = Mapping[str, tuple[WorkflowJob, ...]]
"""By the id of their workflow."""


@frozen
class Snapshot:
    """What is known of a pipeline; of a workflow that is waited for alone, `pipeline` is None."""

    pipeline: Pipeline | None = None
    workflows: tuple[Workflow, ...] = ()
    """In the order in which they began."""
    jobs: Jobs = field(factory=dict[str, tuple[WorkflowJob, ...]])
    """Of those workflows whose jobs somebody asked for."""

    @property
    def statuses(self) -> tuple[object, ...]:
        """What tells whether it has ended, and whether all has been told."""
        state = self.pipeline and self.pipeline.state
        workflows = ((each.id, each.status) for each in self.workflows)
        return (state, *workflows, *((job.id, job.status) for each in self.jobs.values() for job in each))

    @property
    def has_stragglers(self) -> bool:
        """Whether jobs that were asked for run on in workflows that have ended: their end is still to be told."""
        ended = [each.id for each in self.workflows if is_finished(each.status)]
        return any(job.status == JobStatus.RUNNING for id in ended for job in self.jobs.get(id, ()))


class Completed:
    """What events have said to be completed. It stays so, though a look may come too early to know of it."""

    def __init__(self) -> None:
        self.workflows: dict[str, WebhookEvent] = {}
        self.jobs: dict[str, WebhookEvent] = {}

    def add(self, event: WebhookEvent) -> None:
        """Keep in mind what an event says."""
        workflow, job = event.workflow, event.job
        if job is not None:
            if job.status is not None and job.status.is_finished:
                self.jobs[job.id] = event
        elif workflow is not None and workflow.status is not None and workflow.status.is_finished:
            self.workflows[workflow.id] = event

    def applied_to(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with what events have said; those of workflows and jobs that it lacks add them."""
        workflows = [self._workflow(each) for each in snapshot.workflows]
        known = {each.id for each in workflows}
        workflows += [made for id, event in self.workflows.items() if id not in known and (made := _workflow(event))]
        jobs = {id: tuple(map(self._job, each)) for id, each in snapshot.jobs.items()}
        known_jobs = {job.id for each in jobs.values() for job in each}
        for id, event in self.jobs.items():
            of = event.workflow and event.workflow.id
            if id not in known_jobs and of in jobs and (job := _job(event)):
                jobs[of] = (*jobs[of], job)
        return evolve(snapshot, workflows=in_order(workflows), jobs=jobs)

    def _workflow(self, workflow: Workflow) -> Workflow:
        said = (event := self.workflows.get(workflow.id)) and event.workflow
        if not said or is_finished(workflow.status):
            return workflow
        return evolve(workflow, status=said.status, stopped_at=said.stopped_at or workflow.stopped_at)

    def _job(self, job: WorkflowJob) -> WorkflowJob:
        said = (event := self.jobs.get(job.id)) and event.job
        if not said or said.status is None or job.status.is_finished:
            return job
        return evolve(
            job,
            status=said.status,
            started_at=said.started_at or job.started_at,
            stopped_at=said.stopped_at or job.stopped_at,
            job_number=said.number or job.job_number,
        )


def is_finished(status: WorkflowStatus | JobStatus | None) -> bool:
    """Say whether a status is an end; one that nobody has heard of is none."""
    return status is not None and status.is_finished


def in_order(workflows: Iterable[Workflow]) -> tuple[Workflow, ...]:
    """Sort workflows by when they began."""
    return tuple(sorted(workflows, key=lambda each: each.created_at))


def merged(before: Iterable[T], now: Iterable[T]) -> list[T]:
    """Return what a list shows now, and what it showed before but lacks: a list may be read where it is not yet new."""
    found = list(now)
    ids = {each.id for each in found}
    return [*found, *(each for each in before if each.id not in ids)]


def _workflow(event: WebhookEvent) -> Workflow | None:
    """Return the workflow of an event, if the event says enough of it."""
    said = event.workflow
    if said is None or said.name is None or said.created_at is None:
        return None
    return Workflow(
        id=said.id,
        name=said.name,
        created_at=said.created_at,
        status=said.status,
        stopped_at=said.stopped_at,
        pipeline_id=event.pipeline.id if event.pipeline else None,
        pipeline_number=event.pipeline.number if event.pipeline else None,
        project_slug=event.project.slug if event.project else None,
    )


def _job(event: WebhookEvent) -> WorkflowJob | None:
    """Return the job of an event, if the event says enough of it. Approvals send none."""
    said = event.job
    if said is None or said.name is None or said.status is None:
        return None
    return WorkflowJob(
        id=said.id,
        name=said.name,
        type=JobType.BUILD,
        status=said.status,
        job_number=said.number,
        project_slug=event.project.slug if event.project else None,
        started_at=said.started_at,
        stopped_at=said.stopped_at,
    )
