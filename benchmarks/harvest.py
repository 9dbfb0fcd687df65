"""Compare the harvest of a project with other download tools: `python -m benchmarks harvest`."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from attrs import define, evolve, frozen

from circleci_async import HarvestReport

from . import buckets, hashing, limited, nginx, rivals, s3, workers
from .measure import MIB, Lag, Row, empty, folder_for, peak_memory, server_process, timed
from .rivals import ARIA2C, BY_HAND, CURL, RIVALS, WGET, Rival, Task
from .s3 import BUCKET, S3
from .world import World

LATENCY = 0.040
"""Delay of each response in seconds, in the comparisons with latency."""

MAX_MEMORY = 150
"""MiB."""

MAX_BLOCK = 50
"""Milliseconds."""


@frozen
class Scale:
    """The sizes of the worlds."""

    small: int = 5000
    large: int = 256 * MIB
    many: int = 100_000
    huge: int = 4096 * MIB
    limited: int = 192 * MIB
    stored: int = 1000
    """Small files into S3."""
    stored_large: int = 64 * MIB
    share: int = 10
    """With latency, wget (one request at a time) downloads one of `share` files, and its time is multiplied."""


QUICK = Scale(small=300, large=16 * MIB, many=2000, huge=64 * MIB, limited=64 * MIB, stored=60, stored_large=16 * MIB)
"""Enough to check that everything works, too little to measure."""


@define
class Comparison:
    """One table: a world, its server, and the goals: the harvest's time as a multiple of each tool's."""

    name: str
    world: World
    serve: Callable[[World, Path], AbstractContextManager[str]]
    goals: dict[Rival, float | None]
    rounds: int
    share: int = 1
    """wget downloads one of `share` files, and its time is multiplied by `share`."""


@contextmanager
def serving(world: World, folder: Path | None = None, delay: float = LATENCY) -> Generator[str]:
    """Serve a world from a subprocess of this project; yield the address."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.world_server",
        *map(str, (world.count, world.size, delay, world.artifacts)),
    ]
    with server_process(command) as url:
        yield url


def run(scale: Scale, rounds: int, only: str = "") -> None:
    """Print the tables whose names contain `only`."""
    missing = [rival.program for rival in RIVALS if not rival.is_installed]
    missing += [] if nginx.PROGRAM else ["nginx (benchmarks.world_server serves its files)"]
    if missing:
        print(f"Not installed, and skipped: {', '.join(map(str, missing))}.\n")
    for comparison in _comparisons(scale, rounds):
        if only in comparison.name:
            _print(comparison)
    if only in "repeated":
        for row in repetition(World(scale.small)):
            print(row, flush=True)
        print()
    if only in limited.NAME:
        limited.run(scale.limited, rounds)
    _run_buckets(scale, min(rounds, 3), only)
    if only in workers.NAME:
        workers.run(World(scale.small), LATENCY, min(rounds, 3))
    if only in "memory":
        _print_bounds(scale)


def _run_buckets(scale: Scale, rounds: int, only: str) -> None:
    serve = partial(serving, delay=0)
    small, large, slow = World(scale.stored), World(4, scale.stored_large), World(1, scale.limited)
    speed = f"{limited.SPEED / 1e6:.0f} MB/s"
    comparisons = [
        buckets.Comparison(f"{small.count:,} small files", small, serve),
        buckets.Comparison(f"4 large files ({large.size // MIB} MiB)", large, serve),
        buckets.Comparison(
            f"1 file of {slow.size // MIB} MiB, {speed} per connection",
            slow,
            limited.serving,
            (buckets.RANGES,),
            limited.GOAL,
        ),
    ]
    buckets.run([each for each in comparisons if only in f"{each.name}, {buckets.NAME}"], rounds)
    if only in f"repeated {buckets.NAME}" and not s3.missing():
        with buckets.places(small) as place:
            if place is not None:
                for row in repetition(small, place.server):
                    print(row, flush=True)
        print()


def _comparisons(scale: Scale, rounds: int) -> list[Comparison]:
    serve = nginx.serving if nginx.PROGRAM else partial(serving, delay=0)
    by = "nginx" if nginx.PROGRAM else "world_server"
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
            f"{scale.small:,} small files, each response {LATENCY * 1000:.0f} ms late",
            small,
            serving,
            dict.fromkeys(RIVALS, 1.0),
            min(rounds, 3),
            scale.share,
        ),
        Comparison(
            f"4 files of {scale.large // MIB} MiB, from {by}",
            large,
            serve,
            dict.fromkeys(RIVALS, None),
            rounds,
        ),
    ]


def _print(comparison: Comparison) -> None:
    print(f"| {comparison.name} | harvest, ms | other tool, ms | ratio of medians | goal | met |")
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
            rows = compare(comparison, task)
            for row in rows:
                print(row)
            if world.size:
                print(hashing.against_floor(rows[0], world.sizes, comparison.rounds))
    print(flush=True)


def compare(comparison: Comparison, task: Task) -> list[Row]:
    """Run all tools alternately, in a different order each round; the first round is not counted."""
    sizes = comparison.world.sizes
    shares = {rival.name: comparison.share if rival == WGET else 1 for rival in RIVALS if rival.is_installed}
    fetchers: dict[str, Callable[[], object]] = {"": lambda: asyncio.run(rivals.harvest(task))}
    for rival in RIVALS:
        if rival.name in shares:
            fewer = evolve(task, addresses=task.addresses[:: shares[rival.name]])
            fetchers[rival.name] = partial(rival.fetch, fewer)
    times: dict[str, list[float]] = {name: [] for name in fetchers}
    for round_number in range(comparison.rounds + 1):
        names = list(fetchers)
        for name in names[round_number % len(names) :] + names[: round_number % len(names)]:
            share = shares.get(name, 1)
            seconds = timed(fetchers[name]) * share
            _check(task.folder, sizes[::share])
            empty(task.folder)
            if round_number:
                times[name].append(seconds)
    return [
        Row(f"{rival.name}, {rival.concurrency} at once", times[""], times[rival.name], comparison.goals[rival])
        for rival in RIVALS
        if rival.name in times
    ]


def repetition(world: World, server: S3 | None = None) -> Generator[str]:
    """Harvest the same files repeatedly; yield the rows of a table. The goals: only the lists that can have changed.

    With a server of S3, the files go into its bucket, and the requests to it are another column.
    """
    into = f"s3://{BUCKET}/repeated" if server else None
    yield f"| harvest | ms | requests | goal | lists from the ledger |{' requests to the bucket |' if server else ''}"
    yield f"|---|--:|--:|--:|--:|{'--:|' if server else ''}"
    pages, pipelines = world.pages, world.pipelines
    with folder_for(sum(world.sizes)) as folder, serving(world, delay=0) as base:
        if folder is None:
            yield "| no room for these files | | | | |"
            return
        for name, recheck, goal in (
            (f"{world.count:,} new files of {pipelines:,} pipelines", None, None),
            ("nothing new, pipelines younger than `recheck`", "5000w", pages + pipelines),
            ("nothing new, pipelines older than `recheck`", "1s", pages),
        ):
            reports: list[HarvestReport] = []
            task = Task(base, [], folder, folder)
            before = server.counts() if server else None
            seconds = timed(
                lambda: reports.append(asyncio.run(rivals.harvest(task, into=into, recheck=recheck)))  # noqa: B023
            )
            [report] = reports
            row = f"| {name} | {seconds * 1000:,.0f} | {report.requests:,} | {goal or ''} | {report.requests_saved:,} |"
            if server and before is not None:
                sent = server.counts() - before
                methods = ", ".join(f"{count:,} {method}" for method, count in sorted(sent.items()))
                row += f" {sent.total():,}: {methods} |"
            yield row


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
        (f"32 files of {scale.large // 4 // MIB} MiB, all at once", World(32, scale.large // 4)),
        (f"1 file of {scale.huge // 16 // MIB} MiB", World(1, scale.huge // 16)),
        (f"1 file of {scale.huge // MIB} MiB", World(1, scale.huge)),
    ):
        print(f"| {name} | {bounds_of(world)} |", flush=True)


def bounds_of(world: World) -> str:
    """Harvest in a subprocess; return the rest of a table row."""
    # A file of 1 KiB occupies a page of the disk and a row of the ledger.
    with folder_for(sum(max(size, 8192) for size in world.sizes)) as folder, serving(world, delay=0) as base:
        if folder is None:
            return "no room for these files | | | |"
        code = f"from benchmarks import harvest; harvest.print_bounds({base!r}, {str(folder)!r})"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    seconds, memory, lag = out.split()
    return f"{seconds} | {memory} | {MAX_MEMORY} | {lag} | {MAX_BLOCK}"


def print_bounds(base: str, folder: str) -> None:
    """Harvest; print the seconds, the peak memory, and the longest block of the event loop."""
    lag = Lag()

    async def harvest() -> None:
        watching = asyncio.create_task(lag.watch())
        await rivals.harvest(Task(base, [], Path(folder), Path(folder)))
        watching.cancel()

    seconds = timed(lambda: asyncio.run(harvest()))
    memory = peak_memory()
    print(f"{seconds:.1f}", "?" if memory is None else f"{memory:.0f}", f"{lag.longest * 1000:.0f}")
