"""Where do the credits go? By project, workflow, job and resource class, and how many of them on failed runs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from ...models.insights_tables import InsightsJob, InsightsRun, InsightsUsage
from ..answer import InsightsAnswer
from ..metrics import FAILED, FAILED_JOBS
from ..wording import UNKNOWN, credit_count, name, percent

MAX_NAMES: Final = 15
"""The rows of a group. Its other names are one row, with the name `others`."""

_Name: TypeAlias = tuple[str, ...]
_Sums: TypeAlias = dict[_Name, float]


def credits(runs: Sequence[InsightsRun], jobs: Sequence[InsightsJob], usage: Sequence[InsightsUsage]) -> InsightsAnswer:
    """Return the credits by project, workflow, job and resource class.

    Resource classes, and the credits of failed jobs, are known from a usage export.
    """
    failed_runs = [run for run in runs if run.status in FAILED]
    failed_usage = [each for each in usage if each.status in FAILED_JOBS]
    failed_by_job = _sums((_job(each), each.credits_used) for each in failed_usage)
    rows = [
        *_rows("project", _sums(map(_project, runs)), _sums(map(_project, failed_runs))),
        *_rows("workflow", _sums(map(_workflow, runs)), _sums(map(_workflow, failed_runs))),
        *_rows("job", _sums((_job(job), job.credits_used) for job in jobs), failed_by_job if usage else None),
        *_rows("resource class", _sums(map(_class, usage)), _sums(map(_class, failed_usage))),
    ]
    return InsightsAnswer(
        key="credits",
        question="Where do the credits go?",
        text=_text(rows) if rows else "CircleCI reports no credits for the runs of this window.",
        rows=tuple(rows),
    )


def _project(run: InsightsRun) -> tuple[_Name, float | None]:
    return (run.project,), run.credits_used


def _workflow(run: InsightsRun) -> tuple[_Name, float | None]:
    return (run.project, run.workflow), run.credits_used


def _job(job: InsightsJob | InsightsUsage) -> _Name:
    return job.project, job.workflow, job.job


def _class(usage: InsightsUsage) -> tuple[_Name, float | None]:
    return (usage.resource_class or UNKNOWN,), usage.credits_used


def _sums(credits: Iterable[tuple[_Name, float | None]]) -> _Sums:
    sums: defaultdict[_Name, float] = defaultdict(int)
    for key, used in credits:
        sums[key] += used or 0
    return sums


def _rows(by: str, used: _Sums, failed: _Sums | None) -> list[dict[str, Any]]:
    if not (total := sum(used.values())):
        return []
    names = sorted(used, key=lambda each: (-used[each], each))
    groups = [(" ".join(each), [each]) for each in names[:MAX_NAMES]]
    if others := names[MAX_NAMES:]:
        groups.append(("others", others))
    return [
        {
            "by": by,
            "name": title,
            "credits": (part := sum(used[each] for each in group)),
            "failed_credits": None if failed is None else sum(failed.get(each, 0) for each in group),
            "share": part / total,
        }
        for title, group in groups
    ]


def _text(rows: Sequence[dict[str, Any]]) -> str:
    kinds = [row["by"] for row in rows]
    by = next(kind for kind in ("workflow", "job", "resource class") if kind in kinds)
    group = [row for row in rows if row["by"] == by]
    total = sum(row["credits"] for row in group)
    first = group[0]
    text = f"The {by} {name(first['name'])} used {percent(first['share'])} of {credit_count(total)}."
    if first["failed_credits"] is None:
        return text
    failed = sum(row["failed_credits"] for row in group)
    wasted = f"{credit_count(failed)} ({percent(failed / total)})"
    return f"{text} Failed {'runs' if by == 'workflow' else 'jobs'} used {wasted}."
