"""Reports of hand-made and of random tables."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from circleci_async.models.insights_tables import (
    InsightsFlakyTest,
    InsightsJob,
    InsightsRun,
    InsightsUsage,
    InsightsWorkflow,
)
from circleci_async.reports.answer import InsightsAnswer
from circleci_async.reports.metrics import by_workflow, workflow_metrics
from circleci_async.reports.report import InsightsReport
from circleci_async.reports.table import InsightsTable

START = datetime(2026, 8, 31, tzinfo=UTC)  # a Monday
WEB = {"project": "gh/acme/web", "workflow": "deploy"}
_numbers = count()


def at(day: float) -> datetime:
    """Return the time some days after the start."""
    return START + timedelta(days=day)


def run(day: float, status: str | None = "success", duration: int | None = 60, **fields: Any) -> InsightsRun:
    """Return a run that was created some days after the start."""
    created_at = at(day)
    stopped_at = None if duration is None else created_at + timedelta(seconds=duration)
    values: dict[str, Any] = {**WEB, "id": f"run-{next(_numbers)}", "branch": "main", "status": status}
    values |= {"duration": duration, "created_at": created_at, "stopped_at": stopped_at}
    return InsightsRun(**values | fields)


def job(name: str, runs: int, median: float | None, credits: int = 0, **fields: Any) -> InsightsJob:
    """Return the metrics of a job."""
    values: dict[str, Any] = {**WEB, "job": name, "total_runs": runs, "successful_runs": runs, "failed_runs": 0}
    return InsightsJob(**values | {"median_duration": median, "credits_used": credits} | fields)


def flaky(name: str, times: int, wasted: int | None, **fields: Any) -> InsightsFlakyTest:
    """Return a flaky test."""
    values: dict[str, Any] = {**WEB, "job": "test", "test_name": name, "times_flaked": times, "time_wasted": wasted}
    values |= {"job_number": 1, "pipeline_number": 1, "workflow_id": "w", "workflow_created_at": START}
    return InsightsFlakyTest(**values | fields)


def used(**fields: Any) -> InsightsUsage:
    """Return a job of a usage export."""
    values: dict[str, Any] = {**WEB, "job": "test", "status": "success", "resource_class": "large"}
    return InsightsUsage(**values | fields)


def workflow(name: str, runs: int, failed: int, credits: int | None, **fields: Any) -> InsightsWorkflow:
    """Return the metrics of a workflow."""
    values: dict[str, Any] = {"project": "gh/acme/web", "workflow": name, "total_runs": runs, "failed_runs": failed}
    values |= {"successful_runs": runs - failed, "failure_rate": failed / runs if runs else None}
    return InsightsWorkflow(**values | {"credits_used": credits} | fields)


def report(
    runs: Iterable[InsightsRun] = (),
    days: float = 28,
    *,
    jobs: Iterable[InsightsJob] = (),
    flaky_tests: Iterable[InsightsFlakyTest] = (),
    usage: Iterable[InsightsUsage] = (),
    has_usage: bool | None = None,
    workflows: Iterable[InsightsWorkflow] | None = None,
    previous: Iterable[InsightsWorkflow] = (),
) -> InsightsReport:
    """Return a report of the days after the start."""
    table = InsightsTable(InsightsRun, runs)
    exported = InsightsTable(InsightsUsage, usage)
    computed = [workflow_metrics(*key, group) for key, group in by_workflow(table).items()]
    return InsightsReport(
        projects=("gh/acme/web",),
        start=START,
        end=at(days),
        runs=table,
        workflows=InsightsTable(InsightsWorkflow, computed if workflows is None else workflows),
        jobs=InsightsTable(InsightsJob, jobs),
        flaky_tests=InsightsTable(InsightsFlakyTest, flaky_tests),
        usage=exported,
        has_usage=bool(exported) if has_usage is None else has_usage,
        previous=InsightsTable(InsightsWorkflow, previous),
    )


def answer(key: str, *args: Any, **fields: Any) -> InsightsAnswer:
    """Return an answer of such a report."""
    return next(each for each in report(*args, **fields).answers if each.key == key)


def history(
    seed: int,
    per_day: float = 30,
    days: int = 90,
    *,
    rate: Callable[[int], float] = lambda day: 0.08,
    median: Callable[[int], float] = lambda day: 300,
    **fields: Any,
) -> list[InsightsRun]:
    """Return random runs of a workflow: few at weekends, and slower ones that fail more often on Mondays."""
    random_ = random.Random(seed)
    runs: list[InsightsRun] = []
    for day in range(days):
        weekday = at(day).weekday()
        for _ in range(round(per_day * (0.2 if weekday > 4 else 1) * random_.uniform(0.7, 1.3))):
            failed = random_.random() < rate(day) * (1.5 if weekday == 0 else 1)
            seconds = median(day) * random_.lognormvariate(0, 0.3) * (1.15 if weekday == 0 else 1)
            status = "failed" if failed else random_.choice(["success"] * 19 + ["canceled"])
            runs.append(run(day + random_.random(), status, round(seconds), **fields))
    return runs
