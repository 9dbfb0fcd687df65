"""What changed against the window before? The metrics of each workflow in both windows."""

from collections.abc import Sequence
from typing import Any, Final

from ...models.insights_tables import InsightsWorkflow
from ..answer import InsightsAnswer
from ..metrics import failure_rate
from ..wording import counted, credit_count, duration, name, percent

RATE: Final = "failure_rate"
"""Its change is a difference; the change of the others is a ratio."""
UNKNOWN_BEFORE: Final = (
    "No runs of the window before are known. CircleCI keeps 90 days: choose a window of at most 45 days, or collect a "
    "history with circleci-async insights collect."
)

_Metrics = dict[str, float | None]


def changes(table: Sequence[InsightsWorkflow], previous: Sequence[InsightsWorkflow]) -> InsightsAnswer:
    """Return the metrics of all workflows and of each one, with their changes since the window before.

    The change of a rate is the difference; of another metric, the ratio minus 1. The percentiles of all workflows
    are known of a single one only: those of several cannot be combined.
    """
    now, before = _by_workflow(table), _by_workflow(previous)
    nothing = _metrics([])
    rows = [_row(*key, now.get(key, nothing), before.get(key, nothing)) for key in sorted(now | before)]
    rows.sort(key=lambda row: (-(row["credits"] or 0), -(row["credits_before"] or 0)))
    total = _row("", "all workflows", _metrics(table), _metrics(previous))
    return InsightsAnswer(
        key="changes",
        question="What changed against the window before?",
        text=_text(total, rows) if previous else UNKNOWN_BEFORE,
        rows=(total, *rows) if previous else (),
    )


def _by_workflow(table: Sequence[InsightsWorkflow]) -> dict[tuple[str, str], _Metrics]:
    return {(each.project, each.workflow): _metrics([each]) for each in table}


def _metrics(workflows: Sequence[InsightsWorkflow]) -> _Metrics:
    """Return the metrics of workflows together; the percentiles of one only."""
    runs = sum(each.total_runs for each in workflows)
    one = workflows[0] if len(workflows) == 1 else None
    return {
        "runs": runs,
        RATE: failure_rate(sum(each.failed_runs or 0 for each in workflows), runs),
        "p50": one.median_duration if one else None,
        "p95": one.p95_duration if one else None,
        "credits": sum(each.credits_used or 0 for each in workflows),
    }


def _row(project: str, workflow: str, now: _Metrics, before: _Metrics) -> dict[str, Any]:
    row: dict[str, Any] = {"project": project, "workflow": workflow}
    for metric, value in now.items():
        past = before[metric]
        row |= {metric: value, f"{metric}_before": past, f"{metric}_change": _change(metric, value, past)}
    return row


def _change(metric: str, now: float | None, before: float | None) -> float | None:
    if now is None or before is None:
        return None
    if metric == RATE:
        return now - before
    return now / before - 1 if before else None


def _text(total: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    text = (
        f"The workflows ran {_against(counted(total['runs'], 'time'), total['runs_change'])}"
        f" and used {_against(credit_count(total['credits']), total['credits_change'])}"
    )
    if total[f"{RATE}_change"] is not None:
        text += f"; {percent(total[RATE])} of the runs failed, {percent(total[f'{RATE}_before'])} before"
    most = max(rows, key=lambda row: (abs(_difference(row, "credits")), abs(_difference(row, "runs"))))
    metric, noun = ("credits", "credit") if _difference(most, "credits") else ("runs", "run")
    if not _difference(most, metric):
        return f"{text}."
    details = f"{counted(most[metric], noun)}, {most[f'{metric}_before']:,} before"
    if most["p50_change"] is not None:
        details += f"; median {duration(most['p50'])}, {duration(most['p50_before'])} before"
    return f"{text}. {name(most['project'], most['workflow'])} changed most: {details}."


def _difference(row: dict[str, Any], metric: str) -> int:
    difference: int = row[metric] - row[f"{metric}_before"]
    return difference


def _against(text: str, change: float | None) -> str:
    """Return a number and how it differs from the one before."""
    if change is None:
        return f"{text} (none before)"
    if abs(change) < 0.0005:
        return f"{text} (as before)"
    return f"{text} ({percent(abs(change))} {'more' if change > 0 else 'fewer'})"
