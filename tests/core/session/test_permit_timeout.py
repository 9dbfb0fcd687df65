"""A call that waits for a permit while every permit is held by a stream that makes no progress."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from circleci_async import CircleCI, PoolTimeout, RequestTimeout, TransportError
from circleci_async.core.limiter import Limiter, WaitLimit
from circleci_async.core.rate_limit import UNKNOWN, RateLimitState
from circleci_async.core.stats import Stats
from tests.core.session.client import ME, connect, now
from tests.downloads.file_server import artifact_at
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.raw_server import Behaviour, RawServer, Request, after, answer, raw_server

CONCURRENCY = 3


def by_path(**behaviours: Behaviour) -> Behaviour:
    """Respond to `/file` and to API paths differently."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        return await behaviours["file" if request.path == "/file" else "api"](request, writer)

    return behave


async def open_streams(stack: AsyncExitStack, circle: CircleCI, server: RawServer, count: int = CONCURRENCY) -> None:
    for _ in range(count):
        await stack.enter_async_context(circle.artifacts.open(artifact_at(server)))


@fast_clock
async def test_a_call_fails_when_every_permit_is_held_by_an_unread_stream() -> None:
    async with (
        raw_server(by_path(file=answer(200, b"x" * 10), api=answer(200, ME))) as server,
        connect(server, concurrency=CONCURRENCY) as circle,
    ):
        async with AsyncExitStack() as stack:
            await open_streams(stack, circle, server)
            began = now()
            with pytest.raises(PoolTimeout) as caught:
                await circle.users.me()
            assert now() - began == 60
            error = caught.value
            assert isinstance(error, RequestTimeout)
            assert isinstance(error, TransportError)
            assert error.sent is False
            assert str(error) == (
                "not sent: all 3 requests that `concurrency` allows are in flight, and none ended for 60 s"
                f" (GET {server.url}/api/v2/me)"
            )
            with pytest.raises(PoolTimeout, match=r"for 5 s \(GET http://127.0.0.1:[0-9]+/file\)"):
                async with circle.with_options(timeout=5).artifacts.open(artifact_at(server)):
                    pass
        assert (await circle.users.me()).login == "octo"
        assert [request.path for request in server.requests] == ["/file"] * 3 + ["/api/v2/me"]
        await check_nothing_is_left(circle)


@fast_clock
async def test_a_post_and_every_waiting_call_fail_too() -> None:
    async with (
        raw_server(by_path(file=answer(200, b"x" * 10), api=answer(200, ME))) as server,
        connect(server, concurrency=CONCURRENCY) as circle,
        AsyncExitStack() as stack,
    ):
        await open_streams(stack, circle, server)
        calls = [circle.request(method, "/x") for method in ("GET", "POST", "DELETE") * 3]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(error) for error in errors} == {PoolTimeout}
        assert circle.stats.waiting == 0
        assert circle.stats.retries == 0


@fast_clock
async def test_calls_behind_ending_ones_wait_as_long_as_it_takes() -> None:
    async with (
        raw_server(by_path(file=answer(200, b"x" * 10), api=after(50, answer(200, ME)))) as server,
        connect(server, concurrency=CONCURRENCY) as circle,
        AsyncExitStack() as stack,
    ):
        await open_streams(stack, circle, server, CONCURRENCY - 1)
        began = now()
        results = await asyncio.gather(*(circle.users.me() for _ in range(8)))
        assert [each.login for each in results] == ["octo"] * 8
        assert 400 <= now() - began < 401


@fast_clock
async def test_a_stream_that_receives_data_is_progress() -> None:
    async def slow(request: Request, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 2000000\r\n\r\n")
        for _ in range(10):
            writer.write(b"x" * 200_000)
            await writer.drain()
            await asyncio.sleep(50)
        return True

    async with (
        raw_server(by_path(file=slow, api=answer(200, ME))) as server,
        connect(server, concurrency=1) as circle,
    ):
        async with circle.artifacts.open(artifact_at(server)) as stream:
            calling = asyncio.create_task(circle.users.me())
            assert sum([len(part) async for part in stream]) == 2_000_000
        assert (await calling).login == "octo"


@fast_clock
async def test_a_pause_does_not_count() -> None:
    limiter = Limiter(1, Stats())
    wait_limit = WaitLimit(max_wait=1000, permit_timeout=60)
    with await limiter.acquire(wait_limit, counted=False):
        began = now()
        for start in (0, 50):  # during the wait, and before it
            asyncio.get_running_loop().call_at(began + start, limiter.pause, 100)
        await asyncio.sleep(1)
        with pytest.raises(PoolTimeout):
            await limiter.acquire(wait_limit)
        assert now() - began == 150 + 60


@fast_clock
async def test_pacing_does_not_count() -> None:
    limiter = Limiter(2, Stats())
    wait_limit = WaitLimit(max_wait=1000, permit_timeout=2)
    for _ in range(6):  # one request in 100 s is accepted
        with await limiter.acquire(wait_limit) as permit:
            limiter.apply_rate_limit(RateLimitState(100.0), permit, refused=True)
        await _send(limiter, wait_limit)
    assert limiter.pace < 0.5
    await asyncio.gather(*(_send(limiter, wait_limit) for _ in range(4)))


async def _send(limiter: Limiter, wait_limit: WaitLimit) -> None:
    with await limiter.acquire(wait_limit) as permit:
        limiter.apply_rate_limit(UNKNOWN, permit)
