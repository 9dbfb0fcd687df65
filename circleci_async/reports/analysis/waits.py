"""How long do people wait? The durations of runs by week, on the default branch and on the others."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Final

from ...models.insights_tables import InsightsRun
from ..answer import InsightsAnswer
from ..metrics import durations, percentile
from ..wording import BRANCHES, counted, duration
from .days import WEEK, day_of, days_between, week_of
from .failures import no_runs
from .regressions import duration_changes, duration_sentences

MAX_COMPARED: Final = 4
"""The last complete weeks are compared with as many first ones."""

_SUBJECTS: Final = {
    "default": "Runs on the default branch",
    "other": "Runs on other branches",
    "all": "Runs of the other projects",
}

_Groups = dict[tuple[date, str], list[int]]
"""The durations of each week and group of branches that has runs."""


def waits(runs: Sequence[InsightsRun], start: datetime, end: datetime) -> InsightsAnswer:
    """Return median and p95 of the durations of each week and group of branches that has runs."""
    groups: defaultdict[tuple[date, str], list[InsightsRun]] = defaultdict(list)
    for run in runs:
        groups[week_of(day_of(run.created_at)), _branch(run)].append(run)
    order = list(BRANCHES)
    taken = {key: durations(groups[key]) for key in sorted(groups, key=lambda key: (key[0], order.index(key[1])))}
    rows = tuple(
        {
            "week": week,
            "branch": branch,
            "runs": len(groups[week, branch]),
            "p50": percentile(each, 0.5),
            "p95": percentile(each, 0.95),
        }
        for (week, branch), each in taken.items()
    )
    if not rows:
        text = no_runs(start, end)
    elif not any(taken.values()):
        text, rows = "CircleCI reports no durations for these runs.", ()
    else:
        text = " ".join([*_sentences(taken, start, end), *duration_sentences(duration_changes(runs))])
    return InsightsAnswer(key="waits", question="How long do people wait?", text=text, rows=rows)


def _branch(run: InsightsRun) -> str:
    if run.is_default_branch is None:
        return "all"
    return "default" if run.is_default_branch else "other"


def _sentences(taken: _Groups, start: datetime, end: datetime) -> list[str]:
    weeks = sorted({week_of(day) for day in days_between(start, end)})
    complete = [week for week in weeks if start <= _midnight(week) and _midnight(week + WEEK) <= end]
    compared = min(MAX_COMPARED, len(complete) // 2)
    span = counted(compared, "week") if compared > 1 else "week"
    sentences: list[str] = []
    is_known = any(branch != "all" for _, branch in taken)
    for branch, title in _SUBJECTS.items():
        subject = title if is_known else "Runs"
        first, last = _of_weeks(taken, complete[:compared], branch), _of_weeks(taken, complete[-compared:], branch)
        if compared and first and last:
            now, before = _both(last, " at the median", " at p95"), _both(first)
            sentences.append(f"{subject} took {now} in the last {span}, {before} in the first {span}.")
        elif every := [seconds for (_, each), group in taken.items() if each == branch for seconds in group]:
            sentences.append(f"{subject} took {_both(every, ' at the median', ' at p95')}.")
    return sentences


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _of_weeks(taken: _Groups, weeks: Sequence[date], branch: str) -> list[int]:
    return [seconds for week in weeks for seconds in taken.get((week, branch), ())]


def _both(taken: list[int], median: str = "", p95: str = "") -> str:
    return f"{duration(percentile(taken, 0.5) or 0)}{median} and {duration(percentile(taken, 0.95) or 0)}{p95}"
