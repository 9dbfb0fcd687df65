"""What is worth speeding up? Jobs by runs times median duration."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from ...models.insights_tables import InsightsJob
from ..answer import InsightsAnswer
from ..wording import counted, duration, name, percent

MAX_JOBS: Final = 20
"""The other jobs are one row, with the job `others`."""
LARGE_SHARE: Final = 0.8
"""The fewest jobs that take this share of the time are counted."""


def jobs(table: Sequence[InsightsJob]) -> InsightsAnswer:
    """Return the jobs that take most time in total, and their share of the time of all jobs."""
    totals = sorted(((_total(job), job) for job in table), key=lambda each: -each[0])
    time = sum(total for total, _ in totals)
    return InsightsAnswer(
        key="jobs",
        question="What is worth speeding up?",
        text=_text(totals, time) if time else "CircleCI reports no durations of jobs: it computes them once a day.",
        rows=tuple(_rows(totals, time)) if time else (),
    )


def _total(job: InsightsJob) -> float:
    return job.total_runs * (job.median_duration or 0)


def _rows(totals: Sequence[tuple[float, InsightsJob]], time: float) -> list[dict[str, Any]]:
    shown, others = totals[:MAX_JOBS], totals[MAX_JOBS:]
    rows = [
        _row(job.project, job.workflow, job.job, job.total_runs, job.median_duration, total) for total, job in shown
    ]
    if others:
        runs = sum(job.total_runs for _, job in others)
        rows.append(_row("", "", "others", runs, None, sum(total for total, _ in others)))
    for row, cumulative in zip(rows, accumulate(row["total"] for row in rows), strict=True):
        row |= {"share": row["total"] / time, "cumulative_share": cumulative / time}
    return rows


def _row(project: str, workflow: str, job: str, runs: int, median: float | None, total: float) -> dict[str, Any]:
    return {"project": project, "workflow": workflow, "job": job, "runs": runs, "median": median, "total": total}


def _text(totals: Sequence[tuple[float, InsightsJob]], time: float) -> str:
    total, job = totals[0]
    first = name(job.project, job.workflow, job.job)
    text = f"{first} takes {percent(total / time)} of the time of all jobs"
    cumulative = accumulate(total for total, _ in totals)
    large = next(count for count, each in enumerate(cumulative, 1) if each >= LARGE_SHARE * time)
    if 1 < large < len(totals):
        text += f"; {large:,} of {counted(len(totals), 'job')} take {percent(LARGE_SHARE)}"
    runs = counted(job.total_runs, "run")
    return f"{text}. If it took 10 % less time, its {runs} would take {duration(total / 10)} less."
