"""Who waits in the queue? The queue times of jobs by hour and resource class, from the usage export."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from ...models.insights_tables import InsightsUsage
from ..answer import InsightsAnswer
from ..metrics import percentile
from ..wording import UNKNOWN, counted, duration, name, percent

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
        text = _text(rows, [seconds for waited in groups.values() for seconds in waited])
    else:
        text = no_usage("Queue times are") if not has_usage else "The usage export contains no queue times."
    return InsightsAnswer(key="queue", question="Who waits in the queue?", text=text, rows=tuple(rows))


def no_usage(subject: str) -> str:
    """Return the text of a report without a usage export."""
    return f"{subject} only in the usage export: pass usage=True, or --usage on the command line."


def _text(rows: Sequence[dict[str, Any]], waited: Sequence[float]) -> str:
    worst = max(rows, key=lambda row: (row["jobs"] >= MIN_JOBS, row["p95"]))
    long = sum(seconds > LONG_WAIT for seconds in waited) / len(waited)
    return (
        f"Jobs of the class {name(worst['resource_class'])} wait longest at {worst['hour']:02}:00 UTC: "
        f"95 % start within {duration(worst['p95'])}. "
        f"{percent(long)} of {counted(len(waited), 'job')} waited longer than a minute."
    )
