"""Insights: metrics of workflows, jobs and tests. Durations are in seconds."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import fmean, median, pstdev
from typing import TypeVar

from attrs import frozen

from .builds import Job, Workflow
from .projects import Project
from .registry import Json
from .results import FAILED, JobTest

WINDOWS = {
    "last-24-hours": timedelta(days=1),
    "last-7-days": timedelta(days=7),
    "last-30-days": timedelta(days=30),
    "last-60-days": timedelta(days=60),
    "last-90-days": timedelta(days=90),
}
MAX_SPAN = timedelta(days=90)
_EVER = datetime.min.replace(tzinfo=UTC)

_T = TypeVar("_T")


@frozen
class Window:
    """A time span, from `start` (inclusive) to `end` (exclusive)."""

    start: datetime
    end: datetime

    @property
    def days(self) -> float:
        """Length in days."""
        return (self.end - self.start) / timedelta(days=1)

    def before(self) -> "Window":
        """Return the previous span of the same length, which trends are relative to."""
        return Window(self.start - (self.end - self.start), self.start)


def runs(
    project: Project,
    window: Window,
    *,
    workflows: Collection[str] | None = None,
    branches: Collection[str] | None = None,
) -> list[Workflow]:
    """Return the ended runs that started in the window, oldest first; None selects all workflows or branches.

    Runs older than `World.insights_retention` are dropped.
    """
    start, end = max(window.start, oldest(project)), window.end
    found = [
        workflow
        for pipeline in project.pipelines.all
        if branches is None or pipeline.branch in branches
        for workflow in pipeline.workflows
        if start <= workflow.created_at < end and (workflows is None or workflow.name in workflows) and workflow.ended
    ]
    return sorted(found, key=lambda run: run.created_at)  # a rerun can be younger than the run of the next pipeline


def oldest(project: Project) -> datetime:
    """Return the time before which insights have no runs."""
    retention = project.world.insights_retention
    return _EVER if retention is None else project.world.clock() - retention


def job_runs(workflows: Iterable[Workflow]) -> list[Job]:
    """Return the build jobs of these runs that have ended, in order."""
    return [
        job for workflow in workflows for job in workflow.own_jobs if job.duration is not None and job.type == "build"
    ]


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile; 0 without values."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1] if values else 0


def ratio(now: float | None, before: float | None) -> float:
    """Return a metric relative to the previous window; 0 if either is missing."""
    return now / before if now and before else 0.0


def trends(now: Json, before: Json, names: Iterable[str]) -> Json:
    """Return metrics relative to the previous window."""
    return {name: ratio(now[name], before[name]) for name in names}


def spread(durations: Sequence[float]) -> Json:
    """Describe a distribution; all None without values."""
    if not durations:
        return dict.fromkeys(("min", "mean", "median", "p95", "max", "standard_deviation"))
    metrics = {
        "min": min(durations),
        "mean": fmean(durations),
        "median": median(durations),
        "p95": p95(durations),
        "max": max(durations),
    }
    return {name: round(value) for name, value in metrics.items()} | {"standard_deviation": pstdev(durations)}


def recoveries(workflows: Sequence[Workflow]) -> list[float]:
    """Return the seconds from each failure to the next success of the same workflow on the same branch."""
    times: list[float] = []
    failed_at: dict[tuple[str, str | None], datetime] = {}
    for run in sorted(workflows, key=lambda run: run.stopped_at or run.created_at):
        key, stopped = (run.name, run.pipeline.branch), run.stopped_at or run.created_at
        if run.status == "failed":
            failed_at.setdefault(key, stopped)
        elif run.status == "success" and key in failed_at:
            times.append((stopped - failed_at.pop(key)).total_seconds())
    return times


def counts(statuses: Sequence[str], window: Window) -> Json:
    """Count runs by status."""
    total, successful = len(statuses), statuses.count("success")
    return {
        "total_runs": total,
        "successful_runs": successful,
        "failed_runs": sum(status in FAILED or status == "error" for status in statuses),
        "success_rate": successful / total if total else 0.0,
        "throughput": total / window.days,
    }


def workflow_metrics(workflows: Sequence[Workflow], window: Window) -> Json:
    """Summarize runs of one workflow."""
    recovery_times = recoveries(workflows)
    return {
        **counts([run.status for run in workflows], window),
        "mttr": round(fmean(recovery_times)) if recovery_times else 0,
        "total_credits_used": sum(run.credits for run in workflows),
        "duration_metrics": spread([run.duration or 0 for run in workflows]),
        "total_recoveries": len(recovery_times),
    }


def job_metrics(jobs: Sequence[Job], window: Window) -> Json:
    """Summarize runs of one job."""
    return {
        **counts([job.status for job in jobs], window),
        "duration_metrics": spread([job.duration or 0 for job in jobs]),
        "total_credits_used": sum(job.credits for job in jobs),
    }


def summary(workflows: Sequence[Workflow], window: Window) -> Json:
    """Summarize runs of several workflows."""
    metrics = counts([run.status for run in workflows], window)
    return {
        "total_runs": metrics["total_runs"],
        "total_duration_secs": round(sum(run.duration or 0 for run in workflows)),
        "total_credits_used": sum(run.credits for run in workflows),
        "success_rate": metrics["success_rate"],
        "throughput": metrics["throughput"],
        "p95_duration_secs": float(p95([run.duration or 0 for run in workflows])),
    }


def grouped(items: Iterable[_T], key: Callable[[_T], str]) -> dict[str, list[_T]]:
    """Group items by key, in order of first appearance."""
    groups: defaultdict[str, list[_T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def time_series(jobs: Iterable[Job], length: timedelta) -> list[tuple[Window, str, list[Job]]]:
    """Group job runs by time span and job, newest first."""
    groups: defaultdict[tuple[datetime, str], list[Job]] = defaultdict(list)
    for job in jobs:
        midnight = job.created_at.replace(hour=0, minute=0, second=0, microsecond=0)
        groups[midnight + (job.created_at - midnight) // length * length, job.name].append(job)
    newest_first = sorted(groups, reverse=True)
    return [(Window(start, start + length), name, groups[start, name]) for start, name in newest_first]


def bucket(span: Window, name: str, jobs: Sequence[Job]) -> Json:
    """Summarize the runs of a job in a time span; times are datetimes."""
    metrics = counts([job.status for job in jobs], span)
    durations = [job.duration or 0 for job in jobs]
    shape = spread(durations)
    credits = [job.credits for job in jobs]
    return {
        "name": name,
        "min_started_at": min(job.started_at or job.created_at for job in jobs),
        "max_ended_at": max(job.stopped_at or job.created_at for job in jobs),
        "timestamp": span.start,
        "metrics": {
            **{key: metrics[key] for key in ("total_runs", "failed_runs", "successful_runs", "throughput")},
            "median_credits_used": round(median(credits)),
            "total_credits_used": sum(credits),
            "duration_metrics": {
                **{key: shape[key] for key in ("min", "median", "max", "p95")},
                "total": round(sum(durations)),
            },
        },
    }


_FAILURES = ("failure", "error")
_MAX_RUNS, _MAX_TESTS = 10, 10

TestKey = tuple[str, str, str, str]
"""Workflow, job, class and name of a test."""


@frozen
class Execution:
    """One run of one test."""

    workflow: Workflow
    job: Job
    test: JobTest

    @property
    def key(self) -> TestKey:
        """Identifies the test across runs."""
        return self.workflow.name, self.job.name, self.test.classname, self.test.name

    @property
    def failed(self) -> bool:
        """Whether the test failed."""
        return self.test.result in _FAILURES


def executions(workflows: Iterable[Workflow]) -> list[Execution]:
    """Return the tests of these runs."""
    return [Execution(run, job, test) for run in workflows for job in run.own_jobs for test in job.tests]


def flaky_tests(project: Project) -> dict[TestKey, list[Execution]]:
    """Return the failures of the tests that both failed and passed on one commit."""
    start = oldest(project)
    by_commit: defaultdict[str, list[Workflow]] = defaultdict(list)
    for pipeline in project.pipelines.all:
        by_commit[pipeline.revision] += [run for run in pipeline.workflows if run.created_at >= start]
    found: defaultdict[TestKey, list[Execution]] = defaultdict(list)
    for workflows in by_commit.values():
        if not _has_failures(workflows):  # saves the time of the rest for nearly all commits
            continue
        by_test: defaultdict[TestKey, list[Execution]] = defaultdict(list)
        for each in executions(workflows):
            by_test[each.key].append(each)
        for key, runs in by_test.items():
            failures = [each for each in runs if each.failed]
            if failures and any(each.test.result == "success" for each in runs):
                found[key] += failures
    return found


def _has_failures(workflows: Iterable[Workflow]) -> bool:
    tests = (test for run in workflows for job in run.jobs for test in job.tests)
    return any(test.result in _FAILURES for test in tests)


def test_metrics(workflows: Sequence[Workflow], flaky: Collection[TestKey]) -> Json:
    """Summarize the tests of the ten latest of these runs, which are ordered oldest first."""
    latest = workflows[-_MAX_RUNS:][::-1]
    by_test: defaultdict[TestKey, list[Execution]] = defaultdict(list)
    for each in executions(latest):
        by_test[each.key].append(each)
    tests = [_metrics(runs, flaky=key in flaky) for key, runs in by_test.items()]
    failing = sorted((test for test in tests if test["failed_runs"]), key=lambda test: -test["failed_runs"])
    slowest = sorted(tests, key=lambda test: -test["p95_duration"])
    test_runs = [_counts(run) for run in latest]
    totals = [run["test_counts"]["total"] for run in test_runs]
    return {
        "average_test_count": round(fmean(totals)) if totals else 0,
        "most_failed_tests": failing[:_MAX_TESTS],
        "most_failed_tests_extra": max(0, len(failing) - _MAX_TESTS),
        "slowest_tests": slowest[:_MAX_TESTS],
        "slowest_tests_extra": max(0, len(slowest) - _MAX_TESTS),
        "total_test_runs": len(test_runs),
        "test_runs": test_runs,
    }


def _metrics(runs: Sequence[Execution], *, flaky: bool) -> Json:
    test = runs[0].test
    return {
        "p95_duration": p95([each.test.run_time for each in runs]),
        "total_runs": len(runs),
        "classname": test.classname,
        "failed_runs": sum(each.failed for each in runs),
        "flaky": flaky,
        "source": test.source,
        "file": test.file,
        "job_name": runs[0].job.name,
        "test_name": test.name,
    }


def _counts(run: Workflow) -> Json:
    results = Counter(each.test.result for each in executions([run]))
    total = results.total()
    return {
        "pipeline_number": run.pipeline.number,
        "workflow_id": run.id,
        "success_rate": results["success"] / total if total else 0.0,
        "test_counts": {
            **{result: results[result] for result in ("error", "failure", "skipped", "success")},
            "total": total,
        },
    }
