"""Find the day since which a workflow fails more often, or takes longer, than before. Also the improvements.

The daily values of a workflow are split where the squared error around the means of both sides is smallest. The
split is a change if the error that it removes is large against the noise, and the difference is relevant.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import accumulate
from math import log
from typing import Final

from attrs import frozen

from ...models.insights_tables import InsightsRun
from ..metrics import FAILED, by_workflow, durations, failure_rate, percentile
from ..wording import counted, duration, name, percent
from .days import day_of

MIN_DAYS: Final = 5
"""Days with runs, before and after a change."""
MIN_RUNS: Final = 10
"""Runs before and after a change."""
MIN_STATISTIC: Final = 11.0
"""The error that a split removes, over the variance of the noise, in a report of one workflow. Among constant
workflows, about one in fifty exceeds it."""
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
    runs: int
    """The runs after the change."""

    @property
    def impact(self) -> float:
        """The failed runs, or seconds, that the change added; negative for an improvement."""
        return (self.after - self.before) * self.runs


@frozen
class Day:
    """The value of a day, and the number of runs that it is the mean of."""

    runs: int
    value: float


@frozen(kw_only=True)
class _Metric:
    """What can change, and when it matters."""

    level: Callable[[Sequence[InsightsRun]], float]
    """Return the value of runs."""
    scaled: Callable[[float], float]
    """Return a value whose differences can be compared."""
    noise: Callable[[float], float]
    """Return the least variance of the scaled value of one run, by the level of all runs."""
    min_difference: float
    min_ratio: float

    def is_relevant(self, before: float, after: float) -> bool:
        """Return whether the difference matters to people."""
        low, high = sorted((before, after))
        return high - low >= self.min_difference and high >= self.min_ratio * low


def _failure_rate(runs: Sequence[InsightsRun]) -> float:
    return failure_rate(sum(run.status in FAILED for run in runs), len(runs)) or 0


def _median(runs: Sequence[InsightsRun]) -> float:
    return percentile(durations(runs), 0.5) or 0


_FAILURES: Final = _Metric(
    level=_failure_rate,
    scaled=float,
    noise=lambda rate: rate * (1 - rate),
    min_difference=0.03,
    min_ratio=1.5,
)
_DURATIONS: Final = _Metric(
    level=_median,
    scaled=lambda seconds: log(max(seconds, 1)),
    noise=lambda _: 0,
    min_difference=10,
    min_ratio=1.15,
)


def failure_changes(runs: Iterable[InsightsRun]) -> list[Change]:
    """Return the changes of failure rates, regressions first, then by impact."""
    return _changes(runs, _FAILURES)


def duration_changes(runs: Iterable[InsightsRun]) -> list[Change]:
    """Return the changes of median durations, regressions first, then by impact."""
    return _changes((run for run in runs if run.duration is not None), _DURATIONS)


def failure_sentences(changes: Sequence[Change]) -> list[str]:
    """Return at most two sentences; the last one counts the other changes."""
    return _sentences(changes, "fails more often", "fails less often", lambda rate: f"{percent(rate)} of runs", percent)


def duration_sentences(changes: Sequence[Change]) -> list[str]:
    """Return at most two sentences; the last one counts the other changes."""
    return _sentences(changes, "takes longer", "takes less time", lambda median: f"median {duration(median)}", duration)


def _changes(runs: Iterable[InsightsRun], metric: _Metric) -> list[Change]:
    workflows = by_workflow(runs)
    # of more workflows, more exceed a threshold by chance
    threshold = MIN_STATISTIC + 2 * log(max(len(workflows), 1))
    changes = [_change(*key, group, metric, threshold) for key, group in workflows.items()]
    return sorted((each for each in changes if each), key=lambda each: (each.impact < 0, -abs(each.impact)))


def _change(
    project: str, workflow: str, runs: Sequence[InsightsRun], metric: _Metric, threshold: float
) -> Change | None:
    by_day: defaultdict[date, list[InsightsRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.created_at):
        by_day[day_of(run.created_at)].append(run)
    days = [Day(len(each), metric.scaled(metric.level(each))) for each in by_day.values()]
    index = best_split(days, metric.noise(metric.level(runs)), threshold)
    if index is None:
        return None
    sides: list[list[InsightsRun]] = [[], []]
    for position, each in enumerate(by_day.values()):
        sides[position >= index].extend(each)
    before, after = map(metric.level, sides)
    if not metric.is_relevant(before, after):
        return None
    day = list(by_day)[index]
    return Change(project=project, workflow=workflow, day=day, before=before, after=after, runs=len(sides[1]))


def best_split(days: Sequence[Day], noise: float, threshold: float) -> int | None:
    """Return the index of the first day after the most significant change of the mean, or None.

    `noise` is the least variance of the value of one run; the days can vary more.
    """
    weights = list(accumulate((day.runs for day in days), initial=0.0))
    sums = list(accumulate((day.runs * day.value for day in days), initial=0.0))
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
        total = sum(day.runs for day in side)
        mean = sum(day.runs * day.value for day in side) / total
        for first in range(0, len(side), size):
            block = side[first : first + size]
            error += sum(day.runs * (day.value - mean) for day in block) ** 2 / sum(day.runs for day in block)
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
