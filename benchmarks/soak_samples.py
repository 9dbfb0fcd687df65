"""How much a process holds while it works, and whether that stays the same."""

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

FEWEST = 9
"""Samples below which nobody can tell whether something grows."""

_give_back = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
"""Of glibc: without it memory grows in steps, by what was once needed for a moment."""
_STATUS = Path("/proc/self/status")
_FILES = Path("/dev/fd")


@frozen
class Sample:
    """What the process held at one moment. None: this system does not tell."""

    calls: int
    """Made until then."""
    memory: int | None
    """Resident, in bytes, without what is free and kept for later."""
    blocks: int
    """Of memory that Python has given out: objects of all kinds, texts and bytes among them, but for large ones."""
    objects: int
    """That hold others, such as those that stand for a call, and that are no garbage."""
    files: int | None
    """Open file descriptors, those of connections included."""
    connections: int | None
    tasks: int


@frozen
class Flatness:
    """Whether a quantity stayed the same: the median of the first third against that of the last."""

    first: float
    last: float
    allowed: float
    """By so much it may have grown."""

    @property
    def growth(self) -> float:
        """From the first to the last third."""
        return self.last - self.first

    @property
    def is_flat(self) -> bool:
        """Whether it has not grown by more."""
        return self.growth <= self.allowed


def flat(values: Sequence[float], *, share: float, least: float) -> Flatness | None:
    """Compare the thirds of a series; None if it is too short to tell.

    It may grow by `share` of what it was, or by `least`, whichever is more. Medians, so that no single moment counts;
    thirds, so that what goes up and down must do so as a whole to be taken for growth.
    """
    if len(values) < FEWEST:
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
"""Each with how to read it, and by how much it may grow: a share of itself, or at least so much.

Memory grows a little with each new peak of what is under way at once, since what is still used in part is not given
back; blocks and objects tell what is really held. How many connections wait in the pool is up to the faults.
"""


def take(calls: int) -> Sample:
    """Look at this process, after so many calls, in a running event loop."""
    gc.collect()  # what is garbage is no leak, and what is free is none either
    if _give_back is not None:
        _give_back(0)
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
    """Return the mode of each open file descriptor, by its number; None where the system does not tell."""
    if not _FILES.is_dir():
        return None
    modes: dict[int, int] = {}
    for file in list(_FILES.iterdir()):
        try:
            modes[int(file.name)] = os.fstat(int(file.name)).st_mode
        except OSError:  # that of the listing itself, for one
            continue
    return modes


def slope(samples: Sequence[Sample]) -> float | None:
    """Return by how many KiB the memory grew with each 1,000 calls, by least squares."""
    points = [(sample.calls, sample.memory) for sample in samples if sample.memory is not None]
    if len({calls for calls, _ in points}) < 2:
        return None
    calls, memory = zip(*points, strict=True)
    return statistics.linear_regression(calls, memory).slope * 1000 / 1024
