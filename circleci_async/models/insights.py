"""Insights: metrics of workflows, jobs and tests over time. All durations are in seconds.

A trend is the ratio of a value to that of the previous reporting window.
"""

from datetime import datetime
from typing import ClassVar

from attrs import frozen

from .open_enum import OpenEnum

__all__ = [
    "DurationMetrics",
    "FlakyTest",
    "FlakyTestReport",
    "Granularity",
    "InsightsBranches",
    "JobMetrics",
    "JobMetricsValues",
    "JobTimeseries",
    "JobTimeseriesDurations",
    "JobTimeseriesMetrics",
    "ReportingWindow",
    "RunStatus",
    "TestCounts",
    "TestMetric",
    "TestMetricsReport",
    "TestRun",
    "WorkflowMetrics",
    "WorkflowMetricsValues",
    "WorkflowRun",
    "WorkflowSummary",
    "WorkflowSummaryMetrics",
    "WorkflowSummaryTrends",
]


class ReportingWindow(OpenEnum):
    """The time range of metrics, 90 days by default."""

    LAST_24_HOURS = "last-24-hours"
    LAST_7_DAYS = "last-7-days"
    LAST_30_DAYS = "last-30-days"
    LAST_60_DAYS = "last-60-days"
    LAST_90_DAYS = "last-90-days"


class Granularity(OpenEnum):
    """The bucket size of a time series. Hourly buckets are kept for 48 hours, daily ones for 90 days."""

    DAILY = "daily"
    HOURLY = "hourly"


class RunStatus(OpenEnum):
    """The result of a workflow run."""

    CANCELED = "canceled"
    ERROR = "error"
    FAILED = "failed"
    SUCCESS = "success"
    UNAUTHORIZED = "unauthorized"


@frozen(kw_only=True)
class DurationMetrics:
    """The durations of runs, in seconds. All None without runs."""

    min: int | None = None
    mean: int | None = None
    median: int | None = None
    p95: int | None = None
    max: int | None = None
    standard_deviation: float | None = None


@frozen(kw_only=True)
class WorkflowMetricsValues:
    """The metrics of a workflow."""

    total_runs: int
    successful_runs: int
    failed_runs: int
    success_rate: float
    """Successful runs over all runs of any status, from 0 to 1."""
    throughput: float
    """Runs per day."""
    duration_metrics: DurationMetrics
    mttr: int | None = None
    """Mean time to recovery: seconds from a failed run to the next successful one."""
    total_recoveries: int | None = None
    total_credits_used: int | None = None


@frozen(kw_only=True)
class WorkflowMetrics:
    """A workflow with its metrics: `GET /insights/{project-slug}/workflows`."""

    name: str
    metrics: WorkflowMetricsValues
    window_start: datetime
    window_end: datetime
    project_id: str | None = None


@frozen(kw_only=True)
class WorkflowRun:
    """A run of a workflow: `GET /insights/{project-slug}/workflows/{workflow-name}`."""

    id: str
    """The workflow's id."""
    created_at: datetime
    credits_used: int
    status: RunStatus | None = None
    stopped_at: datetime | None = None
    duration: int | None = None
    """In seconds."""
    branch: str | None = None
    is_approval: bool | None = None
    """Whether the run had approval jobs."""


@frozen(kw_only=True)
class JobMetricsValues:
    """The metrics of a job."""

    total_runs: int
    successful_runs: int
    failed_runs: int
    success_rate: float
    """Successful runs over all runs of any status, from 0 to 1."""
    throughput: float
    """Runs per day."""
    duration_metrics: DurationMetrics
    total_credits_used: int


@frozen(kw_only=True)
class JobMetrics:
    """A job with its metrics: `GET /insights/{project-slug}/workflows/{workflow-name}/jobs`."""

    name: str
    metrics: JobMetricsValues
    window_start: datetime
    window_end: datetime


@frozen(kw_only=True)
class JobTimeseriesDurations:
    """The durations of the runs in a bucket, in seconds."""

    min: int | None = None
    median: int | None = None
    max: int | None = None
    p95: int | None = None
    total: int | None = None


@frozen(kw_only=True)
class JobTimeseriesMetrics:
    """The metrics of a bucket."""

    total_runs: int
    successful_runs: int
    failed_runs: int
    throughput: float
    """Runs per day."""
    median_credits_used: int
    total_credits_used: int
    duration_metrics: JobTimeseriesDurations


@frozen(kw_only=True)
class JobTimeseries:
    """A bucket of a job: `GET /insights/time-series/{project-slug}/workflows/{workflow-name}/jobs`."""

    name: str
    timestamp: datetime
    """The start of the bucket."""
    min_started_at: datetime
    max_ended_at: datetime
    metrics: JobTimeseriesMetrics


@frozen(kw_only=True)
class WorkflowSummaryMetrics:
    """The metrics in a workflow's summary."""

    total_runs: int
    successful_runs: int
    failed_runs: int
    success_rate: float
    """From 0 to 1."""
    throughput: float
    """Runs per day."""
    duration_metrics: DurationMetrics
    window_start: datetime
    window_end: datetime
    completed_runs: int | None = None
    mttr: int | None = None
    """Mean time to recovery, in seconds."""
    total_credits_used: int | None = None


@frozen(kw_only=True)
class WorkflowSummaryTrends:
    """The trends in a workflow's summary."""

    total_runs: float
    failed_runs: float
    success_rate: float
    throughput: float
    median_duration_secs: float
    p95_duration_secs: float
    total_credits_used: float
    mttr: float


@frozen(kw_only=True)
class WorkflowSummary:
    """The metrics and trends of a workflow: `GET /insights/{project-slug}/workflows/{workflow-name}/summary`."""

    metrics: WorkflowSummaryMetrics
    trends: WorkflowSummaryTrends
    workflow_names: tuple[str, ...]
    """All workflows of the project."""


@frozen(kw_only=True)
class InsightsBranches:
    """The branches with metrics, 5,000 at most: `GET /insights/{project-slug}/branches`."""

    branches: tuple[str, ...]
    org_id: str | None = None
    project_id: str | None = None


@frozen(kw_only=True)
class FlakyTest:
    """A test that failed and passed on the same commit."""

    test_name: str
    job_name: str
    job_number: int
    workflow_name: str
    workflow_id: str
    workflow_created_at: datetime
    pipeline_number: int
    times_flaked: int
    time_wasted: int | None = None
    """In seconds."""
    classname: str | None = None
    source: str | None = None
    file: str | None = None


@frozen(kw_only=True)
class FlakyTestReport:
    """The flaky tests of a project, on all branches: `GET /insights/{project-slug}/flaky-tests`."""

    flaky_tests: tuple[FlakyTest, ...]
    total_flaky_tests: float
    """The number of different flaky tests."""


@frozen(kw_only=True)
class TestMetric:
    """The metrics of a test."""

    __test__: ClassVar[bool] = False  # pytest would collect a class of this name

    test_name: str
    job_name: str
    total_runs: int
    failed_runs: int
    flaky: bool
    p95_duration: float | None = None
    """In seconds."""
    classname: str | None = None
    source: str | None = None
    file: str | None = None


@frozen(kw_only=True)
class TestCounts:
    """The number of tests of a run, by result."""

    __test__: ClassVar[bool] = False  # pytest would collect a class of this name

    error: int
    failure: int
    skipped: int
    success: int
    total: int


@frozen(kw_only=True)
class TestRun:
    """The tests of a workflow run."""

    __test__: ClassVar[bool] = False  # pytest would collect a class of this name

    pipeline_number: int
    workflow_id: str
    success_rate: float
    """From 0 to 1."""
    test_counts: TestCounts


@frozen(kw_only=True)
class TestMetricsReport:
    """The test metrics of the ten latest runs of a workflow.

    `GET /insights/{project-slug}/workflows/{workflow-name}/test-metrics`
    """

    __test__: ClassVar[bool] = False  # pytest would collect a class of this name

    average_test_count: int
    total_test_runs: int
    test_runs: tuple[TestRun, ...]
    most_failed_tests: tuple[TestMetric, ...]
    most_failed_tests_extra: int
    """The number of omitted tests that failed as often."""
    slowest_tests: tuple[TestMetric, ...]
    slowest_tests_extra: int
    """The number of omitted tests that took as long."""
