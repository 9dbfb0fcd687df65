"""What is worth speeding up, and which tests flake?"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from ...models.insights_tables import InsightsFlakyTest, InsightsJob
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
        text=_jobs_text(totals, time)
        if time
        else "CircleCI reports no durations of jobs: it computes them once a day.",
        rows=tuple(_rows(totals, time)) if time else (),
    )


def _total(job: InsightsJob) -> float:
    return job.total_runs * (job.median_duration or 0)


def _rows(totals: Sequence[tuple[float, InsightsJob]], time: float) -> list[dict[str, Any]]:
    shown, others = totals[:MAX_JOBS], totals[MAX_JOBS:]
    rows = [
        _job_row(job.project, job.workflow, job.job, job.total_runs, job.median_duration, total) for total, job in shown
    ]
    if others:
        runs = sum(job.total_runs for _, job in others)
        rows.append(_job_row("", "", "others", runs, None, sum(total for total, _ in others)))
    for row, cumulative in zip(rows, accumulate(row["total"] for row in rows), strict=True):
        row |= {"share": row["total"] / time, "cumulative_share": cumulative / time}
    return rows


def _job_row(project: str, workflow: str, job: str, runs: int, median: float | None, total: float) -> dict[str, Any]:
    return {"project": project, "workflow": workflow, "job": job, "runs": runs, "median": median, "total": total}


def _jobs_text(totals: Sequence[tuple[float, InsightsJob]], time: float) -> str:
    total, job = totals[0]
    first = name(job.project, job.workflow, job.job)
    text = f"{first} takes {percent(total / time)} of the time of all jobs"
    cumulative = accumulate(total for total, _ in totals)
    large = next(count for count, each in enumerate(cumulative, 1) if each >= LARGE_SHARE * time)
    if 1 < large < len(totals):
        text += f"; {large:,} of {counted(len(totals), 'job')} take {percent(LARGE_SHARE)}"
    runs = counted(job.total_runs, "run")
    return f"{text}. If it took 10 % less time, its {runs} would take {duration(total / 10)} less."


NO_TESTS = (
    "No flaky tests are known. CircleCI detects them in jobs that upload test results with the step store_test_results."
)


def flaky_tests(table: Sequence[InsightsFlakyTest]) -> InsightsAnswer:
    """Return the flaky tests by the time that they wasted."""
    tests = sorted(table, key=_flaky_order)
    return InsightsAnswer(
        key="flaky_tests",
        question="Which tests flake, and what does that cost?",
        text=_flaky_text(tests) if tests else NO_TESTS,
        rows=tuple(
            {
                "project": test.project,
                "workflow": test.workflow,
                "job": test.job,
                "test": test.test_name,
                "times_flaked": test.times_flaked,
                "time_wasted": test.time_wasted,
            }
            for test in tests
        ),
    )


def _flaky_order(test: InsightsFlakyTest) -> tuple[bool, int, int]:
    return test.time_wasted is None, -(test.time_wasted or 0), -test.times_flaked


def _flaky_text(tests: Sequence[InsightsFlakyTest]) -> str:
    worst = tests[0]
    flaked = sum(test.times_flaked for test in tests)
    text = f"{counted(len(tests), 'test')} flaked {counted(flaked, 'time')}"
    cost = counted(worst.times_flaked, "time")
    if worst.time_wasted is not None:
        text += f" and wasted {duration(sum(test.time_wasted or 0 for test in tests))}"
        cost += f", {duration(worst.time_wasted)}"
    job = name(worst.project, worst.workflow, worst.job)
    return f"{text}. The worst is {name(worst.test_name)} in {job}: {cost}."
