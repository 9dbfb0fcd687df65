"""What is oversized? CPU and memory use by job, from the usage export.

A job is a candidate for a smaller resource class if at least five of its runs have a known CPU and memory use, and
none used half of either: half of the class would have been enough. `small` is the smallest class and never one.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ...models.insights_tables import InsightsUsage
from ..answer import InsightsAnswer
from ..metrics import percentile
from ..wording import UNKNOWN, counted, credit_count, listed, name, percent
from .queue import no_usage

MIN_RUNS: Final = 5
MAX_USE: Final = 50.0
"""Percent of the CPU and memory of the resource class, exclusive."""
SMALLEST: Final = "small"
MAX_NAMED: Final = 3


def sizing(usage: Sequence[InsightsUsage], has_usage: bool) -> InsightsAnswer:
    """Return the CPU and memory use of each job and resource class, by credits. See the module for candidates."""
    groups: defaultdict[tuple[str, str, str, str], list[InsightsUsage]] = defaultdict(list)
    for each in usage:
        if each.max_cpu is not None or each.max_ram is not None:
            groups[each.project, each.workflow, each.job, each.resource_class or UNKNOWN].append(each)
    rows = sorted((_row(*key, runs) for key, runs in groups.items()), key=lambda row: -row["credits"])
    if rows:
        text = _text(rows)
    elif has_usage:
        text = "The usage export contains no CPU or memory use."
    else:
        text = no_usage("CPU and memory use are")
    return InsightsAnswer(key="sizing", question="What is oversized?", text=text, rows=tuple(rows))


def _row(project: str, workflow: str, job: str, resource_class: str, runs: Sequence[InsightsUsage]) -> dict[str, Any]:
    max_cpu, max_ram = _max(run.max_cpu for run in runs), _max(run.max_ram for run in runs)
    known = sum(run.max_cpu is not None and run.max_ram is not None for run in runs)
    return {
        "project": project,
        "workflow": workflow,
        "job": job,
        "resource_class": resource_class,
        "jobs": len(runs),
        "median_cpu": _median(run.median_cpu for run in runs),
        "max_cpu": max_cpu,
        "median_ram": _median(run.median_ram for run in runs),
        "max_ram": max_ram,
        "credits": sum(run.credits_used or 0 for run in runs),
        "is_candidate": resource_class != SMALLEST
        and known >= MIN_RUNS
        and all(use is not None and use < MAX_USE for use in (max_cpu, max_ram)),
    }


def _max(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _median(values: Iterable[float | None]) -> float | None:
    return percentile([value for value in values if value is not None], 0.5)


def _text(rows: Sequence[dict[str, Any]]) -> str:
    candidates = [row for row in rows if row["is_candidate"]]
    if not candidates:
        return "No job is known to need less than half of its resource class."
    named = [
        f"{name(row['project'], row['workflow'], row['job'])} ({name(row['resource_class'])}, "
        f"CPU up to {percent(row['max_cpu'] / 100)}, memory up to {percent(row['max_ram'] / 100)})"
        for row in candidates
    ]
    text = f"{len(candidates):,} of {counted(len(rows), 'job')} could run in a resource class of half the size"
    credits = credit_count(sum(row["credits"] for row in candidates))
    return f"{text}: {listed(named, MAX_NAMED)}. {'They' if len(candidates) > 1 else 'It'} used {credits}."
