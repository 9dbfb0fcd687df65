"""Find the day since which a workflow fails more often, or takes longer, than before. Also the improvements.

The daily values of a workflow are split where the squared error around the means of both sides is smallest. The
split counts if the error that it removes is large against the noise of the days.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import accumulate
from math import log
from typing import Final

from attrs import frozen

from ...models.insights_tables import InsightsRun
from ..metrics import FAILED, by_workflow, durations, percentile
from .days import day_of
from .wording import counted, duration, name, percent

MIN_DAYS: Final = 10
"""Days with runs, before and after."""
MIN_RUNS: Final = 20
"""Runs before and after."""
MIN_STATISTIC: Final = 9.0
"""The error that the split removes, in variances of the noise. Grows with the number of workflows, so that a report
of many is not more often wrong."""
MIN_RATE_CHANGE: Final = 0.03
"""The difference of two failure rates."""
MIN_RATE_RATIO: Final = 1.5
MIN_DURATION_CHANGE: Final = 10.0
"""Seconds."""
MIN_DURATION_RATIO: Final = 1.15
DURATION_NOISE: Final = 0.05**2
"""The least variance of the logarithm of a duration."""
BLOCKS: Final = (1, 5)
"""The days over which the noise is measured: failures often continue for some days."""
MAX_SENTENCES: Final = 2


@frozen(kw_only=True)
class Change:
    """A lasting change of a workflow."""

    project: str
    workflow: str
    day: date
    """The first day after the change."""
    before: float
    """The failure rate, or the median duration in seconds."""
    after: float
    impact: float
    """The failed runs, or the seconds, that the change has added to the runs after it."""


@frozen
class Day:
    """The runs of a workflow on a day."""

    day: date
    weight: float
    """The number of runs."""
    value: float


def failure_changes(runs: Iterable[InsightsRun]) -> list[Change]:
    """Return the changes of failure rates, regressions first, then by impact."""
    return _changes(runs, _failure_change)


def duration_changes(runs: Iterable[InsightsRun]) -> list[Change]:
    """Return the changes of median durations, regressions first, then by impact."""
    return _changes((run for run in runs if run.duration is not None), _duration_change)


def failure_sentences(changes: Sequence[Change]) -> list[str]:
    """Return at most two sentences; the last one counts the other changes."""
    return _sentences(changes, "fails more often", "fails less often", lambda rate: f"{percent(rate)} of runs", percent)


def duration_sentences(changes: Sequence[Change]) -> list[str]:
    """Return at most two sentences; the last one counts the other changes."""
    return _sentences(changes, "takes longer", "takes less time", lambda median: f"median {duration(median)}", duration)


_Daily = dict[date, list[InsightsRun]]
_Find = Callable[[_Daily, float], tuple[date, float, float, int] | None]


def _changes(runs: Iterable[InsightsRun], find: _Find) -> list[Change]:
    groups = by_workflow(runs)
    threshold = MIN_STATISTIC + 2 * log(max(len(groups), 1))
    changes: list[Change] = []
    for (project, workflow), group in groups.items():
        if (found := find(_daily(group), threshold)) is not None:
            day, before, after, count = found
            impact = (after - before) * count
            changes.append(
                Change(project=project, workflow=workflow, day=day, before=before, after=after, impact=impact)
            )
    return sorted(changes, key=lambda change: (change.impact < 0, -abs(change.impact)))


def _daily(runs: Iterable[InsightsRun]) -> _Daily:
    days: defaultdict[date, list[InsightsRun]] = defaultdict(list)
    for run in runs:
        days[day_of(run.created_at)].append(run)
    return dict(sorted(days.items()))


def _failure_change(daily: _Daily, threshold: float) -> tuple[date, float, float, int] | None:
    failed = {day: sum(run.status in FAILED for run in runs) for day, runs in daily.items()}
    total = sum(len(runs) for runs in daily.values())
    rate = sum(failed.values()) / total
    days = [Day(day, len(runs), failed[day] / len(runs)) for day, runs in daily.items()]
    if (index := best_split(days, rate * (1 - rate), threshold)) is None:
        return None
    runs_before = sum(len(runs) for runs in list(daily.values())[:index])
    failed_before = sum(list(failed.values())[:index])
    runs_after = total - runs_before
    before, after = failed_before / runs_before, (sum(failed.values()) - failed_before) / runs_after
    if abs(after - before) < MIN_RATE_CHANGE or max(before, after) < MIN_RATE_RATIO * min(before, after):
        return None
    return days[index].day, before, after, runs_after


def _duration_change(daily: _Daily, threshold: float) -> tuple[date, float, float, int] | None:
    taken = {day: durations(runs) for day, runs in daily.items()}
    days = [Day(day, len(each), log(max(percentile(each, 0.5) or 0, 1))) for day, each in taken.items()]
    if (index := best_split(days, DURATION_NOISE, threshold)) is None:
        return None
    sides = list(taken.values())
    all_before = [seconds for each in sides[:index] for seconds in each]
    all_after = [seconds for each in sides[index:] for seconds in each]
    before, after = percentile(all_before, 0.5) or 0, percentile(all_after, 0.5) or 0
    if abs(after - before) < MIN_DURATION_CHANGE or max(before, after) < MIN_DURATION_RATIO * min(before, after):
        return None
    return days[index].day, before, after, len(all_after)


def best_split(days: Sequence[Day], noise: float, threshold: float) -> int | None:
    """Return the index of the first day after the most significant change of the mean, or None.

    `noise` is the least variance of the value of one run; the days can show a larger one.
    """
    weights = list(accumulate((day.weight for day in days), initial=0.0))
    sums = list(accumulate((day.weight * day.value for day in days), initial=0.0))
    weight, total = weights[-1], sums[-1]

    def removed(index: int) -> float:
        """Return the squared error that the split removes."""
        before = weights[index]
        return (sums[index] - total * before / weight) ** 2 * weight / (before * (weight - before))

    allowed = [
        index
        for index in range(MIN_DAYS, len(days) - MIN_DAYS + 1)
        if min(weights[index], weight - weights[index]) >= MIN_RUNS
    ]
    if not allowed:
        return None
    index = max(allowed, key=removed)
    variance = max(noise, *(_variance(days, index, size) for size in BLOCKS))
    return index if removed(index) > threshold * variance else None


def _variance(days: Sequence[Day], index: int, size: int) -> float:
    """Return the variance of one run, as blocks of days vary around the mean of their side of a split."""
    error, freedom = 0.0, 0
    for side in (days[:index], days[index:]):
        total = sum(day.weight for day in side)
        mean = sum(day.weight * day.value for day in side) / total
        for first in range(0, len(side), size):
            block = side[first : first + size]
            error += sum(day.weight * (day.value - mean) for day in block) ** 2 / sum(day.weight for day in block)
        freedom += -(-len(side) // size) - 1
    return error / freedom if freedom else 0.0


def _sentences(
    changes: Sequence[Change], worse: str, better: str, after: Callable[[float], str], before: Callable[[float], str]
) -> list[str]:
    sentences = [
        f"{name(each.project, each.workflow)} {worse if each.impact > 0 else better} since {each.day}: "
        f"{after(each.after)}, {before(each.before)} before"
        for each in changes[:MAX_SENTENCES]
    ]
    if len(changes) > MAX_SENTENCES:
        sentences[-1] += f"; {counted(len(changes) - MAX_SENTENCES, 'more workflow')} changed"
    return [f"{sentence}." for sentence in sentences]
