"""Statuses of workflows, jobs and steps, executors, test results, and errors of pipelines."""

from collections.abc import Set
from random import Random
from typing import Final

from attrs import frozen

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


CREDITS_PER_MINUTE: Final = {
    "small": 5,
    "medium": 10,
    "medium+": 15,
    "large": 20,
    "xlarge": 40,
    "2xlarge": 80,
}
"""Credits of one node, by resource class. Other classes have the rate of `medium`."""
MIN_MEASURED: Final = 15.0
"""Seconds that a job must run before its use of CPU and memory is measured."""

_OPERATING_SYSTEMS = {"macos": "macos", "windows": "windows"}

Utilization = tuple[float, float]
"""Median and maximum use of the CPU or the memory of a resource class, in percent."""


def credits_used(resource_class: str, seconds: float, nodes: int) -> int:
    """Return the credits of a job that ran for some seconds on each of its nodes."""
    per_minute = CREDITS_PER_MINUTE.get(resource_class, CREDITS_PER_MINUTE["medium"])
    return round(seconds / 60 * per_minute * nodes)


def operating_system(executor: str) -> str:
    """Return the operating system of an executor."""
    return _OPERATING_SYSTEMS.get(executor, "linux")


def plausible_utilization(id: str) -> tuple[Utilization, Utilization]:
    """Return plausible CPU and memory use of a job, which depends only on its id."""
    random = Random(id)
    return _draw(random), _draw(random)


def _draw(random: Random) -> Utilization:
    median = random.uniform(20, 60)
    return round(median, 2), round(median + random.uniform(10, 35), 2)


@frozen
class JobTest:
    """The result of one test: `success`, `failure`, `skipped` or `error`; `run_time` in seconds."""

    name: str
    result: str = "success"
    run_time: float = 0.1
    classname: str = "tests"
    file: str | None = None
    message: str | None = None
    source: str = "pytest"


@frozen
class PipelineError:
    """Why a pipeline was not created: `config`, `config-fetch`, `timeout`, `permission`, `other` or `plan`."""

    type: str
    message: str
