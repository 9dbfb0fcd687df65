"""Statuses of workflows, jobs and steps, grouped by what they mean."""

from collections.abc import Set

ENDED_WORKFLOWS = frozenset({"success", "failed", "error", "canceled", "unauthorized", "not_run"})
"""Statuses of a workflow that has ended."""
WAITING = frozenset({"blocked", "on_hold", "not_run", "not_running", "queued"})
"""Statuses of a job that has not started."""
LIVE = frozenset({"running", "queued", "not_running"})
"""Statuses of a job that continues without an approval."""
CANCELABLE = LIVE | {"blocked", "on_hold"}
"""Statuses of a job that can be canceled."""
FAILED = frozenset({"failed", "timedout", "infrastructure_fail", "terminated-unknown", "unauthorized"})
"""Statuses of a job that did not succeed."""
UNNUMBERED = frozenset({"blocked", "on_hold", "not_run"})
"""Statuses of a job that has no number yet."""
ENDED_STEPS = frozenset({"success", "failed", "timedout", "infrastructure_fail", "canceled"})
"""Statuses of a step that has ended."""


def workflow_status(statuses: Set[str]) -> str:
    """Return the status of a workflow whose jobs have these statuses."""
    failed = bool(statuses & FAILED)
    if statuses & LIVE:
        return "failing" if failed else "running"
    if failed:
        return "failed"
    return next((each for each in ("canceled", "on_hold") if each in statuses), "success")
