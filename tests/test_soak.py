"""The soak passes without leaks and wrong results, and detects each kind of leak and wrong result."""

import asyncio
import gc
import random
from collections import Counter
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from random import Random
from typing import Any

import pytest

import circleci_async as ca
from benchmarks import soak, soak_builds, soak_work
from benchmarks.measure import MIB
from benchmarks.soak import Plan, Report
from benchmarks.soak_samples import MIN_SAMPLES, QUANTITIES, Sample, flat, slope
from benchmarks.soak_server import FaultInjector
from benchmarks.soak_site import Counters, Pauses, Site, Work, do, name_of
from benchmarks.soak_world import DOCS, KEPT, PERIOD, build, places, renew
from circleci_async.testing import FakeCircleCI, World

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def brief(work: Work) -> Plan:
    """Return a plan of one task that does `work` at least once."""
    return Plan(seconds=0.05, tasks=1, works={work: 1}, now=NOW)


# Whole runs.


def test_a_short_soak_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--minutes", "0.02", "--tasks", "8"]) == 0
    shown = capsys.readouterr().out
    assert "Verdict: flat, no wrong results.\n" in shown
    assert "Left open after the end: nothing.\n" in shown
    assert shown.count("too few samples") == 6


async def test_each_kind_of_work_gets_the_expected_results() -> None:
    kinds = [work for work in soak_builds.WORKS if work is not soak_builds.cancelled]

    async def all_of_it(site: Site, chance: Random) -> None:
        for work in kinds:
            await do(site, work, chance)

    report = await soak.soak(brief(all_of_it))
    assert report.objections == []
    assert {name: report.counters.calls[name] >= 1 for name in map(name_of, kinds)} == dict.fromkeys(
        map(name_of, kinds), True
    )
    assert report.counters.checked + report.counters.failed.total() >= len(kinds)
    assert report.stats.requests > len(kinds)


# Detection.


def other_world(seed: int, now: datetime) -> World:
    """Return a world that differs from the served one in the bytes of one artifact."""
    world = build(seed, now)
    world.projects[DOCS].jobs[1].artifacts[1].replace(b"other bytes")
    return world


def test_wrong_bytes_of_an_artifact_fail_the_soak(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soak, "build", other_world)
    monkeypatch.setattr(soak, "WORKS", {soak_work.harvest: 1})
    assert soak.main(["--minutes", "0", "--tasks", "1"]) == 1  # one piece of work
    out, err = capsys.readouterr()
    assert "Verdict: wrong results: 1.\n" in out
    assert err.startswith("WRONG: harvest: the harvest: expected [(")


async def fails_unexpectedly(site: Site, chance: Random) -> None:
    raise LookupError("unexpected")


async def gets_a_missing_job(site: Site, chance: Random) -> None:
    await site.circle.jobs.get("gh/acme/api", 1_000_000)


async def leaves_a_file(site: Site, chance: Random) -> None:
    (site.folder / "left").touch()


async def leaves_a_client_open(site: Site, chance: Random) -> None:
    await site.another().users.me()
    gc.collect()


async def never_awaits_a_coroutine(site: Site, chance: Random) -> None:
    site.circle.users.me()  # type: ignore[unused-coroutine]  # that is the fault
    gc.collect()


async def swallows_its_cancellation(site: Site, chance: Random) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        return


async def receives_an_event_twice(site: Site, chance: Random) -> None:
    delivered = {"id": "e-1", "type": "workflow-completed", "happened_at": "2026-11-24T00:00:00Z", "webhook": {}}
    pipeline = {"id": "p-1", "number": 1, "created_at": "2026-11-24T00:00:00Z"}
    event = ca.webhooks.parse(ca.to_json({**delivered, "pipeline": pipeline}).encode())
    await site.inbox.take(event)
    await site.inbox.take(event)


WRONG: dict[Work, str] = {
    fails_unexpectedly: "fails unexpectedly: LookupError('unexpected')",
    gets_a_missing_job: "gets a missing job: NotFound(404",
    leaves_a_client_open: "warning: Unclosed c",  # the session or its connector, whichever is deleted first
    never_awaits_a_coroutine: "warning: coroutine 'Users.me' was never awaited",
    receives_an_event_twice: "the event e-1 was handled twice",
    soak_builds.cancelled: "cancelled: the end of swallows_its_cancellation: expected 'cancelled', got 'None'",
    leaves_a_file: "files left behind: [",
}


async def test_each_wrong_result_fails_the_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_builds, "CANCELLED", [swallows_its_cancellation])

    async def all_of_it(site: Site, chance: Random) -> None:
        for work in WRONG:
            await do(site, work, chance)

    report = await soak.soak(brief(all_of_it))
    shown = iter(report.counters.shown)
    for message in WRONG.values():
        assert any(each.startswith(message) for each in shown), f"{message} was not reported in order"
    assert report.objections == [f"wrong results: {report.counters.wrong}"]


async def test_an_open_task_and_an_open_file_fail_the_soak(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(soak, "CLOSE_TIMEOUT", 0.1)
    left: list[asyncio.Task[None]] = []
    files: list[TextIOWrapper] = []

    async def leaks(site: Site, chance: Random) -> None:
        if not left:
            left.append(asyncio.create_task(asyncio.sleep(600)))
            files.append((tmp_path / "left").open("w"))

    try:
        report = await soak.soak(brief(leaks))
    finally:
        left[0].cancel()
        files[0].close()
    assert report.left == {"tasks": 1, "file descriptors": 1}
    assert len(report.objections) == 2


# Comparing samples.


def noisy(level: float, growth: float, count: int = 100) -> list[float]:
    """Return a quantity with 10 % of noise that grows steadily by `growth`."""
    chance = random.Random(7)
    return [level * chance.uniform(0.9, 1.1) + growth * number / (count - 1) for number in range(count)]


def steps(level: float, growth: float, count: int = 100) -> list[float]:
    """Return a quantity that grows by `growth` at once, in the middle."""
    return [level + growth * (number >= count // 2) for number in range(count)]


@pytest.mark.parametrize("series", [noisy(60, 0), noisy(60, 6), noisy(60, -40), steps(60, 8), [60.0] * MIN_SAMPLES])
def test_noise_is_flat(series: list[float]) -> None:
    found = flat(series, share=0.15, least=8)
    assert found is not None
    assert found.is_flat


@pytest.mark.parametrize("series", [noisy(60, 30), steps(60, 10), [60 + 0.5 * number for number in range(60)]])
def test_growth_is_not_flat(series: list[float]) -> None:
    found = flat(series, share=0.15, least=8)
    assert found is not None
    assert not found.is_flat
    assert found.growth > found.allowed == pytest.approx(0.15 * found.first, abs=1)


def test_a_short_peak_is_flat() -> None:
    series = [60.0] * 90 + [600.0] * 10
    found = flat(series, share=0.15, least=8)
    assert found is not None
    assert (found.first, found.last, found.allowed) == (60, 60, 9)


def test_too_few_samples_are_not_judged() -> None:
    assert flat([1.0, 1000.0] * (MIN_SAMPLES // 2 - 1), share=0.1, least=1) is None


def report_of(samples: list[Sample], **counters: Any) -> Report:
    return Report(
        Plan(60),
        Counters(**counters),
        samples,
        dict.fromkeys(QUANTITIES, 0),
        ca.Stats(),
        ca.webhooks.Receiver("s", print).stats,
        {},
    )


def test_a_leak_of_each_quantity_is_named() -> None:
    steady = [Sample(n * 100, 60 * MIB, 280_000, 80_000, 50, 32, 100) for n in range(60)]
    assert report_of(steady).objections == []
    assert slope(steady) == 0
    leaking = [
        Sample(n * 100, (60 + n) * MIB, 280_000 + 200 * n, 80_000 + 100 * n, 50 + n, 32 + n, 100 + n) for n in range(60)
    ]
    assert report_of(leaking).objections == [
        "memory, MiB grew",
        "memory blocks grew",
        "objects grew",
        "file descriptors grew",
        "connections grew",
        "tasks grew",
    ]
    assert slope(leaking) == pytest.approx(10 * 1024)


def test_unknown_quantities_are_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of([Sample(n * 100, None, 280_000, 80_000, None, None, 100) for n in range(60)])
    assert [name for name, each in report.flatness.items() if each] == ["memory blocks", "objects", "tasks"]
    soak.show(report)
    assert "Memory is not checked: this system has no /proc/self/status.\n" in capsys.readouterr().out


def test_too_many_failed_calls_fail_the_soak() -> None:
    few, many = Counter(ServerError=20), Counter(ServerError=21)
    assert report_of([], calls=Counter(user=1000), failed=few).objections == []
    assert report_of([], calls=Counter(user=1000), failed=many).objections == ["failed calls: 21 of 1000"]


# Pauses, faults and the world.


async def test_no_task_works_during_a_pause_and_all_continue_afterwards() -> None:
    pauses = Pauses()
    working, turns = 0, 0

    async def works() -> None:
        nonlocal working, turns
        while True:
            async with pauses.work():
                working += 1
                await asyncio.sleep(0)
                working -= 1
                turns += 1

    tasks = [asyncio.create_task(works()) for _ in range(3)]
    for _ in range(5):
        before = turns
        while turns < before + 10:
            await asyncio.sleep(0)
        async with pauses.pause():
            at_rest = turns
            for _ in range(10):
                await asyncio.sleep(0)
                assert (working, turns) == (0, at_rest)
    for task in tasks:
        task.cancel()


async def test_faults_are_injected_repeatedly() -> None:
    async with FakeCircleCI() as fake, fake.client() as circle:
        injector = FaultInjector(fake, Random(1), {"500": (3, {"path": "/api/v2/me", "status": 500})})
        once = circle.with_options(retry=ca.RetryPolicy(attempts=1))
        struck = 0
        while injector.planned["500"].hits < 5:
            try:
                await once.users.me()
            except ca.ServerError:
                struck += 1
            injector.rearm()
        assert struck == 5
        assert len(fake.requests) > 5


def test_projects_for_triggers_are_created_and_deleted_on_schedule() -> None:
    world = build(1, NOW)
    lasting = set(world.projects)
    began = 1_800_000_000.0
    for period in range(10):
        now = began + period * PERIOD
        renew(world, now, "http://127.0.0.1:9/")
        assert {*places(now), *places(now + PERIOD)} <= set(world.projects)
        for project in places(now):
            world.projects[project].pipeline().workflow().job("test")
    assert lasting <= set(world.projects)
    assert len(world.projects) == len(lasting) + 2 * (KEPT + 2)
    assert len(world.pipelines_by_id) == sum(len(each.pipelines.all) for each in world.projects.values())
