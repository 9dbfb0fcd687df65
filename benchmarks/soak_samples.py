"""Samples of a process's resources, and whether they grow."""

import asyncio
import ctypes
import gc
import os
import stat
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

from .measure import MIB

MIN_SAMPLES = 9
"""With fewer samples, growth cannot be determined."""

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
"""glibc's malloc_trim returns freed memory to the system; otherwise memory grows with each peak."""
_STATUS = Path("/proc/self/status")
_FILES = Path("/dev/fd")


@frozen
class Sample:
    """The resources of the process at one moment; None where the system does not report a value."""

    calls: int
    """Calls made so far."""
    memory: int | None
    """Resident memory in bytes."""
    blocks: int
    """Memory blocks allocated by Python's object allocator."""
    objects: int
    """Container objects tracked by the garbage collector."""
    files: int | None
    """Open file descriptors, including sockets."""
    connections: int | None
    tasks: int


@frozen
class Flatness:
    """The medians of a quantity in the first and last third of the samples."""

    first: float
    last: float
    allowed: float
    """The allowed growth."""

    @property
    def growth(self) -> float:
        """The growth from the first to the last third."""
        return self.last - self.first

    @property
    def is_flat(self) -> bool:
        """Whether the growth is within the allowance."""
        return self.growth <= self.allowed


def flat(values: Sequence[float], *, share: float, least: float) -> Flatness | None:
    """Compare the first and last third of a series; return None if it is too short.

    It may grow by `share` of the first third or by `least`, whichever is more. Medians ignore single peaks.
    """
    if len(values) < MIN_SAMPLES:
        return None
    third = len(values) // 3
    first, last = statistics.median(values[:third]), statistics.median(values[-third:])
    return Flatness(first, last, max(share * first, least))


QUANTITIES: dict[str, tuple[Callable[[Sample], int | None], float, float]] = {
    "memory, MiB": (lambda sample: sample.memory, 0.05, 5 * MIB),
    "memory blocks": (lambda sample: sample.blocks, 0.0, 1500),
    "objects": (lambda sample: sample.objects, 0.0, 500),
    "file descriptors": (lambda sample: sample.files, 0.0, 10),
    "connections": (lambda sample: sample.connections, 0.0, 10),
    "tasks": (lambda sample: sample.tasks, 0.0, 1),
}
"""Name -> (how to read it, allowed relative growth, allowed absolute growth).

Resident memory grows a little with each new peak, since partly used pages are not returned; blocks and objects show
what is really in use. The number of pooled connections depends on the faults.
"""


def take(calls: int) -> Sample:
    """Take a sample of this process after `calls` calls, in a running event loop."""
    gc.collect()  # garbage and free memory are not leaks
    if _trim is not None:
        _trim(0)
    memory = None
    if _STATUS.exists():
        memory = int(_STATUS.read_text().partition("VmRSS:")[2].split()[0]) * 1024
    files = open_files()
    return Sample(
        calls=calls,
        memory=memory,
        blocks=sys.getallocatedblocks(),
        objects=len(gc.get_objects()),
        files=None if files is None else len(files),
        connections=None if files is None else sum(map(stat.S_ISSOCK, files.values())),
        tasks=len(asyncio.all_tasks()),
    )


def open_files() -> dict[int, int] | None:
    """Return file descriptor -> mode for all open files; None where the system does not report them."""
    if not _FILES.is_dir():
        return None
    modes: dict[int, int] = {}
    for file in list(_FILES.iterdir()):
        try:
            modes[int(file.name)] = os.fstat(int(file.name)).st_mode
        except OSError:  # such as the descriptor of the listing itself
            continue
    return modes


def slope(samples: Sequence[Sample]) -> float | None:
    """Return the growth of memory in KiB per 1,000 calls, by least squares."""
    points = [(sample.calls, sample.memory) for sample in samples if sample.memory is not None]
    if len({calls for calls, _ in points}) < 2:
        return None
    calls, memory = zip(*points, strict=True)
    return statistics.linear_regression(calls, memory).slope * 1000 / 1024
