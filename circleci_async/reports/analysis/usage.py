"""Who waits in the queue, and what is oversized? Both from the usage export.

A job is a candidate for a smaller resource class if at least five of its runs have a known CPU and memory use, and
none used half of either: half of the class would have been enough. `small` is the smallest class and never one.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any, Final

from ...models.insights_tables import InsightsUsage
from ..answer import InsightsAnswer
from ..metrics import percentile
from ..wording import UNKNOWN, counted, credit_count, duration, listed, name, percent

LONG_WAIT: Final = 60
"""Seconds."""
MIN_JOBS: Final = 10
"""The worst hour has at least this many jobs, if any hour has."""


def queue(usage: Sequence[InsightsUsage], has_usage: bool) -> InsightsAnswer:
    """Return median and p95 of the queue times by hour (UTC) and resource class."""
    groups: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
    for job in usage:
        moment = job.queued_at or job.started_at
        if moment is not None and job.queue_duration is not None:
            groups[moment.astimezone(UTC).hour, job.resource_class or UNKNOWN].append(job.queue_duration)
    rows = [
        {
            "hour": hour,
            "resource_class": resource_class,
            "jobs": len(waited),
            "p50": percentile(waited, 0.5),
            "p95": percentile(waited, 0.95),
        }
        for (hour, resource_class), waited in sorted(groups.items())
    ]
    if rows:
        text = _queue_text(rows, [seconds for waited in groups.values() for seconds in waited])
    else:
        text = no_usage("Queue times are") if not has_usage else "The usage export contains no queue times."
    return InsightsAnswer(key="queue", question="Who waits in the queue?", text=text, rows=tuple(rows))


def no_usage(subject: str) -> str:
    """Return the text of a report without a usage export."""
    return f"{subject} only in the usage export: pass usage=True, or --usage on the command line."


def _queue_text(rows: Sequence[dict[str, Any]], waited: Sequence[float]) -> str:
    worst = max(rows, key=lambda row: (row["jobs"] >= MIN_JOBS, row["p95"]))
    long = sum(seconds > LONG_WAIT for seconds in waited) / len(waited)
    return (
        f"Jobs of the class {name(worst['resource_class'])} wait longest at {worst['hour']:02}:00 UTC: "
        f"95 % start within {duration(worst['p95'])}. "
        f"{percent(long)} of {counted(len(waited), 'job')} waited longer than a minute."
    )


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
    rows = sorted((_sizing_row(*key, runs) for key, runs in groups.items()), key=lambda row: -row["credits"])
    if rows:
        text = _sizing_text(rows)
    elif has_usage:
        text = "The usage export contains no CPU or memory use."
    else:
        text = no_usage("CPU and memory use are")
    return InsightsAnswer(key="sizing", question="What is oversized?", text=text, rows=tuple(rows))


def _sizing_row(
    project: str, workflow: str, job: str, resource_class: str, runs: Sequence[InsightsUsage]
) -> dict[str, Any]:
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


def _sizing_text(rows: Sequence[dict[str, Any]]) -> str:
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
