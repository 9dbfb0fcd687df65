"""What the comparisons have in common: time, memory, the event loop's, a place for files, a row of a table."""

import asyncio
import gc
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from attrs import frozen

MIB = 1024 * 1024

TICK = 0.002
"""Seconds between two looks at whether the event loop still comes round."""

_STATUS = Path("/proc/self/status")
_MEMORY = Path("/dev/shm")


@frozen
class Row:
    """One comparison: seconds of each run, and the ratio that is the goal, if there is one."""

    name: str
    sdk: list[float]
    bare: list[float]
    goal: float | None = None

    def __str__(self) -> str:
        ours, theirs = statistics.median(self.sdk), statistics.median(self.bare)
        ratio = ours / theirs
        goal = "| | |" if self.goal is None else f"| {self.goal:.2f} | {'yes' if ratio <= self.goal else 'no'} |"
        return f"| {self.name} | {ours * 1000:,.0f} | {theirs * 1000:,.0f} | {ratio:.2f} {goal}"


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that it takes."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak_memory() -> float | None:
    """Return the most MiB that this process ever had in memory, where the system tells it."""
    # Not getrusage: its peak begins with that of the process that started this one.
    if not _STATUS.exists():
        return None
    return int(_STATUS.read_text().partition("VmHWM:")[2].split()[0]) / 1024


class Lag:
    """How late the event loop comes round. `longest` is in seconds: for so long it was blocked."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        """Look, again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK
            await asyncio.sleep(TICK)
            self.longest = max(self.longest, loop.time() - due)


@contextmanager
def folder_for(size: int) -> Generator[Path | None]:
    """Make a folder with room for so many bytes: in memory if it can be, so no disk is measured; None if nowhere."""
    for place in (_MEMORY, Path(tempfile.gettempdir())):
        if place.is_dir() and shutil.disk_usage(place).free > size + 1024 * MIB:
            if place == _MEMORY and _memory_left() < size + 1024 * MIB:
                continue
            with tempfile.TemporaryDirectory(dir=place) as folder:
                yield Path(folder)
            return
    yield None


def _memory_left() -> int:
    found = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2].split()
    return int(found[0]) * 1024 if found else 0


def empty(folder: Path) -> None:
    """Remove all that is in a folder."""
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def machine() -> str:
    """Describe what this is measured on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "attrs", "cattrs", "backoff"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"Python {platform.python_version()}, {packages}; {platform.system()} {platform.machine()}, {cores} cores."
