"""Is it getting worse? The failure rate by day, and the time to recovery."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from itertools import accumulate
from statistics import fmean
from typing import Any, Final

from ...models.insights_tables import InsightsRun
from ..answer import InsightsAnswer
from ..metrics import FAILED, failure_rate, recoveries
from ..wording import counted, duration, percent
from .days import day_of, days_between, week_of
from .regressions import failure_changes, failure_sentences

MAX_DAYS: Final = 400
"""A longer window has a row for each week, whose `day` is a Monday."""


def failures(runs: Sequence[InsightsRun], start: datetime, end: datetime) -> InsightsAnswer:
    """Return the failure rate of each day of the window, and whether it changed."""
    return InsightsAnswer(
        key="failures",
        question="Is it getting worse?",
        text=_text(runs, start, end) if runs else no_runs(start, end),
        rows=tuple(_rows(runs, days_between(start, end))) if runs else (),
    )


def no_runs(start: datetime, end: datetime) -> str:
    """Return the text of a report without runs."""
    days = days_between(start, end)
    return f"No runs were found from {days[0]} to {days[-1]}: check projects, window and branch."


def _rows(runs: Sequence[InsightsRun], days: list[date]) -> list[dict[str, Any]]:
    by_week = len(days) > MAX_DAYS
    if by_week:
        days = sorted({week_of(day) for day in days})

    def row_of(moment: datetime) -> date:
        return week_of(day_of(moment)) if by_week else day_of(moment)

    count: defaultdict[date, int] = defaultdict(int)
    failed: defaultdict[date, int] = defaultdict(int)
    recovered: defaultdict[date, list[float]] = defaultdict(list)
    for run in runs:
        count[day := row_of(run.created_at)] += 1
        failed[day] += run.status in FAILED
    for moment, seconds in recoveries(runs):
        recovered[row_of(moment)].append(seconds)

    width = 1 if by_week else 7
    counts = list(accumulate((count[day] for day in days), initial=0))
    fails = list(accumulate((failed[day] for day in days), initial=0))
    first = [max(0, index + 1 - width) for index in range(len(days))]
    return [
        {
            "day": day,
            "runs": count[day],
            "failed": failed[day],
            "failure_rate": failure_rate(failed[day], count[day]),
            "mean_7d": failure_rate(fails[index + 1] - fails[first[index]], counts[index + 1] - counts[first[index]]),
            "recovery": fmean(recovered[day]) if recovered[day] else None,
        }
        for index, day in enumerate(days)
    ]


def _text(runs: Sequence[InsightsRun], start: datetime, end: datetime) -> str:
    middle = start + (end - start) / 2
    halves: list[list[bool]] = [[], []]
    for run in runs:
        halves[run.created_at >= middle].append(run.status in FAILED)
    first, second = halves
    failed = sum(first) + sum(second)
    text = f"{percent(failed / len(runs))} of {counted(len(runs), 'run')} failed"
    if first and second:
        rates = percent(fmean(second)), percent(fmean(first))
        text += f": {rates[0]} in the second half of the window, {rates[1]} in the first"
    if times := [seconds for _, seconds in recoveries(runs)]:
        text += f"; recovery took {duration(fmean(times))} on average"
    return " ".join([f"{text}.", *failure_sentences(failure_changes(runs))])
