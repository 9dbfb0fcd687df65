"""Run for minutes under injected faults; check results and resource growth: `python -m benchmarks.soak`."""

import argparse
import asyncio
import gc
import logging
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from attrs import Factory, field, frozen

import circleci_async as ca
from circleci_async.models import WebhookEvent

from . import soak_samples, soak_sequences
from .measure import MIB, machine, peak_memory
from .soak_builds import WORKS
from .soak_samples import QUANTITIES, Flatness, Sample, flat
from .soak_server import Served, serving
from .soak_site import Counters, Site, Work, do
from .soak_world import SECRET, build

TIMEOUT = 2.0
RETRY = ca.RetryPolicy(attempts=6, initial_delay=0.05, max_delay=1.0)
MAX_RESPONSE_BYTES = 4 * MIB
MAX_FAILED = 0.02
"""The allowed share of calls that fail because of the faults; with more, the soak proves little."""
WARM_UP = 0.2
"""The initial share of the time without samples, in which modules are imported and caches fill."""
SETTLING = 0.2
"""Seconds after the last call of a pause, for pending webhooks and unfinished lists."""
COUNTED_WARNINGS = (ResourceWarning, RuntimeWarning, UserWarning)
"""Warnings that count as wrong: unclosed resources, unawaited coroutines, and those of the package."""
CLOSE_TIMEOUT = 5.0
"""Seconds until closed connections must be gone from the event loop."""


@frozen
class Plan:
    """The settings of a soak."""

    seconds: float
    tasks: int = 50
    seed: int = 1
    pause_interval: float = field(default=Factory(lambda plan: max(3.0, plan.seconds / 100), takes_self=True))
    """Seconds of work between two pauses; a sample is taken in each pause."""
    report_interval: float = 10.0
    works: Mapping[Work, int] = field(default=Factory(lambda: WORKS), repr=False)
    """The tasks' work, with relative frequencies."""
    now: datetime = field(factory=lambda: datetime.now(UTC).replace(microsecond=0))


@frozen
class Report:
    """The results of a soak."""

    plan: Plan
    counters: Counters
    samples: list[Sample]
    """Taken in the pauses, while no call is running."""
    peaks: dict[str, int]
    """The maximum of each quantity during work."""
    stats: ca.Stats
    events: ca.webhooks.ReceiverStats
    faults: dict[str, int]
    """How often the server injected each fault."""
    left: dict[str, int] = field(factory=dict[str, int])
    """Resources that are open at the end and were not at the start."""

    @property
    def flatness(self) -> dict[str, Flatness | None]:
        """The comparison for each quantity; None without enough samples."""
        found: dict[str, Flatness | None] = {}
        for name, (read, share, least) in QUANTITIES.items():
            values = [value for sample in self.samples if (value := read(sample)) is not None]
            found[name] = flat(values, share=share, least=least)
        return found

    @property
    def objections(self) -> list[str]:
        """The reasons why the soak failed; empty if it passed."""
        calls, failed = self.counters.calls.total(), self.counters.failed
        found = [f"{name} grew" for name, each in self.flatness.items() if each is not None and not each.is_flat]
        found += [f"left open after the end: {count} {name}" for name, count in self.left.items() if count]
        if self.counters.wrong:
            found.append(f"wrong results: {self.counters.wrong}")
        if failed.total() > max(5, MAX_FAILED * calls):
            found.append(f"failed calls: {failed.total()} of {calls}")
        if self.events.failed or self.events.refused or self.events.turned_away:
            found.append(f"webhooks that were not accepted: {self.events}")
        return found


async def soak(plan: Plan) -> Report:
    """Start a server, run the tasks, close everything, and check what is left."""
    gc.collect()  # so that earlier garbage does not count
    before = _open_things()
    counters = Counters()
    sites: list[Site] = []

    async def on_event(event: WebhookEvent) -> None:
        await sites[0].inbox.take(event)

    receiver = ca.webhooks.Receiver(SECRET, on_event, remember=200)
    with _count_warnings_and_errors(counters), tempfile.TemporaryDirectory() as folder:
        async with receiver.serve() as url:
            with serving(plan.seed, plan.now, url) as served:
                client = partial(_client, served, counters)
                async with client() as circle:
                    site = Site(circle, client, build(plan.seed, plan.now), Path(folder), counters)
                    sites.append(site)
                    samples, peaks = await _work(plan, site)
        if circle.stats.in_flight or circle.stats.waiting:
            counters.note_wrong(f"requests are running after the end: {circle.stats}")
        if files := list(Path(folder).iterdir()):
            counters.note_wrong(f"files left behind: {files}")
        gc.collect()  # unclosed resources warn now
    left = await _left(before)
    return Report(plan, counters, samples, peaks, circle.stats(), receiver.stats, served.hits, left)


def _client(served: Served, counters: Counters) -> ca.CircleCI:
    return ca.CircleCI(
        served.token,
        host=served.host,
        artifact_hosts=(served.artifact_host,),
        timeout=TIMEOUT,
        max_response_bytes=MAX_RESPONSE_BYTES,
        retry=RETRY,
        trust_env=False,
        on_attempt=counters.note_attempt,
    )


async def _work(plan: Plan, site: Site) -> tuple[list[Sample], dict[str, int]]:
    """Run all tasks until the time is up; return the samples of the pauses, and the peaks during work."""
    until = asyncio.get_running_loop().time() + plan.seconds
    samples: list[Sample] = []
    peaks = dict.fromkeys(QUANTITIES, 0)
    watching = asyncio.create_task(_watch(plan, site, samples, peaks))
    async with asyncio.TaskGroup() as group:
        for number in range(plan.tasks):
            group.create_task(_keep_working(plan, site, Random(f"{plan.seed} {number}"), until))
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    return samples, peaks


async def _keep_working(plan: Plan, site: Site, chance: Random, until: float) -> None:
    works, weights = list(plan.works), list(plan.works.values())
    loop = asyncio.get_running_loop()
    while True:
        [work] = chance.choices(works, weights)
        async with site.pauses.work():
            await do(site, work, chance)
        if loop.time() >= until:
            return


async def _watch(plan: Plan, site: Site, samples: list[Sample], peaks: dict[str, int]) -> None:
    began = reported = time.monotonic()
    while True:
        await asyncio.sleep(plan.pause_interval)
        busy = soak_samples.take(site.counters.calls.total())
        peaks.update({name: max(peaks[name], read(busy) or 0) for name, (read, _, _) in QUANTITIES.items()})
        async with site.pauses.pause():
            await asyncio.sleep(SETTLING)
            sample = soak_samples.take(site.counters.calls.total())
        now = time.monotonic()
        if now - began >= WARM_UP * plan.seconds:
            samples.append(sample)
        if now - reported >= plan.report_interval:
            reported = now
            print(f"{now - began:5.0f} s: {_line(sample, site.counters)}", file=sys.stderr, flush=True)


def _line(sample: Sample, counters: Counters) -> str:
    memory = "?" if sample.memory is None else f"{sample.memory / MIB:.1f}"
    return (
        f"{sample.calls:,} calls, {counters.checked:,} results checked, {counters.wrong} wrong,"
        f" {counters.failed.total()} failed; {memory} MiB, {sample.objects:,} objects, {sample.files} files,"
        f" {sample.connections} connections, {sample.tasks} tasks"
    )


# Resources that must not be left open, and errors that no call raises.


def _open_things() -> Counter[str]:
    files = soak_samples.open_files()
    return Counter({"file descriptors": len(files or ()), "tasks": len(asyncio.all_tasks())})


async def _left(before: Counter[str]) -> dict[str, int]:
    """Return the resources opened since `before`; wait for closed connections to disappear."""
    deadline = time.monotonic() + CLOSE_TIMEOUT
    while (left := _open_things() - before) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return dict(left)


@contextmanager
def _count_warnings_and_errors(counters: Counters) -> Generator[None]:
    """Count as wrong: warnings about unclosed and unawaited objects, and errors that the client logs."""
    loop = asyncio.get_running_loop()
    unraisable, handler = sys.unraisablehook, loop.get_exception_handler()
    log = logging.getLogger("circleci_async")
    errors = _Errors(counters)

    def count_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, COUNTED_WARNINGS):
            counters.note_wrong(f"warning: {message}")

    with warnings.catch_warnings():
        for category in COUNTED_WARNINGS:
            warnings.simplefilter("always", category)
        warnings.showwarning = count_warning
        sys.unraisablehook = lambda caught: counters.note_wrong(f"ignored: {caught.exc_value!r} in {caught.object!r}")
        loop.set_exception_handler(lambda _, context: counters.note_wrong(f"event loop: {context}"))
        log.addHandler(errors)
        try:
            yield
        finally:
            log.removeHandler(errors)
            loop.set_exception_handler(handler)
            sys.unraisablehook = unraisable


class _Errors(logging.Handler):
    def __init__(self, counters: Counters) -> None:
        super().__init__(logging.ERROR)
        self._counters = counters

    def emit(self, record: logging.LogRecord) -> None:
        self._counters.note_wrong(f"logged: {record.getMessage()}")


# Output.


def show(report: Report) -> None:
    """Print the report as tables."""
    counters, plan = report.counters, report.plan
    print(f"{plan.seconds / 60:g} minutes, {plan.tasks} tasks, seed {plan.seed}. {machine()}", end="\n\n")
    print("| | first third | last third | growth | allowed | flat | peak during work |")
    print("|---|--:|--:|--:|--:|---|--:|")
    for name, each in report.flatness.items():
        scale, digits = (MIB, 1) if name.endswith("MiB") else (1, 0)
        if each is None:
            print(f"| {name} | | | | | too few samples | |")
            continue
        numbers = (each.first, each.last, each.growth, each.allowed, report.peaks[name])
        *cells, last = (f"{number / scale:,.{digits}f}" for number in numbers)
        print(f"| {name} | {' | '.join(cells)} | {'yes' if each.is_flat else 'NO'} | {last} |")
    slope = soak_samples.slope(report.samples)
    if report.samples and report.samples[0].memory is None:
        print("\nMemory is not checked: this system has no /proc/self/status.")
    elif slope is not None:
        print(f"\nMemory grew by {slope:.1f} KiB per 1,000 calls; the peak was {peak_memory():.0f} MiB.")
    _table("calls", counters.calls)
    _table("failed calls, by error", counters.failed)
    _table("failed attempts as seen by the client (404 is expected)", counters.attempts)
    _table("injected faults as counted by the server", Counter(report.faults))
    stats, events = report.stats, report.events
    print(
        f"\n{stats.requests:,} requests of the main client, {stats.retries:,} retries, {stats.received / MIB:,.0f} MiB,"
        f" {stats.paused:,.0f} s paused for rate limits."
    )
    print(f"{events.accepted:,} webhook events, and {events.duplicates:,} ignored duplicates.")
    print(f"{counters.checked:,} results checked, {counters.wrong} wrong.")
    left = ", ".join(f"{count} {name}" for name, count in report.left.items()) or "nothing"
    print(f"Left open after the end: {left}.")
    print(f"\nVerdict: {'; '.join(report.objections) or 'flat, no wrong results'}.")


def _table(name: str, counts: Counter[str]) -> None:
    print(f"\n| {name} | {counts.total():,} |")
    print("|---|--:|")
    for what, count in counts.most_common():
        print(f"| {what} | {count:,} |")


def main(arguments: list[str] | None = None) -> int:
    """Run a soak and print the report; return 0 if it passed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sequences", action="store_true", help="also run the random sequences of faults of the tests")
    options = parser.parse_args(arguments)
    plan = Plan(options.minutes * 60, options.tasks, options.seed)
    if not options.sequences:
        report = asyncio.run(soak(plan))
        show(report)
        return 1 if report.objections else 0
    with soak_sequences.running(options.minutes, options.seed) as sequences:
        report = asyncio.run(soak(plan))
    show(report)
    print(f"\nRandom sequences of faults: {sequences.output}", end="")
    return 0 if sequences.is_right and not report.objections else 1


if __name__ == "__main__":
    sys.exit(main())
