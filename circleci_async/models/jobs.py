"""The details and the test results of jobs."""

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
    """The status of a job."""

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
        """Whether the status is final. False for an unknown status."""
        return self in _FINISHED

    @property
    def is_failure(self) -> bool:
        """Whether the job failed, timed out, was lost, or was not allowed to run. False for a canceled job."""
        return self in _FAILURES


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
_FAILURES = frozenset(
    {
        JobStatus.FAILED,
        JobStatus.INFRASTRUCTURE_FAIL,
        JobStatus.TERMINATED_UNKNOWN,
        JobStatus.TIMEDOUT,
        JobStatus.UNAUTHORIZED,
    }
)


class JobType(OpenEnum):
    """The type of a job."""

    APPROVAL = "approval"
    BUILD = "build"


@frozen(kw_only=True)
class JobProject:
    """The project of a job."""

    slug: str
    name: str
    external_url: str
    """The URL of the repository."""
    id: str | None = None


@frozen(kw_only=True)
class ParallelRun:
    """A parallel run of a job. `index` is the `node_index` of its artifacts."""

    index: int
    status: str


@frozen(kw_only=True)
class JobWorkflow:
    """The latest workflow with a job."""

    id: str
    name: str


@frozen(kw_only=True)
class JobExecutor:
    """The executor of a job."""

    resource_class: str | None = None
    type: str | None = None


@frozen(kw_only=True)
class JobPipeline:
    """The pipeline of a job."""

    id: str


@frozen(kw_only=True)
class JobMessage:
    """A message from CircleCI about a job."""

    type: str
    message: str
    reason: str | None = None


@frozen(kw_only=True)
class JobContext:
    """A context of a job."""

    name: str


@frozen(kw_only=True)
class JobOrganization:
    """The organization of a job."""

    name: str


@frozen(kw_only=True)
class JobDetails:
    """The details of a job: `GET /project/{project-slug}/job/{job-number}`."""

    number: int
    name: str
    web_url: str
    project: JobProject
    organization: JobOrganization
    pipeline: JobPipeline
    latest_workflow: JobWorkflow
    created_at: datetime
    parallelism: int
    """The configured number of parallel runs."""
    status: JobStatus | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    """None before the job starts."""
    stopped_at: datetime | None = None
    duration: int | None = None
    """In milliseconds."""
    executor: JobExecutor | None = None
    """None before the job is dispatched."""
    parallel_runs: tuple[ParallelRun, ...] = ()
    messages: tuple[JobMessage, ...] = ()
    contexts: tuple[JobContext, ...] = ()


@frozen(kw_only=True)
class TestResult:
    """The result of a test: `GET /project/{project-slug}/{job-number}/tests`."""

    __test__: ClassVar[bool] = False  # pytest would collect a class of this name

    name: str
    classname: str
    """The test suite or class."""
    result: str
    """`success`, `failure`, `skipped` or `error`."""
    run_time: float
    """In seconds."""
    source: str
    """The test runner."""
    file: str | None = None
    message: str | None = None
    """The message of a failed test."""
