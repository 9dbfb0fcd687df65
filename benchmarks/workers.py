"""Compare harvests on Dask workers with those of one process. `python -m benchmarks.workers` runs them."""

import asyncio
import json
import logging
import statistics
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import circleci_async as ca

from .measure import direct_environment, empty, folder_for, server_process, timed
from .rivals import CONCURRENCY, TOKEN
from .world import PROJECT, World

NAME = "Dask workers"
COUNTS = (0, 1, 2)
"""Numbers of worker processes; 0: the calling process downloads."""


def run(world: World, delay: float, rounds: int) -> None:
    """Print the table, or that distributed is missing."""
    if find_spec("distributed") is None:
        print(f"Not installed: distributed (`make bench` installs it). Skipped: {NAME}.\n")
        return
    print(f"| {world.count:,} small files, responses {delay * 1000:.0f} ms late | ms | files/s | speed |")
    print("|---|--:|--:|--:|")
    with folder_for(sum(world.sizes)) as folder:
        if folder is None:
            print("| no room for these files | | | |\n")
            return
        times = measure(world, delay, folder, rounds)
    alone = statistics.median(times[0])
    for count, seconds in times.items():
        median = statistics.median(seconds)
        name = f"{count} Dask worker{'s' * (count > 1)}" if count else "no workers"
        cells = f"{median * 1000:,.0f} | {world.count / median:,.0f} | {alone / median:.2f}"
        print(f"| {name}, `concurrency` {CONCURRENCY} | {cells} |")
    print(flush=True)


def measure(world: World, delay: float, folder: Path, rounds: int) -> dict[int, list[float]]:
    """Return the seconds of each harvest by the number of workers. A process of its own runs them."""
    served = [sys.executable, "-m", "benchmarks.world_server", *map(str, (world.count, world.size, delay))]
    with server_process([*served, str(world.artifacts)]) as base:
        command = [sys.executable, "-m", "benchmarks.workers", base, str(folder), str(rounds), str(world.count)]
        env = {**direct_environment(), "CIRCLE_TOKEN": TOKEN}
        out = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {int(count): seconds for count, seconds in json.loads(out).items()}


def main(base: str, folder: str, rounds: str, files: str) -> None:
    """Harvest alternately without workers and with each cluster; print the times. The first round is not counted."""
    from distributed import LocalCluster

    logging.disable()
    into = Path(folder)
    start: Any = partial(LocalCluster, threads_per_worker=2, host="127.0.0.1", dashboard_address=":0")
    clusters = {count: start(n_workers=count) if count else None for count in COUNTS}
    times: dict[int, list[float]] = {count: [] for count in COUNTS}
    for round_number in range(int(rounds) + 1):
        for count in COUNTS[:: -1 if round_number % 2 else 1]:
            seconds = timed(partial(asyncio.run, _harvest(base, into, clusters[count], int(files))))
            empty(into)
            if round_number:
                times[count].append(seconds)
    for cluster in clusters.values():
        if cluster is not None:
            cluster.close()
    print(json.dumps(times))


async def _harvest(base: str, into: Path, cluster: Any, files: int) -> None:
    from distributed import Client

    async def harvest(workers: Any) -> None:
        async with ca.CircleCI(TOKEN, host=base) as circle:
            report = await circle.harvest(PROJECT, into, concurrency=CONCURRENCY, workers=workers)
        report.raise_for_failures()
        assert len(report.files) == files, f"{len(report.files)} of {files} files: {report.error}"

    if cluster is None:
        await harvest(None)
        return
    connect: Any = Client
    async with connect(cluster.scheduler_address, asynchronous=True, set_as_default=False) as workers:
        await harvest(workers)


if __name__ == "__main__":
    main(*sys.argv[1:])
