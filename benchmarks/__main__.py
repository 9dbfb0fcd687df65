"""Run the benchmarks and print them as tables: `python -m benchmarks`."""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from . import bots, cases, clients, harvest, hashing, quota, report, scale
from .cases import Place, Work
from .measure import MIB, Row, empty, machine, timed, timed_imports


def main() -> None:
    """Run the benchmarks and print them as tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=("calls", "clients", "bots", "quota", "harvest", "report", "scale"),
        help="print only these tables (default: all)",
    )
    parser.add_argument("--rounds", type=int, help="alternating runs of each side (default: 7; harvest: 5)")
    parser.add_argument("--only", default="", help="run only comparisons whose name contains this text")
    parser.add_argument("--quick", action="store_true", help="run one round and a small harvest, to check all cases")
    if sys.argv[1:2] == ["scale"]:  # has its own options
        scale.main(sys.argv[2:])
        return
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else None)
    print(machine(), end="\n\n")
    if options.what in {None, "calls"}:
        print_calls(rounds or 7, options.only)
    if options.what in {None, "clients"}:
        with servers() as place:
            clients.run(place, rounds or 5, options.only)
    if options.what in {None, "bots"}:
        with servers() as place:
            bots.run(place, _peak, rounds or 5, options.only)
    if options.what in {None, "quota"}:
        quota.run(options.rounds or 1, options.only)
    if options.what in {None, "harvest"}:
        harvest.run(harvest.QUICK if options.quick else harvest.Scale(), rounds or 5, options.only)
    if options.what in {None, "report"} and options.only in "report":
        report.run(is_quick=options.quick, rounds=rounds or 5)
    if options.what is None and options.only in "scale":
        scale.run(is_quick=options.quick)


def print_calls(rounds: int, only: str) -> None:
    """Compare calls and downloads with bare aiohttp; run only comparisons whose name contains `only`."""
    print("| operation | this SDK, ms | bare aiohttp, ms | ratio of medians | goal | met |")
    print("|---|--:|--:|--:|--:|---|")
    with servers() as place:
        for name, sdk, bare, goal, max_rounds in (
            (f"{cases.CALLS:,} sequential calls", cases.calls_sdk, cases.calls_bare, 1.25, 99),
            (
                f"{2 * cases.CALLS:,} calls, {cases.CONCURRENCY} concurrent",
                cases.concurrent_sdk,
                cases.concurrent_bare,
                1.35,
                99,
            ),
            ("500 pages of 20 pipelines, into models", cases.pages_sdk, cases.pages_bare, 1.5, 99),
            ("2,000 artifacts of 1 to 64 KiB", cases.files_sdk, cases.files_bare, 1.5, 99),
            ("1 artifact of 1 GiB, with SHA-256 in this SDK", cases.big_sdk, cases.big_bare, None, 5),
        ):
            if only in name:
                row = compare(name, place, sdk, bare, goal, min(rounds, max_rounds))
                print(row, flush=True)
                if sdk is cases.big_sdk:
                    print(hashing.against_floor(row, [1024 * MIB], min(rounds, 3)), flush=True)
        if only in "import":
            print(compare_imports(max(rounds, 9)), flush=True)
        print()
        if only in "memory" and Path("/proc/self/status").exists():
            print_memory(place)
            print()


def compare(name: str, place: Place, sdk: Work, bare: Work, goal: float | None, rounds: int) -> Row:
    """Run both sides alternately, after one uncounted run of each."""
    times: dict[Work, list[float]] = {sdk: [], bare: []}
    for round_number in range(rounds + 1):
        for work in (sdk, bare) if round_number % 2 else (bare, sdk):
            seconds = timed(partial(asyncio.run, work(place)))  # type: ignore[arg-type]  # the cases are coroutines
            empty(place.folder)
            if round_number:
                times[work].append(seconds)
    return Row(name, times[sdk], times[bare], goal)


def compare_imports(rounds: int) -> Row:
    """Time the imports of the client and of aiohttp."""
    sdk, bare = timed_imports((clients.SDK.statement, clients.AIOHTTP.statement), rounds).values()
    return Row(f"`{clients.SDK.statement}` against `{clients.AIOHTTP.statement}`", sdk, bare, goal=1.15)


def print_memory(place: Place) -> None:
    """Print the peak memory of a process for a small and a large amount of work."""
    print("| peak memory of the process, MiB | small | large |")
    print("|---|--:|--:|")
    for name, call, small, large in (
        ("iterating 50 and 500 pages", "pages_sdk", 50, 500),
        ("downloading 32 MiB and 1 GiB", "big_sdk", 32 * MIB, 1024 * MIB),
        ("downloading 1 and 32 files of 64 MiB at once", "large_files_sdk", 1, 32),
    ):
        found = [_peak(place, f"cases.{call}(place, {amount})") for amount in (small, large)]
        print(f"| {name} | {found[0]:.0f} | {found[1]:.0f} |", flush=True)


def _peak(place: Place, call: str) -> float:
    code = (
        "import asyncio, pathlib; from benchmarks import bots, cases, measure; "
        f"place = cases.Place({place.api!r}, {place.artifacts!r}, pathlib.Path({str(place.folder)!r})); "
        f"asyncio.run({call}); print(measure.peak_memory())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    empty(place.folder)
    return float(out)


@contextmanager
def servers() -> Generator[Place]:
    """Start the server process and make a folder, in memory if possible so that the disk is not measured."""
    memory = Path("/dev/shm")
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.server"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        api, artifacts = server.stdout.readline().split()
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
            yield Place(api, artifacts, Path(folder))
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


if __name__ == "__main__":
    main()
