"""The workflows in the window before that of a report."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen

from ..models.insights import ReportingWindow
from ..models.insights_tables import InsightsWorkflow
from ..models.summaries import ProjectWorkflowSummary
from .window import KEPT, Window

DAYS_KEPT: Final = KEPT // timedelta(days=1)


@frozen
class PreviousWindow:
    """Where the workflows of the window before are read from."""

    runs: Window | None = None
    """The window whose runs are read, or None."""
    summary: ReportingWindow | None = None
    """The window of the summary whose trends are read, or None."""
    note: str | None = None
    """What is not known of it."""


def previous_of(window: Window, now: datetime) -> PreviousWindow:
    """Return where the window before can be read: in its runs if CircleCI keeps them, else in trends if it has them."""
    before = window.before()
    if before.is_kept(now):
        return PreviousWindow(runs=before)
    if summary := window.equal_reporting_window(now):
        note = (
            f"CircleCI keeps insights for {DAYS_KEPT} days: the window before is known from its trends only, with"
            " estimated failure rates, and without medians and recovery times"
        )
        return PreviousWindow(summary=summary, note=note)
    return PreviousWindow(note=f"CircleCI keeps insights for {DAYS_KEPT} days: the window before is not known")


def workflows_before(
    project: str, summaries: Iterable[ProjectWorkflowSummary], workflows: Iterable[InsightsWorkflow]
) -> list[InsightsWorkflow]:
    """Return the metrics of the window before, derived from those of this window and their trends.

    Workflows without a trend are left out: CircleCI does not know their runs before. Failure rates are estimated: the
    trends contain only successful runs, and canceled runs have not failed.
    """
    now = {each.workflow: each for each in workflows if each.project == project}
    found: list[InsightsWorkflow] = []
    for each in summaries:
        metrics, trends = each.metrics, each.trends
        total = _before(metrics.total_runs, trends.total_runs)
        if total is None:
            continue
        success_rate = _before(metrics.success_rate, trends.success_rate)
        failure_rate = None
        if success_rate is not None:
            # the others failed or were canceled, in the same proportion as now
            failure_rate = max(0.0, 1 - success_rate) * _failed_share(now.get(each.workflow_name))
        credits = _before(metrics.total_credits_used, trends.total_credits_used)
        found.append(
            InsightsWorkflow(
                project=project,
                workflow=each.workflow_name,
                total_runs=round(total),
                successful_runs=None if success_rate is None else round(total * success_rate),
                failed_runs=None if failure_rate is None else round(total * failure_rate),
                failure_rate=failure_rate,
                p95_duration=_before(metrics.p95_duration_secs, trends.p95_duration_secs),
                credits_used=None if credits is None else round(credits),
            )
        )
    return found


def _before(metric: float, trend: float) -> float | None:
    """Return the value whose ratio to the metric is the trend; None if it is not known."""
    return metric / trend if metric > 0 and trend > 0 else None


def _failed_share(workflow: InsightsWorkflow | None) -> float:
    """Return the share of the runs without success that failed; 1 without such runs."""
    if workflow is None or workflow.successful_runs is None or workflow.failed_runs is None:
        return 1.0
    unsuccessful = workflow.total_runs - workflow.successful_runs
    return workflow.failed_runs / unsuccessful if unsuccessful else 1.0
