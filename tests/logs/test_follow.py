"""Following a running job: its lines as they are printed, each once, until it has ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.models import LogLine
from circleci_async.testing import FakeCircleCI, Job, World
from tests.downloads.file_server import in_sequence, served
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.raw_server import answer

from .server import BUILD, PROJECT, action, build, sent, serving, stored

RUNNING: dict[str, Any] = {"status": "running", "end_time": None, "exit_code": None}
PLAIN = f"{BUILD}/output/101/0"
SOON = (0.001, 0.01)


def running_job(**options: Any) -> tuple[World, Job]:
    """Return a world on the event loop's clock, and a running job."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    world = World(clock=lambda: now + timedelta(seconds=loop.time() - began))
    job = world.project(PROJECT).pipeline().workflow().job("test", status="running", **options)
    return world, job


async def texts(lines: AsyncIterator[LogLine]) -> list[str]:
    return [line.text async for line in lines]


@fast_clock
async def test_each_line_is_yielded_once_until_the_job_ends() -> None:
    world, job = running_job(parallelism=2)
    step = job.step("make", output="one\ntw", status="running")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        lines = circle.jobs.follow(PROJECT, job.number)
        assert await anext(lines) == LogLine(text="one", step="make", number=0, node=0)
        following = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(10)
        assert not following.done()
        step.print("o\n")
        assert (await following).text == "two"
        other = job.step("make", output="\x1b[31mother\x1b[0m\n", status="running", node=1)
        assert await anext(lines) == LogLine(text="other", step="make", number=0, node=1)
        step.print("three")
        step.end(exit_code=1)
        assert (await anext(lines)).text == "three"
        other.print("10 %\r100 %\n")
        job.end("failed", world.clock())
        assert await texts(lines) == ["100 %"]


async def test_all_lines_of_an_ended_job_are_yielded_at_once() -> None:
    world = World()
    job = world.project(PROJECT).pipeline().workflow().job("test", status="failed", parallelism=2)
    job.step("Spin up", output="a\nb\n")
    job.step("make", output="c", node=1)
    job.step("make", output="d\r\n", exit_code=1, node=0)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        lines = [line async for line in circle.jobs.follow(PROJECT, job.number)]
        assert [(line.step, line.node, line.text) for line in lines] == [
            ("Spin up", 0, "a"),
            ("Spin up", 0, "b"),
            ("make", 0, "d"),
            ("make", 1, "c"),
        ]
        assert len([each for each in fake.requests if each.origin == "api"]) == 1


async def test_ansi_keeps_the_codes() -> None:
    body = build([action(101, output_url="/s?signed")])
    async with serving([body], {"/s": stored("\x1b[31mred\x1b[0m\r\n")}) as (_, circle):
        assert await texts(circle.jobs.follow(PROJECT, 42, ansi=True)) == ["\x1b[31mred\x1b[0m"]


async def test_output_that_moves_from_the_api_to_the_storage_is_yielded_once() -> None:
    builds = [
        build([action(101, **RUNNING)], lifecycle="running"),
        build([action(101, output_url="/s?signed")], lifecycle="running"),
        build([action(101, output_url="/s?signed")], [action(102, output_url="/t?signed")]),
    ]
    files = {PLAIN: answer(200, "a\nb\nc"), "/s": stored("a\nb", "\ncd\ne"), "/t": stored("f")}
    async with serving(builds, files) as (server, circle):
        assert await texts(circle.jobs.follow(PROJECT, 42, interval=SOON)) == ["a", "b", "cd", "e", "f"]
        assert len(sent(server, "/s")) == 1  # it had ended by then


async def test_steps_of_the_same_name_and_steps_without_number_are_distinguished() -> None:
    first, second = action(None, name="save", output_url="/1?signed"), action(None, name="save", output_url="/2?signed")
    second["start_time"] = "2026-11-24T12:00:01Z"
    builds = [build([first], lifecycle="running"), build([first], [second])]
    async with serving(builds, {"/1": stored("a"), "/2": stored("b")}) as (_, circle):
        assert await texts(circle.jobs.follow(PROJECT, 42, interval=SOON)) == ["a", "b"]


async def test_output_that_is_stored_late_is_waited_for() -> None:
    running = build([action(101, output_url="/s?signed")], lifecycle="running")
    files = {"/s": in_sequence(*[answer(403, "<Error/>")] * 4, stored("late"))}
    async with serving([running] * 6 + [build([action(101, output_url="/s?signed")])], files) as (server, circle):
        assert await texts(circle.jobs.follow(PROJECT, 42, interval=SOON)) == ["late"]
        assert len(sent(server, PLAIN)) == 2


async def test_missing_output_of_an_ended_job_is_an_error() -> None:
    builds = [build([action(101, **RUNNING)], lifecycle="running"), build([action(101)])]
    async with serving(builds) as (_, circle):
        with pytest.raises(ca.NotFound, match="output/101/0"):
            await texts(circle.jobs.follow(PROJECT, 42, interval=SOON))


async def test_transient_failures_are_tolerated_and_each_line_is_yielded_once() -> None:
    running, ended = build([action(101, **RUNNING)], lifecycle="running"), build([action(101)])
    whole = "".join(f"line {number}\n" for number in range(30_000)).encode()
    body = in_sequence(*[answer(200, running)] * 2, *[answer(502, "")] * 9, answer(200, running), answer(200, ended))
    cuts = [served(whole, cut=at, etag=None) for at in (100_000, 5, 200_000, 6)]  # two attempts per poll
    async with serving(body, {PLAIN: in_sequence(*cuts, served(whole))}) as (server, circle):
        assert await texts(circle.jobs.follow(PROJECT, 42, interval=SOON)) == whole.decode().splitlines()
        assert [request.path for request in server.requests].count(BUILD) == 2 + 9 + 2


@fast_clock
async def test_a_failure_of_two_minutes_ends_it() -> None:
    running = build([action(101, **RUNNING)], lifecycle="running")
    async with serving(
        in_sequence(answer(200, running), answer(503, {"message": "down"})), {PLAIN: answer(200, "")}
    ) as (
        _,
        circle,
    ):
        began = asyncio.get_running_loop().time()
        with pytest.raises(ca.ServerError, match="down"):
            await texts(circle.jobs.follow(PROJECT, 42))
        assert 120 <= asyncio.get_running_loop().time() - began < 150


@fast_clock
async def test_a_404_of_a_job_that_was_seen_is_tolerated() -> None:
    running, ended = build([action(101, **RUNNING)], lifecycle="running"), build([action(101)])
    polls = in_sequence(answer(200, running), *[answer(404, {"message": "gone"})] * 3, answer(200, ended))
    async with serving(polls, {PLAIN: answer(200, "a\n")}) as (_, circle):
        assert await texts(circle.jobs.follow(PROJECT, 42)) == ["a"]


@fast_clock
async def test_steps_that_stay_404_after_they_were_seen_end_it() -> None:
    world, job = running_job()
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        asyncio.get_running_loop().call_later(20, lambda: fake.fail("/api/v1.1/*", status=404, times=None))
        with pytest.raises(ca.NotFound):
            await asyncio.wait_for(texts(circle.jobs.follow(PROJECT, job.number)), 300)


@fast_clock
async def test_a_retry_after_beyond_max_wait_delays_the_next_poll() -> None:
    world, job = running_job()
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        fake.fail("/api/v1.1/*", status=429, headers={"Retry-After": "600"})
        following = asyncio.ensure_future(texts(circle.jobs.follow(PROJECT, job.number)))
        await asyncio.sleep(590)
        assert len(fake.requests) == 1
        job.step("make", output="one\n")
        job.end("success", world.clock())
        assert await following == ["one"]


async def test_a_permanent_failure_ends_it_at_once() -> None:
    async with serving(answer(403, {"message": "no"})) as (server, circle):
        with pytest.raises(ca.PermissionDenied):
            await texts(circle.jobs.follow(PROJECT, 42, interval=SOON))
        assert len(server.requests) == 1


@fast_clock
async def test_delays_grow_while_there_are_no_new_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)  # no jitter
    world, job = running_job()
    step = job.step("make", output="one\n", status="running")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        lines = circle.jobs.follow(PROJECT, job.number, interval=(1, 4))
        assert (await anext(lines)).text == "one"
        following = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(20)
        step.print("two\n")
        await following
        following = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(2)
        job.end("canceled", world.clock())
        with pytest.raises(StopAsyncIteration):
            await following
        polls = [each.at for each in fake.requests if not each.path.endswith("/0")]
        waits = [later - earlier for earlier, later in pairwise(polls)]
        growing = [1.0, 1.5, 2.25, 3.375]
        assert waits == pytest.approx([*growing, *[4.0] * (len(waits) - 6), *growing[:2]], abs=0.2)
        assert len(waits) > 7


@fast_clock
async def test_a_job_that_has_not_started_is_waited_for() -> None:
    world, job = running_job()
    job.status, job.started_at = "queued", None
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        fake.fail("/api/v1.1/*", status=404, times=3)
        following = asyncio.ensure_future(texts(circle.jobs.follow(PROJECT, job.number)))
        await asyncio.sleep(60)
        assert not following.done()
        job.start(world.clock())
        job.step("make", output="one\n")
        job.end("success", world.clock())
        assert await following == ["one"]


async def test_a_job_that_was_canceled_before_it_started_is_not_found() -> None:
    world = World()
    job = world.project(PROJECT).pipeline().workflow().job("test", status="canceled")
    job.started_at = None
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        for number in (job.number, 4711):
            with pytest.raises(ca.NotFound) as caught:
                await texts(circle.jobs.follow(PROJECT, number))
            assert "canceled before it started" in str(caught.value.hint)
            assert "v1.1" in caught.value.url


@pytest.mark.parametrize(
    ("fields", "over"),
    [
        ({"lifecycle": "finished"}, True),
        ({"lifecycle": "not_run"}, True),
        ({"lifecycle": "running", "stop_time": "2026-11-24T12:00:00Z"}, False),
        ({"lifecycle": None, "status": "running"}, False),
        ({"lifecycle": None, "status": None}, False),
        ({"lifecycle": None, "status": None, "stop_time": "2026-11-24T12:00:00Z"}, True),
        ({"lifecycle": None, "status": "fixed"}, True),
        ({"lifecycle": None, "status": "no_tests"}, True),
        ({"lifecycle": None, "status": "timedout"}, True),
    ],
    ids=str,
)
async def test_a_job_has_ended_according_to_its_lifecycle_or_status(fields: dict[str, Any], over: bool) -> None:
    async with serving([build(**fields), build()]) as (server, circle):
        assert await texts(circle.jobs.follow(PROJECT, 42, interval=SOON)) == []
        assert len(server.requests) == (1 if over else 2)


@pytest.mark.parametrize("interval", [(0, 1), (2, 1), (-1, 1), (1,), 5, None, (1, float("inf")), ("a", "b"), (1, None)])
async def test_an_invalid_interval_is_refused_at_once(interval: Any) -> None:
    async with ca.CircleCI("", host="http://localhost:1") as circle:
        with pytest.raises(ca.InvalidArgument, match="interval must be two positive numbers of seconds"):
            circle.jobs.follow(PROJECT, 42, interval=interval)


async def test_leaving_early_leaves_nothing_open() -> None:
    body = build([action(101, **RUNNING)], lifecycle="running")
    async with serving([body], {PLAIN: answer(200, "a\nb\n")}) as (server, circle):
        async with aclosing(circle.jobs.follow(PROJECT, 42)) as lines:
            assert (await anext(lines)).text == "a"
        await check_nothing_is_left(circle)
        following = asyncio.ensure_future(texts(circle.jobs.follow(PROJECT, 42)))
        while len(sent(server, PLAIN)) < 2:
            await asyncio.sleep(0.001)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
        await check_nothing_is_left(circle)
