"""The soak finds nothing where nothing is, and finds what is wrong, or grows, where something is."""

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
from benchmarks.soak_samples import FEWEST, QUANTITIES, Sample, flat, slope
from benchmarks.soak_server import Weather
from benchmarks.soak_site import Breaks, Site, Tally, Work, do, name_of
from benchmarks.soak_world import DOCS, KEPT, PERIOD, build, places, renew
from circleci_async.testing import FakeCircleCI, World

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def brief(work: Work) -> Plan:
    """One task that does one thing, at least once."""
    return Plan(seconds=0.05, tasks=1, works={work: 1}, now=NOW)


# The whole.


def test_a_short_soak_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--minutes", "0.02", "--tasks", "8"]) == 0
    shown = capsys.readouterr().out
    assert "Verdict: flat, and not one wrong result.\n" in shown
    assert "Left open after the end: nothing.\n" in shown
    assert shown.count("too few samples") == 6


async def test_each_kind_of_work_is_right_about_its_answers() -> None:
    kinds = [work for work in soak_builds.WORKS if work is not soak_builds.cancelled]

    async def all_of_it(site: Site, chance: Random) -> None:
        for work in kinds:
            await do(site, work, chance)

    report = await soak.soak(brief(all_of_it))
    assert report.objections == []
    assert {name: report.tally.calls[name] >= 1 for name in map(name_of, kinds)} == dict.fromkeys(
        map(name_of, kinds), True
    )
    assert report.tally.checked + report.tally.failed.total() >= len(kinds)
    assert report.stats.requests > len(kinds)


# What it must find.


def other_world(seed: int, now: datetime) -> World:
    """One that differs from what is served in the bytes of one artifact."""
    world = build(seed, now)
    world.projects[DOCS].jobs[1].artifacts[1].replace(b"other bytes")
    return world


def test_an_artifact_of_other_bytes_than_expected_makes_it_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soak, "build", other_world)
    monkeypatch.setattr(soak, "WORKS", {soak_work.harvest: 1})
    assert soak.main(["--minutes", "0.001", "--tasks", "1"]) == 1
    out, err = capsys.readouterr()
    assert "Verdict: wrong results: 1.\n" in out
    assert err.startswith("WRONG: harvest: the harvest: [(")


async def fails_in_its_own_way(site: Site, chance: Random) -> None:
    raise LookupError("nobody expects this")


async def takes_what_is_not_there(site: Site, chance: Random) -> None:
    await site.circle.jobs.get("gh/acme/api", 1_000_000)


async def leaves_a_file(site: Site, chance: Random) -> None:
    (site.folder / "left").touch()


async def leaves_a_client_open(site: Site, chance: Random) -> None:
    await site.another().users.me()
    gc.collect()


async def leaves_a_coroutine_alone(site: Site, chance: Random) -> None:
    site.circle.users.me()  # type: ignore[unused-coroutine]  # that is the fault
    gc.collect()


async def swallows_its_cancellation(site: Site, chance: Random) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        return


async def has_an_event_twice(site: Site, chance: Random) -> None:
    delivered = {"id": "e-1", "type": "workflow-completed", "happened_at": "2026-11-24T00:00:00Z", "webhook": {}}
    pipeline = {"id": "p-1", "number": 1, "created_at": "2026-11-24T00:00:00Z"}
    event = ca.webhooks.parse(ca.to_json({**delivered, "pipeline": pipeline}).encode())
    await site.inbox.take(event)
    await site.inbox.take(event)


WRONG: dict[Work, str] = {
    fails_in_its_own_way: "fails in its own way: LookupError('nobody expects this')",
    takes_what_is_not_there: "takes what is not there: NotFound(404",
    leaves_a_client_open: "warning: Unclosed client session",
    leaves_a_coroutine_alone: "warning: coroutine 'Users.me' was never awaited",
    has_an_event_twice: "the event e-1 was handled twice",
    soak_builds.cancelled: "cancelled: what came of swallows_its_cancellation: 'None', and not 'cancelled'",
    leaves_a_file: "files left behind: [",
}


async def test_what_is_not_as_it_must_be_makes_it_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_builds, "CANCELLED", [swallows_its_cancellation])

    async def all_of_it(site: Site, chance: Random) -> None:
        for work in WRONG:
            await do(site, work, chance)

    report = await soak.soak(brief(all_of_it))
    shown = iter(report.tally.shown)
    for told in WRONG.values():
        assert any(each.startswith(told) for each in shown), f"{told} is not, or not in its place, among the wrong"
    assert report.objections == [f"wrong results: {report.tally.wrong}"]


async def test_a_task_and_a_file_that_are_left_open_make_it_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(soak, "UNWINDING", 0.1)
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


# What is judged without running anything.


def noisy(level: float, growth: float, count: int = 100) -> list[float]:
    """A quantity that goes up and down by a fifth, and grows by so much from the first to the last."""
    chance = random.Random(7)
    return [level * chance.uniform(0.9, 1.1) + growth * number / (count - 1) for number in range(count)]


def steps(level: float, growth: float, count: int = 100) -> list[float]:
    """One that grows all at once, in the middle."""
    return [level + growth * (number >= count // 2) for number in range(count)]


@pytest.mark.parametrize("series", [noisy(60, 0), noisy(60, 6), noisy(60, -40), steps(60, 8), [60.0] * FEWEST])
def test_what_goes_up_and_down_is_flat(series: list[float]) -> None:
    found = flat(series, share=0.15, least=8)
    assert found is not None
    assert found.is_flat


@pytest.mark.parametrize("series", [noisy(60, 30), steps(60, 10), [60 + 0.5 * number for number in range(60)]])
def test_what_grows_is_not_flat(series: list[float]) -> None:
    found = flat(series, share=0.15, least=8)
    assert found is not None
    assert not found.is_flat
    assert found.growth > found.allowed == pytest.approx(0.15 * found.first, abs=1)


def test_a_single_moment_in_which_much_is_under_way_is_no_growth() -> None:
    series = [60.0] * 90 + [600.0] * 10
    found = flat(series, share=0.15, least=8)
    assert found is not None
    assert (found.first, found.last, found.allowed) == (60, 60, 9)


def test_of_a_few_samples_nobody_can_tell() -> None:
    assert flat([1.0, 1000.0] * (FEWEST // 2 - 1), share=0.1, least=1) is None


def report_of(samples: list[Sample], **tally: Any) -> Report:
    return Report(
        Plan(60),
        Tally(**tally),
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


def test_where_the_system_tells_little_little_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of([Sample(n * 100, None, 280_000, 80_000, None, None, 100) for n in range(60)])
    assert [name for name, each in report.flatness.items() if each] == ["memory blocks", "objects", "tasks"]
    soak.show(report)
    assert "Memory is not judged: this system has no /proc/self/status.\n" in capsys.readouterr().out


def test_calls_that_come_to_nothing_all_the_time_make_it_fail() -> None:
    few, many = Counter(ServerError=20), Counter(ServerError=21)
    assert report_of([], calls=Counter(user=1000), failed=few).objections == []
    assert report_of([], calls=Counter(user=1000), failed=many).objections == ["calls that came to nothing: 21 of 1000"]


# What serves it.


async def test_in_a_break_nobody_is_at_work_and_afterwards_all_go_on() -> None:
    breaks = Breaks()
    working, turns = 0, 0

    async def works() -> None:
        nonlocal working, turns
        while True:
            async with breaks.work():
                working += 1
                await asyncio.sleep(0)
                working -= 1
                turns += 1

    tasks = [asyncio.create_task(works()) for _ in range(3)]
    for _ in range(5):
        before = turns
        while turns < before + 10:
            await asyncio.sleep(0)
        async with breaks.rest():
            at_rest = turns
            for _ in range(10):
                await asyncio.sleep(0)
                assert (working, turns) == (0, at_rest)
    for task in tasks:
        task.cancel()


async def test_faults_strike_again_and_again() -> None:
    async with FakeCircleCI() as fake, fake.client() as circle:
        weather = Weather(fake, Random(1), {"500": (3, {"path": "/api/v2/me", "status": 500})})
        once = circle.with_options(retry=ca.RetryPolicy(attempts=1))
        struck = 0
        while weather.planned["500"].hits < 5:
            try:
                await once.users.me()
            except ca.ServerError:
                struck += 1
            weather.go_on()
        assert struck == 5
        assert len(fake.requests) > 5


def test_projects_to_trigger_in_are_made_in_time_and_deleted_in_time() -> None:
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
