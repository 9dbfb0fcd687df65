"""Calls cancelled at any moment leak nothing and raise the cancellation; the client stays usable."""

import asyncio
import gc
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from itertools import cycle

import pytest

from circleci_async import CircleCI, CircleCIError, RetryPolicy
from circleci_async.core.fan_out import fan_out
from circleci_async.core.limiter import Limiter, WaitLimit
from circleci_async.core.stats import Stats
from circleci_async.models import Artifact
from tests.raw_server import Behaviour, RawServer, Request, after, answer, cut, hang_up, raw_server, reset

ME = {"id": "u-1", "login": "octo"}
PAGE = {
    "items": [{"path": f"p/{n}", "node_index": 0, "url": "https://x/y"} for n in range(3)],
    "next_page_token": None,
    **ME,
}
CONCURRENCY = 4

Work = Callable[[CircleCI], Awaitable[object]]


def in_sequence(*behaviours: Behaviour) -> Behaviour:
    turns = cycle(behaviours)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        return await next(turns)(request, writer)

    return behave


async def one_call(circle: CircleCI) -> object:
    return await circle.users.me()


async def one_call_with_a_deadline(circle: CircleCI) -> object:
    return await circle.with_options(retry=RetryPolicy(initial_delay=0.001, max_delay=0.001, deadline=30)).users.me()


async def a_walk(circle: CircleCI) -> object:
    return [artifact async for artifact in circle.artifacts.list("gh/acme/api", 1)]


async def many_at_once(circle: CircleCI) -> object:
    async def work(number: int) -> object:
        return await circle.users.me()

    async with aclosing(fan_out(range(8), work, concurrency=3)) as outcomes:
        return [outcome async for outcome in outcomes]


async def one_for_each_of_a_list(circle: CircleCI) -> object:
    async def work(artifact: Artifact) -> object:
        return await circle.users.me()

    async with aclosing(fan_out(circle.artifacts.list("gh/acme/api", 1), work, concurrency=2)) as outcomes:
        return [outcome async for outcome in outcomes]


async def a_snapshot(circle: CircleCI) -> object:
    return [result async for result in circle.insights.snapshot(["gh/a/b", "gh/a/c", "gh/a/d"], concurrency=2)]


async def a_stream(circle: CircleCI) -> object:
    artifact = Artifact(path="a", node_index=0, url=f"{circle.host}/a")
    async with circle.artifacts.open(artifact) as stream:
        return b"".join([part async for part in stream])


WORKS = [
    one_call,
    one_call_with_a_deadline,
    a_walk,
    many_at_once,
    one_for_each_of_a_list,
    a_snapshot,
    a_stream,
]


@asynccontextmanager
async def checked_client(server: RawServer) -> AsyncGenerator[CircleCI, None]:
    """Yield a client; check it for leaks at the end, then close it."""
    retry = RetryPolicy(initial_delay=0.001, max_delay=0.001)
    async with CircleCI("t", host=server.url, retry=retry, concurrency=CONCURRENCY) as circle:
        yield circle
        server.behaviours = [after(0.03, answer(200, PAGE))]
        limiter = circle._session.state.limiter
        async with asyncio.timeout(10):
            await asyncio.gather(*(circle.users.me() for _ in range(4 * CONCURRENCY)))
            assert circle.stats.in_flight == limiter._control.in_flight == 0
            permits = [await limiter.acquire(WaitLimit(max_wait=10), counted=False) for _ in range(CONCURRENCY)]
            for permit in permits:  # all of them were free
                permit.release()
        assert server.open_connections <= CONCURRENCY, "unused connections are kept"
    await server.all_closed()
    gc.collect()  # objects that were never awaited or closed warn now, which fails the test


async def ends_cancelled(tasks: list[asyncio.Task[object]]) -> None:
    """Cancel tasks; check that each ends cancelled, or was done before and failed at most with a CircleCIError."""
    were_cancelled = [task.cancel() for task in tasks]
    async with asyncio.timeout(10):
        await asyncio.wait(tasks)
    for task, was_cancelled in zip(tasks, were_cancelled, strict=True):
        if was_cancelled:
            assert task.cancelled(), "the cancellation was swallowed"
        elif error := task.exception():
            assert isinstance(error, CircleCIError)


FAULTY = [
    answer(200, PAGE),
    answer(429, {}, {"Retry-After": "0.002"}),
    answer(200, PAGE),
    answer(503, {}),
    reset,
    answer(302, "x" * 100, {"Location": "/elsewhere"}),
    hang_up,
    answer(200, PAGE),
    cut(b"x" * 1000, 500),
    answer(200, PAGE, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0.002"}),
]


@pytest.mark.parametrize("work", WORKS)
async def test_cancelled_after_any_number_of_loop_iterations(work: Work) -> None:
    async with raw_server(in_sequence(*FAULTY)) as server, checked_client(server) as circle:
        for turns in range(48):
            tasks = [asyncio.ensure_future(work(circle)) for _ in range(CONCURRENCY + 2)]
            for _ in range(turns):
                await asyncio.sleep(0)
            await ends_cancelled(tasks)


def moments(longest: float) -> Iterator[float]:
    chance = random.Random(7)
    for _ in range(16):
        yield chance.uniform(0, longest)


@pytest.mark.parametrize("work", WORKS)
async def test_cancelled_after_any_time(work: Work) -> None:
    slow = [after(0.003, behaviour) for behaviour in FAULTY]
    async with raw_server(in_sequence(*slow)) as server, checked_client(server) as circle:
        for moment in moments(0.03):
            tasks = [asyncio.ensure_future(work(circle)) for _ in range(CONCURRENCY + 2)]
            await asyncio.sleep(moment)
            await ends_cancelled(tasks)


async def test_cancelled_during_a_retry_delay() -> None:
    async with raw_server(answer(503, {}, {"Retry-After": "100"})) as server, checked_client(server) as circle:
        tasks = [asyncio.ensure_future(one_call(circle)) for _ in range(3)]
        while circle.stats.retries < 3:
            await asyncio.sleep(0.001)
        await ends_cancelled(tasks)
        assert len(server.requests) == 3


async def test_cancelled_during_a_rate_limit_pause() -> None:
    async with (
        raw_server(answer(429, {}, {"Retry-After": "0.3"}), answer(200, PAGE)) as server,
        checked_client(server) as circle,
    ):
        first = asyncio.ensure_future(one_call(circle))
        while not circle.stats.paused:
            await asyncio.sleep(0.001)
        queued = [asyncio.ensure_future(one_call(circle)) for _ in range(6)]
        await asyncio.sleep(0.01)
        await ends_cancelled(queued[:3])
        assert len(server.requests) == 1
        await asyncio.gather(first, *queued[3:])
        assert len(server.requests) == 5


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_cancelled_at_the_moment_the_limiter_refuses_it(cancelled_first: bool) -> None:
    stats = Stats()
    limiter = Limiter(1, stats)
    holder = await limiter.acquire(WaitLimit(max_wait=1000))
    waiting = asyncio.create_task(limiter.acquire(WaitLimit(max_wait=1)))
    await asyncio.sleep(0)
    if cancelled_first:
        waiting.cancel()
    limiter.pause(2)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    holder.release()
    assert stats.in_flight == 0


async def test_leaving_a_list_early_leaves_nothing_open() -> None:
    more = answer(200, {**PAGE, "next_page_token": "t"})
    async with raw_server(more) as server, checked_client(server) as circle:
        async for artifact in circle.artifacts.list("gh/acme/api", 1):
            if artifact.path == "p/1":
                break
        assert circle.stats.in_flight == 0
        assert len(server.requests) == 1


async def test_leaving_a_snapshot_early_cancels_its_calls() -> None:
    async with (
        raw_server(answer(200, {"items": []}), after(60, answer(200, {"items": []}))) as server,
        checked_client(server) as circle,
    ):
        async with aclosing(circle.insights.snapshot(["gh/a/b", "gh/a/c", "gh/a/d"], concurrency=3)) as results:
            async for project, found in results:
                assert (project, found) == (project, [])
                break
        assert circle.stats.in_flight == 0


async def test_a_failure_in_a_task_group_cancels_the_other_calls() -> None:
    async with raw_server(answer(404, {}), after(60, answer(200, PAGE))) as server, checked_client(server) as circle:
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                for _ in range(5):
                    group.create_task(circle.users.me())
        assert [type(error).__name__ for error in caught.value.exceptions] == ["NotFound"]
