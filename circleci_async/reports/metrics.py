"""The metrics of a report: how failures, percentiles and recoveries are counted, everywhere in it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from statistics import fmean
from typing import Final

from ..models.insights_tables import InsightsRun, InsightsWorkflow
from ..models.jobs import JobStatus

FAILED: Final = frozenset({"failed", "error"})
"""The statuses of failed runs."""

FAILED_JOBS: Final = FAILED | {status.value for status in JobStatus if status.is_failure}
"""The statuses of failed jobs, which can also time out or be lost."""


def failure_rate(failed: int, runs: int) -> float | None:
    """Return failed runs over all runs; None without runs."""
    return failed / runs if runs else None


def percentile(values: Collection[float], share: float) -> float | None:
    """Return the value below which a share of the values lies, from 0 to 1, interpolated; None without values.

    The same as `quantile_cont` of SQL and the defaults of NumPy and pandas.
    """
    if not values:
        return None
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = int(position)
    if position == below:
        return float(ordered[below])
    return ordered[below] + (ordered[below + 1] - ordered[below]) * (position - below)


def weighted_median(values: Iterable[tuple[float | None, int]]) -> float | None:
    """Return the median of values, each of which counts as often as its weight says; None without weights.

    The smallest value up to which half of the weights lie. Unknown values do not count.
    """
    ordered = sorted((value, weight) for value, weight in values if value is not None)
    left = sum(weight for _, weight in ordered) / 2
    for value, weight in ordered:
        left -= weight
        if left <= 0 < weight:
            return value
    return None


def durations(runs: Iterable[InsightsRun]) -> list[int]:
    """Return the known durations of runs of any status."""
    return [run.duration for run in runs if run.duration is not None]


def recoveries(runs: Iterable[InsightsRun]) -> list[tuple[datetime, float]]:
    """Return when each series of failed runs ended with a successful one, and after how many seconds.

    A series begins with the end of the first failed run of a workflow on a branch.
    """
    found: list[tuple[datetime, float]] = []
    failed_at: dict[tuple[str, str, str | None], datetime] = {}
    for run in sorted(runs, key=lambda run: run.stopped_at or run.created_at):
        series, stopped_at = (run.project, run.workflow, run.branch), run.stopped_at or run.created_at
        if run.status in FAILED:
            failed_at.setdefault(series, stopped_at)
        elif run.status == "success" and series in failed_at:
            found.append((stopped_at, (stopped_at - failed_at.pop(series)).total_seconds()))
    return found


def workflow_metrics(project: str, workflow: str, runs: Sequence[InsightsRun]) -> InsightsWorkflow:
    """Return the metrics of the runs of one workflow."""
    failed = sum(run.status in FAILED for run in runs)
    times = [seconds for _, seconds in recoveries(runs)]
    taken = durations(runs)
    return InsightsWorkflow(
        project=project,
        workflow=workflow,
        total_runs=len(runs),
        successful_runs=sum(run.status == "success" for run in runs),
        failed_runs=failed,
        failure_rate=failure_rate(failed, len(runs)),
        median_duration=percentile(taken, 0.5),
        p95_duration=percentile(taken, 0.95),
        mean_time_to_recovery=fmean(times) if times else None,
        credits_used=sum(run.credits_used or 0 for run in runs),
    )


def workflows_of(runs: Iterable[InsightsRun]) -> list[InsightsWorkflow]:
    """Return the metrics of each workflow, in the order of projects and workflows."""
    return [workflow_metrics(*names, some) for names, some in by_workflow(runs).items()]


def by_workflow(runs: Iterable[InsightsRun]) -> dict[tuple[str, str], list[InsightsRun]]:
    """Group runs by project and workflow, in the order of both."""
    groups: defaultdict[tuple[str, str], list[InsightsRun]] = defaultdict(list)
    for run in runs:
        groups[run.project, run.workflow].append(run)
    return dict(sorted(groups.items()))
