"""Jobs in detail, and the results of their tests."""

from datetime import datetime
from typing import ClassVar

from attrs import frozen

from .open_enum import OpenEnum

__all__ = [
    "JobContext",
    "JobDetails",
    "JobExecutor",
    "JobMessage",
    "JobOrganization",
    "JobPipeline",
    "JobProject",
    "JobStatus",
    "JobType",
    "JobWorkflow",
    "ParallelRun",
    "TestResult",
]


class JobStatus(OpenEnum):
    """Where a job stands."""

    BLOCKED = "blocked"
    CANCELED = "canceled"
    FAILED = "failed"
    INFRASTRUCTURE_FAIL = "infrastructure_fail"
    NOT_RUN = "not_run"
    NOT_RUNNING = "not_running"
    ON_HOLD = "on_hold"
    QUEUED = "queued"
    RETRIED = "retried"
    RUNNING = "running"
    SUCCESS = "success"
    TERMINATED_UNKNOWN = "terminated-unknown"
    TIMEDOUT = "timedout"
    UNAUTHORIZED = "unauthorized"

    @property
    def is_finished(self) -> bool:
        """Whether the job has come to its end. False for an unknown status."""
        return self in _FINISHED


_FINISHED = frozenset(
    {
        JobStatus.CANCELED,
        JobStatus.FAILED,
        JobStatus.INFRASTRUCTURE_FAIL,
        JobStatus.NOT_RUN,
        JobStatus.RETRIED,
        JobStatus.SUCCESS,
        JobStatus.TERMINATED_UNKNOWN,
        JobStatus.TIMEDOUT,
        JobStatus.UNAUTHORIZED,
    }
)


class JobType(OpenEnum):
    """What kind of job it is."""

    APPROVAL = "approval"
    BUILD = "build"


@frozen(kw_only=True)
class JobProject:
    """The project that a job belongs to."""

    slug: str
    name: str
    external_url: str
    """The repository's page."""
    id: str | None = None


@frozen(kw_only=True)
class ParallelRun:
    """One of the parallel runs of a job; `index` is the `node_index` of its artifacts."""

    index: int
    status: str


@frozen(kw_only=True)
class JobWorkflow:
    """The latest workflow that holds a job."""

    id: str
    name: str


@frozen(kw_only=True)
class JobExecutor:
    """The machine that a job runs on."""

    resource_class: str | None = None
    type: str | None = None


@frozen(kw_only=True)
class JobPipeline:
    """The pipeline that a job belongs to."""

    id: str


@frozen(kw_only=True)
class JobMessage:
    """Something that CircleCI has to say about a job."""

    type: str
    message: str
    reason: str | None = None


@frozen(kw_only=True)
class JobContext:
    """A context that a job uses."""

    name: str


@frozen(kw_only=True)
class JobOrganization:
    """The organization that a job belongs to."""

    name: str


@frozen(kw_only=True)
class JobDetails:
    """One job in detail: `GET /project/{project-slug}/job/{job-number}`."""

    number: int
    name: str
    web_url: str
    project: JobProject
    organization: JobOrganization
    pipeline: JobPipeline
    latest_workflow: JobWorkflow
    created_at: datetime
    parallelism: int
    """How many runs were asked for."""
    status: JobStatus | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    """None before the job starts."""
    stopped_at: datetime | None = None
    duration: int | None = None
    """Milliseconds."""
    executor: JobExecutor | None = None
    """None before the job is dispatched."""
    parallel_runs: tuple[ParallelRun, ...] = ()
    messages: tuple[JobMessage, ...] = ()
    contexts: tuple[JobContext, ...] = ()


@frozen(kw_only=True)
class TestResult:
    """The result of one test: `GET /project/{project-slug}/{job-number}/tests`."""

    __test__: ClassVar[bool] = False  # pytest would take the name for a test's

    name: str
    classname: str
    """The suite or class."""
    result: str
    """`success`, `failure`, `skipped` or `error`."""
    run_time: float
    """Seconds."""
    source: str
    """The program that ran the test."""
    file: str | None = None
    message: str | None = None
    """What a failed test said."""
