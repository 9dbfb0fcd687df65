"""Executors: what their resource classes cost, and how much of them a job uses."""

from random import Random
from typing import Final

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
