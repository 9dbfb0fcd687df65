"""The rows of the tables of an insights report: flat, with project and workflow. Durations are in seconds."""

from datetime import date, datetime

from attrs import frozen

__all__ = [
    "InsightsFlakyTest",
    "InsightsJob",
    "InsightsJobDay",
    "InsightsRun",
    "InsightsTest",
    "InsightsUsage",
    "InsightsWorkflow",
]


@frozen(kw_only=True)
class InsightsRun:
    """A run of a workflow."""

    project: str
    """The slug of the project."""
    workflow: str
    id: str
    """The workflow's id."""
    branch: str | None = None
    is_default_branch: bool | None = None
    """None if the default branch of the project is not known."""
    status: str | None = None
    """`success`, `failed`, `error`, `canceled` or `unauthorized`."""
    duration: int | None = None
    """Seconds."""
    credits_used: int | None = None
    created_at: datetime
    stopped_at: datetime | None = None
    is_approval: bool | None = None
    """Whether the run had approval jobs."""


@frozen(kw_only=True)
class InsightsWorkflow:
    """The metrics of a workflow in the window of the report, computed from its runs.

    In the window before, fields are None that are not known.
    """

    project: str
    workflow: str
    total_runs: int
    successful_runs: int | None = None
    failed_runs: int | None = None
    """Runs with the status `failed` or `error`."""
    failure_rate: float | None = None
    """Failed runs over all runs, from 0 to 1; None without runs."""
    median_duration: float | None = None
    """Seconds, of the runs of any status; None without runs, as below."""
    p95_duration: float | None = None
    mean_time_to_recovery: float | None = None
    """Seconds from the end of the first failed run of a branch to the end of its next successful one."""
    credits_used: int | None = None


@frozen(kw_only=True)
class InsightsJob:
    """The metrics of a job."""

    project: str
    workflow: str
    job: str
    total_runs: int
    successful_runs: int
    failed_runs: int
    median_duration: float | None = None
    """Seconds."""
    p95_duration: float | None = None
    credits_used: int = 0


@frozen(kw_only=True)
class InsightsJobDay:
    """The runs of a job on a branch that started on one day, in UTC. Kept in a history."""

    project: str
    workflow: str
    branch: str
    job: str
    day: date
    id: str
    """The fields above, each quoted as in URLs, with `/` between them."""
    total_runs: int
    successful_runs: int
    failed_runs: int
    median_duration: float | None = None
    """Seconds, as below."""
    p95_duration: float | None = None
    total_duration: float | None = None
    """Of all runs."""
    credits_used: int = 0


@frozen(kw_only=True)
class InsightsFlakyTest:
    """A test that failed and passed on the same commit."""

    project: str
    workflow: str
    job: str
    test_name: str
    classname: str | None = None
    file: str | None = None
    source: str | None = None
    times_flaked: int
    time_wasted: int | None = None
    """Seconds."""
    job_number: int
    pipeline_number: int
    workflow_id: str
    """The workflow in which it flaked last."""
    workflow_created_at: datetime


@frozen(kw_only=True)
class InsightsTest:
    """A test that is among the slowest or the most often failed of the ten latest runs of a workflow."""

    project: str
    workflow: str
    job: str
    test_name: str
    classname: str | None = None
    file: str | None = None
    source: str | None = None
    total_runs: int
    failed_runs: int
    is_flaky: bool
    p95_duration: float | None = None
    """Seconds."""


@frozen(kw_only=True)
class InsightsUsage:
    """A job of a usage export."""

    project: str
    workflow: str
    job: str
    job_id: str | None = None
    workflow_id: str | None = None
    branch: str | None = None
    status: str | None = None
    resource_class: str | None = None
    executor: str | None = None
    parallelism: int | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    duration: float | None = None
    """Seconds."""
    queue_duration: float | None = None
    """Seconds from `queued_at` to `started_at`."""
    credits_used: float | None = None
    """All credits of the job."""
    median_cpu: float | None = None
    """Percent of the CPU of its resource class, as the fields below."""
    max_cpu: float | None = None
    median_ram: float | None = None
    max_ram: float | None = None
