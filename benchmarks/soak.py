"""Work for many minutes under faults, and see that nothing grows and nothing is wrong: `python -m benchmarks.soak`."""

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

from . import soak_samples
from .measure import MIB, machine, peak_memory
from .soak_builds import WORKS
from .soak_samples import QUANTITIES, Flatness, Sample, flat
from .soak_server import Served, serving
from .soak_site import Site, Tally, Work, do
from .soak_world import SECRET, build

TIMEOUT = 2.0
RETRY = ca.RetryPolicy(attempts=6, initial_delay=0.05, max_delay=1.0)
MOST_FAILED = 0.02
"""The share of the calls that may come to nothing because of the faults: if it is more, the soak shows little."""
WARM_UP = 0.2
"""The share of the time in which no samples are taken: modules are imported, pools and caches filled."""
SETTLING = 0.2
"""Seconds for what follows the last call: webhooks that come, and lists that were left midway."""
TOLD = (ResourceWarning, RuntimeWarning, UserWarning)
"""Warnings that count: of what nobody closed, of what nobody awaited, and the package's own."""
UNWINDING = 5.0
"""Seconds for closed connections to be gone from the event loop."""


@frozen
class Plan:
    """What to do."""

    seconds: float
    tasks: int = 50
    seed: int = 1
    break_every: float = field(default=Factory(lambda plan: max(3.0, plan.seconds / 100), takes_self=True))
    """Seconds of work between two breaks, in each of which a sample is taken: so few that they weigh nothing."""
    tell_every: float = 10.0
    works: Mapping[Work, int] = field(default=Factory(lambda: WORKS), repr=False)
    """What the tasks do, and how often, each compared with the others."""
    now: datetime = field(factory=lambda: datetime.now(UTC).replace(microsecond=0))


@frozen
class Report:
    """What came of it."""

    plan: Plan
    tally: Tally
    samples: list[Sample]
    """Of the breaks, in which nothing is under way."""
    most: dict[str, int]
    """Of each quantity, at work."""
    stats: ca.Stats
    events: ca.webhooks.ReceiverStats
    faults: dict[str, int]
    """How often each struck, by the server's word."""
    left: dict[str, int] = field(factory=dict[str, int])
    """What is open after the end and was not before it began."""

    @property
    def flatness(self) -> dict[str, Flatness | None]:
        """By quantity; None where there is nothing to judge by."""
        found: dict[str, Flatness | None] = {}
        for name, (read, share, least) in QUANTITIES.items():
            values = [value for sample in self.samples if (value := read(sample)) is not None]
            found[name] = flat(values, share=share, least=least)
        return found

    @property
    def objections(self) -> list[str]:
        """Why it has failed; empty if it has not."""
        calls, failed = self.tally.calls.total(), self.tally.failed
        found = [f"{name} grew" for name, each in self.flatness.items() if each is not None and not each.is_flat]
        found += [f"left open after the end: {count} {name}" for name, count in self.left.items() if count]
        if self.tally.wrong:
            found.append(f"wrong results: {self.tally.wrong}")
        if failed.total() > max(5, MOST_FAILED * calls):
            found.append(f"calls that came to nothing: {failed.total()} of {calls}")
        if self.events.failed or self.events.refused or self.events.turned_away:
            found.append(f"webhooks that were not taken: {self.events}")
        return found


async def soak(plan: Plan) -> Report:
    """Start a server, let the tasks work on it, close all, and look at what is left."""
    gc.collect()  # what others have left is not to be told of as ours
    before = _open_things()
    tally = Tally()
    sites: list[Site] = []

    async def on_event(event: ca.WebhookEvent) -> None:
        await sites[0].inbox.take(event)

    receiver = ca.webhooks.Receiver(SECRET, on_event, remember=200)
    with _complaints(tally), tempfile.TemporaryDirectory() as folder:
        async with receiver.serve() as url:
            with serving(plan.seed, plan.now, url) as served:
                client = partial(_client, served, tally)
                async with client() as circle:
                    site = Site(circle, client, build(plan.seed, plan.now), Path(folder), tally)
                    sites.append(site)
                    samples, most = await _work(plan, site)
        if circle.stats.in_flight or circle.stats.waiting:
            tally.note_wrong(f"something is under way after the end: {circle.stats}")
        if files := list(Path(folder).iterdir()):
            tally.note_wrong(f"files left behind: {files}")
        gc.collect()  # what was never closed speaks up now
    left = await _left(before)
    return Report(plan, tally, samples, most, circle.stats(), receiver.stats, served.hits, left)


def _client(served: Served, tally: Tally) -> ca.CircleCI:
    return ca.CircleCI(
        served.token,
        host=served.host,
        artifact_hosts=(served.artifact_host,),
        timeout=TIMEOUT,
        retry=RETRY,
        trust_env=False,
        on_attempt=tally.note_attempt,
    )


async def _work(plan: Plan, site: Site) -> tuple[list[Sample], dict[str, int]]:
    """Let all tasks work until the time is up; return the samples of the breaks, and the most that was seen at work."""
    until = asyncio.get_running_loop().time() + plan.seconds
    samples: list[Sample] = []
    most = dict.fromkeys(QUANTITIES, 0)
    watching = asyncio.create_task(_watch(plan, site, samples, most))
    async with asyncio.TaskGroup() as group:
        for number in range(plan.tasks):
            group.create_task(_keep_working(plan, site, Random(f"{plan.seed} {number}"), until))
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    return samples, most


async def _keep_working(plan: Plan, site: Site, chance: Random, until: float) -> None:
    works, weights = list(plan.works), list(plan.works.values())
    loop = asyncio.get_running_loop()
    while True:
        [work] = chance.choices(works, weights)
        async with site.breaks.work():
            await do(site, work, chance)
        if loop.time() >= until:
            return


async def _watch(plan: Plan, site: Site, samples: list[Sample], most: dict[str, int]) -> None:
    began = told = time.monotonic()
    while True:
        await asyncio.sleep(plan.break_every)
        busy = soak_samples.take(site.tally.calls.total())
        most.update({name: max(most[name], read(busy) or 0) for name, (read, _, _) in QUANTITIES.items()})
        async with site.breaks.rest():
            await asyncio.sleep(SETTLING)
            sample = soak_samples.take(site.tally.calls.total())
        now = time.monotonic()
        if now - began >= WARM_UP * plan.seconds:
            samples.append(sample)
        if now - told >= plan.tell_every:
            told = now
            print(f"{now - began:5.0f} s: {_line(sample, site.tally)}", file=sys.stderr, flush=True)


def _line(sample: Sample, tally: Tally) -> str:
    memory = "?" if sample.memory is None else f"{sample.memory / MIB:.1f}"
    return (
        f"{sample.calls:,} calls, {tally.checked:,} results checked, {tally.wrong} wrong,"
        f" {tally.failed.total()} came to nothing; {memory} MiB, {sample.objects:,} objects, {sample.files} files,"
        f" {sample.connections} connections, {sample.tasks} tasks"
    )


# What must not be left, and what nobody would hear of.


def _open_things() -> Counter[str]:
    files = soak_samples.open_files()
    return Counter({"file descriptors": len(files or ()), "tasks": len(asyncio.all_tasks())})


async def _left(before: Counter[str]) -> dict[str, int]:
    """Return what is open that was not; closed connections may take a moment to be gone."""
    deadline = time.monotonic() + UNWINDING
    while (left := _open_things() - before) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return dict(left)


@contextmanager
def _complaints(tally: Tally) -> Generator[None]:
    """Count as wrong what Python says of things that nobody closed or awaited, and the errors that the client logs."""
    loop = asyncio.get_running_loop()
    unraisable, handler = sys.unraisablehook, loop.get_exception_handler()
    log = logging.getLogger("circleci_async")
    errors = _Errors(tally)

    def warned(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, TOLD):
            tally.note_wrong(f"warning: {message}")

    with warnings.catch_warnings():
        for category in TOLD:
            warnings.simplefilter("always", category)
        warnings.showwarning = warned
        sys.unraisablehook = lambda caught: tally.note_wrong(f"ignored: {caught.exc_value!r} in {caught.object!r}")
        loop.set_exception_handler(lambda _, context: tally.note_wrong(f"event loop: {context}"))
        log.addHandler(errors)
        try:
            yield
        finally:
            log.removeHandler(errors)
            loop.set_exception_handler(handler)
            sys.unraisablehook = unraisable


class _Errors(logging.Handler):
    def __init__(self, tally: Tally) -> None:
        super().__init__(logging.ERROR)
        self._tally = tally

    def emit(self, record: logging.LogRecord) -> None:
        self._tally.note_wrong(f"logged: {record.getMessage()}")


# Telling.


def show(report: Report) -> None:
    """Print the report as tables."""
    tally, plan = report.tally, report.plan
    print(f"{plan.seconds / 60:g} minutes, {plan.tasks} tasks, seed {plan.seed}. {machine()}", end="\n\n")
    print("| | first third | last third | growth | allowed | flat | most at work |")
    print("|---|--:|--:|--:|--:|---|--:|")
    for name, each in report.flatness.items():
        scale, digits = (MIB, 1) if name.endswith("MiB") else (1, 0)
        if each is None:
            print(f"| {name} | | | | | too few samples | |")
            continue
        numbers = (each.first, each.last, each.growth, each.allowed, report.most[name])
        *cells, last = (f"{number / scale:,.{digits}f}" for number in numbers)
        print(f"| {name} | {' | '.join(cells)} | {'yes' if each.is_flat else 'NO'} | {last} |")
    slope = soak_samples.slope(report.samples)
    if report.samples and report.samples[0].memory is None:
        print("\nMemory is not judged: this system has no /proc/self/status.")
    elif slope is not None:
        print(f"\nMemory grew by {slope:.1f} KiB with each 1,000 calls; its peak was {peak_memory():.0f} MiB.")
    _table("calls", tally.calls)
    _table("calls that came to nothing, by error", tally.failed)
    _table("attempts that failed, as the client saw it; 404 was asked for", tally.attempts)
    _table("faults, as the server counted them", Counter(report.faults))
    stats, events = report.stats, report.events
    print(
        f"\n{stats.requests:,} requests of the main client, {stats.retries:,} retries, {stats.received / MIB:,.0f} MiB,"
        f" {stats.paused:,.0f} s held back."
    )
    print(f"{events.accepted:,} webhook events, and {events.duplicates:,} duplicates that were not handled.")
    print(f"{tally.checked:,} results checked, {tally.wrong} wrong.")
    left = ", ".join(f"{count} {name}" for name, count in report.left.items()) or "nothing"
    print(f"Left open after the end: {left}.")
    print(f"\nVerdict: {'; '.join(report.objections) or 'flat, and not one wrong result'}.")


def _table(name: str, counts: Counter[str]) -> None:
    print(f"\n| {name} | {counts.total():,} |")
    print("|---|--:|")
    for what, count in counts.most_common():
        print(f"| {what} | {count:,} |")


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, soak, print; return 0 if all is well, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    report = asyncio.run(soak(Plan(options.minutes * 60, options.tasks, options.seed)))
    show(report)
    return 1 if report.objections else 0


if __name__ == "__main__":
    sys.exit(main())
