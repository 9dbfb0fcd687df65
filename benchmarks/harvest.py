"""The harvest of a whole project, against what else one could fetch it with: `python -m benchmarks harvest`."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from attrs import define, evolve, frozen

from . import nginx, rivals
from .measure import MIB, Lag, Row, empty, folder_for, peak_memory, timed
from .rivals import ARIA2C, BY_HAND, CURL, RIVALS, WGET, Rival, Task
from .world import World

LATE = 0.040
"""Seconds by which each answer comes later, where there is latency."""

MOST_MEMORY = 150
"""MiB."""

LONGEST_BLOCK = 50
"""Milliseconds."""


@frozen
class Scale:
    """How much there is to do."""

    small: int = 5000
    large: int = 256 * MIB
    many: int = 100_000
    huge: int = 4096 * MIB
    share: int = 10
    """Where each answer is late, wget, which asks for one after another, is given one file of so many."""


QUICK = Scale(small=300, large=16 * MIB, many=2000, huge=64 * MIB)
"""Enough to see that it works, not enough to tell anything."""


@define
class Comparison:
    """One table: a world, who serves it, and what the harvest may take, as a multiple of the others' time."""

    name: str
    world: World
    serve: Callable[[World, Path], AbstractContextManager[str]]
    goals: dict[Rival, float | None]
    rounds: int
    share: int = 1
    """wget fetches one file of so many, and the time counts so often."""


@contextmanager
def serving_late(world: World, folder: Path | None = None, delay: float = LATE) -> Generator[str]:
    """Serve a world by a process of our own; yields its address."""
    command = [sys.executable, "-m", "benchmarks.world_server", *map(str, (world.count, world.size, delay))]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def run(scale: Scale, rounds: int, only: str = "") -> None:
    """Print all tables whose names hold `only`."""
    missing = [rival.program for rival in RIVALS if not rival.is_here]
    missing += [] if nginx.PROGRAM else ["nginx (benchmarks.world_server serves its files)"]
    if missing:
        print(f"Not installed, and skipped: {', '.join(map(str, missing))}.\n")
    for comparison in _comparisons(scale, rounds):
        if only in comparison.name:
            _print(comparison)
    if only in "memory":
        _print_bounds(scale)


def _comparisons(scale: Scale, rounds: int) -> list[Comparison]:
    serve = nginx.serving if nginx.PROGRAM else partial(serving_late, delay=0)
    by = "nginx" if nginx.PROGRAM else "our own server"
    small, large = World(scale.small), World(4, scale.large)
    return [
        Comparison(
            f"{scale.small:,} small files, from {by}",
            small,
            serve,
            {BY_HAND: 1.5, ARIA2C: 1.0, CURL: None, WGET: 1.0},
            rounds,
        ),
        Comparison(
            f"{scale.small:,} small files, each answer {LATE * 1000:.0f} ms late",
            small,
            serving_late,
            dict.fromkeys(RIVALS, 1.0),
            min(rounds, 3),
            scale.share,
        ),
        Comparison(
            f"4 files of {scale.large // MIB} MiB, from {by}",
            large,
            serve,
            dict.fromkeys(RIVALS, 1.2),
            rounds,
        ),
    ]


def _print(comparison: Comparison) -> None:
    print(f"| {comparison.name} | harvest, ms | the other, ms | ratio of medians | goal | met |")
    print("|---|--:|--:|--:|--:|---|")
    world = comparison.world
    with folder_for(2 * sum(world.sizes)) as folder:
        if folder is None:
            print("| no room for these files | | | | | |\n")
            return
        for name in ("served", "notes", "files"):
            (folder / name).mkdir()
        with comparison.serve(world, folder / "served") as base:
            task = Task(base, world.addresses(base), folder / "files", folder / "notes")
            for row in compare(comparison, task):
                print(row)
    print(flush=True)


def compare(comparison: Comparison, task: Task) -> list[Row]:
    """Let all fetch in turn, after one turn that does not count, and each time in another order."""
    sizes = comparison.world.sizes
    shares = {rival.name: comparison.share if rival == WGET else 1 for rival in RIVALS if rival.is_here}
    fetchers: dict[str, Callable[[], object]] = {"": lambda: asyncio.run(rivals.harvest(task))}
    for rival in RIVALS:
        if rival.name in shares:
            fewer = evolve(task, addresses=task.addresses[:: shares[rival.name]])
            fetchers[rival.name] = partial(rival.fetch, fewer)
    times: dict[str, list[float]] = {name: [] for name in fetchers}
    for turn in range(comparison.rounds + 1):
        names = list(fetchers)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            share = shares.get(name, 1)
            seconds = timed(fetchers[name]) * share
            _check(task.folder, sizes[::share])
            empty(task.folder)
            if turn:
                times[name].append(seconds)
    return [
        Row(f"{rival.name}, {rival.at_once} at once", times[""], times[rival.name], comparison.goals[rival])
        for rival in RIVALS
        if rival.name in times
    ]


def _check(folder: Path, sizes: list[int]) -> None:
    found = [file.stat().st_size for file in folder.rglob("[!.]*") if file.is_file()]
    assert sorted(found) == sorted(sizes), f"{len(found)} of {len(sizes)} files, {sum(found)} of {sum(sizes)} bytes"


# Memory, and the event loop


def _print_bounds(scale: Scale) -> None:
    print("| one harvest | seconds | peak memory, MiB | goal | longest block of the event loop, ms | goal |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, world in (
        (f"{scale.many // 10:,} files of 1 KiB", World(scale.many // 10, 1024)),
        (f"{scale.many:,} files of 1 KiB", World(scale.many, 1024)),
        (f"{scale.small:,} files of 1 to 64 KiB", World(scale.small)),
        (f"4 files of {scale.large // MIB} MiB", World(4, scale.large)),
        (f"1 file of {scale.huge // 16 // MIB} MiB", World(1, scale.huge // 16)),
        (f"1 file of {scale.huge // MIB} MiB", World(1, scale.huge)),
    ):
        print(f"| {name} | {bounds_of(world)} |", flush=True)


def bounds_of(world: World) -> str:
    """Harvest in a process of its own, and return what it took: the rest of a row."""
    # A file of 1 KiB takes a whole page of the disk, and a row of the ledger.
    with folder_for(sum(max(size, 8192) for size in world.sizes)) as folder, serving_late(world, delay=0) as base:
        if folder is None:
            return "no room for these files | | | |"
        code = f"from benchmarks import harvest; harvest.print_bounds({base!r}, {str(folder)!r})"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    seconds, memory, lag = out.split()
    return f"{seconds} | {memory} | {MOST_MEMORY} | {lag} | {LONGEST_BLOCK}"


def print_bounds(base: str, folder: str) -> None:
    """Harvest, and print how long it took, the peak of the memory, and for how long the event loop was blocked."""
    lag = Lag()

    async def harvest() -> None:
        watching = asyncio.create_task(lag.watch())
        await rivals.harvest(Task(base, [], Path(folder), Path(folder)))
        watching.cancel()

    seconds = timed(lambda: asyncio.run(harvest()))
    memory = peak_memory()
    print(f"{seconds:.1f}", "?" if memory is None else f"{memory:.0f}", f"{lag.longest * 1000:.0f}")
