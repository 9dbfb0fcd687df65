"""Pipelines and workflows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from ...errors import InvalidArgument
from .events import note_workflow
from .jobs import FAILED, LIVE, Job

if TYPE_CHECKING:
    from .accounts import User
    from .projects import Project

ENDED = frozenset({"success", "failed", "error", "canceled", "unauthorized", "not_run"})
"""Statuses of a workflow that has come to its end."""


@frozen
class PipelineError:
    """Why a pipeline could not be created: `config`, `config-fetch`, `timeout`, `permission`, `other` or `plan`."""

    type: str
    message: str


@define(eq=False)
class Workflow:
    """One run of a workflow inside a pipeline."""

    pipeline: "Pipeline" = field(repr=False)
    id: str
    name: str
    status: str = field(on_setattr=note_workflow)
    created_at: datetime
    started_by: "User" = field(repr=False)
    stopped_at: datetime | None = None
    canceled_by: "User | None" = field(default=None, repr=False)
    errored_by: "User | None" = field(default=None, repr=False)
    tag: str | None = None
    jobs: list[Job] = field(factory=list[Job], repr=False)
    taken_over: frozenset[str] = field(default=frozenset(), repr=False)
    """Ids of the jobs that a rerun did not run again: they ran for an earlier workflow."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself or by approval."""
        return self.status in ENDED

    @property
    def duration(self) -> float | None:
        """Seconds from creation to the end, or None before the end."""
        return None if self.stopped_at is None else (self.stopped_at - self.created_at).total_seconds()

    @property
    def own_jobs(self) -> list[Job]:
        """The jobs that ran for this workflow."""
        return [job for job in self.jobs if job.id not in self.taken_over]

    @property
    def credits(self) -> int:
        """Credits used by its own jobs."""
        return sum(job.credits for job in self.own_jobs)

    def job(
        self,
        name: str,
        *,
        status: str | None = None,
        parallelism: int = 1,
        duration: float = 10.0,
        approval: bool = False,
        requires: Sequence[Job] = (),
        executor: str = "docker",
        resource_class: str = "medium",
        contexts: Sequence[str] = (),
    ) -> Job:
        """Make a job by hand.

        It has this status from the start; by default `success`, and for an approval `on_hold` while the workflow has
        not ended. It starts when the last of the jobs that it requires stopped, or with the workflow, and takes
        `duration` seconds. `approval=True` makes an approval job.
        """
        if parallelism < 1:
            raise InvalidArgument(f"parallelism: expected at least 1, not {parallelism}")
        job = self.add(
            name,
            approval=approval,
            parallelism=parallelism,
            requires=requires,
            at=self.created_at,
            status=status or ("on_hold" if approval and not self.ended else "success"),
        )
        job.executor = executor
        job.resource_class = resource_class
        job.contexts = tuple(contexts)
        job.place(duration)
        if self.ended and job.stopped_at:
            self.stopped_at = max(self.stopped_at or job.stopped_at, job.stopped_at)
        return job

    def add(
        self,
        name: str,
        *,
        approval: bool,
        parallelism: int,
        requires: Sequence[Job],
        at: datetime,
        status: str = "blocked",
    ) -> Job:
        """Add a job; it waits unless told otherwise."""
        world = self.pipeline.project.world
        job = Job(
            self,
            world.new_id(),
            name,
            "approval" if approval else "build",
            status,
            None,
            parallelism,
            tuple(requires),
            at,
        )
        self.jobs.append(job)
        world.jobs[job.id] = job
        return job

    def settle(self, at: datetime) -> None:
        """Work out its status from its jobs, and note when it came to its end."""
        statuses = {job.status for job in self.jobs}
        failed = bool(statuses & FAILED)
        if statuses & LIVE:
            status = "failing" if failed else "running"
        elif failed:
            status = "failed"
        elif "canceled" in statuses:
            status = "canceled"
        elif "on_hold" in statuses:
            status = "on_hold"
        else:
            status = "success"
        self.stopped_at = at if status in ENDED else None
        self.status = status


@define(eq=False)
class Pipeline:
    """A pipeline of a project; its branch or tag, its actor and its number never change."""

    project: "Project" = field(repr=False)
    id: str
    number: int
    state: str
    branch: str | None
    tag: str | None
    revision: str
    created_at: datetime
    updated_at: datetime
    trigger_type: str
    actor: "User" = field(repr=False)
    subject: str
    parameters: Mapping[str, str | int | bool]
    config: str = field(repr=False)
    setup_config: str | None = field(default=None, repr=False)
    continuation_key: str | None = field(default=None, repr=False)
    errors: list[PipelineError] = field(factory=list[PipelineError])
    workflows: list[Workflow] = field(factory=list[Workflow], repr=False)
    found_from: datetime | None = None
    """Until then it is not found by its id or number, as happens to one that was just triggered."""

    def fail(self, message: str, type: str = "config") -> None:
        """Let it end in state `errored`."""
        self.state = "errored"
        self.errors.append(PipelineError(type, message))

    def workflow(
        self,
        name: str = "build",
        *,
        status: str = "success",
        created_at: datetime | None = None,
        started_by: "User | None" = None,
        tag: str | None = None,
    ) -> Workflow:
        """Make a workflow by hand: it has this status until something is asked of it, and stops with its last job."""
        world = self.project.world
        created_at = created_at or self.created_at
        workflow = Workflow(self, world.new_id(), name, status, created_at, started_by or self.actor, tag=tag)
        workflow.stopped_at = created_at if workflow.ended else None
        self.workflows.append(workflow)
        self.project.workflow_names.add(name)
        world.workflows[workflow.id] = workflow
        return workflow
