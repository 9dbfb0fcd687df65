"""Closing a client while calls are running: they finish within `drain` or are cancelled; new calls fail."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from circleci_async import CircleCI, ConfigurationError, InvalidArgument, RetryPolicy
from circleci_async.models import Artifact
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_in_use, tasks_of_the_package
from tests.raw_server import Behaviour, RawServer, Request, answer, hang, raw_server

from .client import ME, connect, limited, now

CLOSED = "the client is closed"


@asynccontextmanager
async def running_calls(
    circle: CircleCI, server: RawServer, count: int = 1
) -> AsyncGenerator[list[asyncio.Task[Any]], None]:
    """Start calls, and wait until the server has received them."""
    calls = [asyncio.create_task(circle.users.me()) for _ in range(count)]
    while len(server.requests) < count:
        await asyncio.sleep(0.001)
    yield calls


def on(released: asyncio.Event, behaviour: Behaviour) -> Behaviour:
    """Return a behaviour that waits for the event."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        await released.wait()
        return await behaviour(request, writer)

    return behave


async def wait_until(until: Callable[[], bool]) -> None:
    """Wait until the condition is true."""
    async with asyncio.timeout(10):
        while not until():
            await asyncio.sleep(0.001)


async def outcomes(calls: list[asyncio.Task[Any]]) -> list[Any]:
    async with asyncio.timeout(10):
        return await asyncio.gather(*calls, return_exceptions=True)


def are_closed(results: list[Any]) -> bool:
    return all(isinstance(each, ConfigurationError) and CLOSED in str(each) for each in results)


async def test_running_calls_finish_while_draining_and_new_ones_fail() -> None:
    released = asyncio.Event()
    async with raw_server(on(released, answer(200, ME))) as server:
        circle = connect(server)
        async with running_calls(circle, server, 3) as calls:
            closing = asyncio.create_task(circle.aclose(drain=math.inf))
            await asyncio.sleep(0)
            for refused in (circle, circle.with_options(timeout=5)):
                with pytest.raises(ConfigurationError, match=CLOSED):
                    await refused.users.me()
            with pytest.raises(ConfigurationError, match=CLOSED):
                await circle.pipelines.list("gh/acme/api").collect()
            assert not closing.done()
            released.set()
            assert [me.login for me in await outcomes(calls)] == ["octo"] * 3
            await closing
        assert len(server.requests) == 3
        await server.all_closed()
        check_nothing_in_use(circle)


async def test_an_admitted_call_is_still_retried_while_draining() -> None:
    released = asyncio.Event()
    async with raw_server(on(released, answer(503, {})), answer(200, ME)) as server:
        circle = connect(server)
        async with running_calls(circle, server) as calls:
            closing = asyncio.create_task(circle.aclose(drain=math.inf))
            await asyncio.sleep(0)
            released.set()
            assert [me.login for me in await outcomes(calls)] == ["octo"]
            await closing
        assert len(server.requests) == 2


@fast_clock
async def test_calls_still_running_after_draining_are_cancelled() -> None:
    async with raw_server(hang) as server:
        circle = connect(server)
        async with running_calls(circle, server, 2) as calls:
            began = now()
            await circle.aclose(drain=60)
            assert now() - began == pytest.approx(60, abs=2)
            assert all(call.done() for call in calls), "when it returns, nothing is running"
            assert are_closed(await outcomes(calls))
        await server.all_closed()
        check_nothing_in_use(circle)


@pytest.mark.parametrize("deadline", [None, 1000.0])
async def test_closing_without_draining_cancels_calls_at_any_point(deadline: float | None) -> None:
    policy = RetryPolicy(deadline=deadline)
    async with raw_server(answer(503, {}, {"Retry-After": "100"}), hang) as server:
        circle = connect(server, retry=policy, concurrency=1)
        pausing = asyncio.create_task(circle.users.me())
        await wait_until(lambda: circle.stats.retries == 1)
        answering = asyncio.create_task(circle.users.me())
        await wait_until(lambda: len(server.requests) == 2)
        queued = asyncio.create_task(circle.users.me())
        await wait_until(lambda: circle.stats.waiting == 1)
        await circle.aclose()
        assert [call.done() for call in (pausing, answering, queued)] == [True] * 3
        assert are_closed(await outcomes([pausing, answering, queued]))
        assert (circle.stats.waiting, circle.stats.in_flight) == (0, 0)
        assert len(server.requests) == 2
        await server.all_closed()


async def test_closing_cancels_calls_waiting_for_a_pause() -> None:
    async with raw_server(limited({"Retry-After": "100"})) as server:
        circle = connect(server)
        calls = [asyncio.create_task(circle.users.me()) for _ in range(2)]
        await wait_until(lambda: circle.stats.paused > 0)
        await circle.aclose()
        assert are_closed(await outcomes(calls))
        assert circle.stats.waited < 100, "the rest of the pause is not counted as waited"


async def test_a_call_cancelled_while_closing_raises_the_cancellation() -> None:
    async with raw_server(hang) as server:
        circle = connect(server)
        async with running_calls(circle, server, 2) as (cancelled, cut):
            closing = asyncio.create_task(circle.aclose())
            await asyncio.sleep(0)
            cancelled.cancel()
            await closing
            results = await outcomes([cancelled, cut])
        assert cancelled.cancelled()
        assert are_closed(results[1:])
        assert cut.cancelling() == 0


def begins(length: int, first: bytes, released: asyncio.Event, rest: bytes) -> Behaviour:
    """Send the first bytes, and the rest when the event is set."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % length + first)
        await released.wait()
        writer.write(rest)
        return True

    return behave


def file_at(server: RawServer) -> Artifact:
    return Artifact(path="a", node_index=0, url=f"{server.url}/a")


async def test_a_stream_can_be_read_to_its_end_while_draining() -> None:
    released = asyncio.Event()
    async with raw_server(begins(10, b"12345", released, b"67890")) as server:
        circle = connect(server)
        async with circle.artifacts.open(file_at(server)) as stream:
            parts = aiter(stream)
            assert await anext(parts) == b"12345"
            closing = asyncio.create_task(circle.aclose(drain=math.inf))
            await asyncio.sleep(0.01)
            assert not closing.done(), "nothing runs between two reads, but the stream is open"
            released.set()
            assert await anext(parts) == b"67890"
        await closing
        await server.all_closed()


@fast_clock
async def test_an_unread_stream_is_closed_after_draining() -> None:
    async with raw_server(begins(10, b"12345", asyncio.Event(), b"")) as server:
        circle = connect(server)
        async with circle.artifacts.open(file_at(server)) as stream:
            parts = aiter(stream)
            assert await anext(parts) == b"12345"
            await circle.aclose(drain=30)
            await server.all_closed()
            with pytest.raises(ConfigurationError, match=CLOSED):
                await anext(parts)
        check_nothing_in_use(circle)


async def test_a_download_can_finish_while_draining(tmp_path: Path) -> None:
    released = asyncio.Event()
    async with raw_server(begins(10, b"12345", released, b"67890")) as server:
        circle = connect(server)
        download = asyncio.create_task(circle.artifacts.download(file_at(server), tmp_path))
        await wait_until(lambda: circle.stats.received == 5)
        closing = asyncio.create_task(circle.aclose(drain=math.inf))
        await asyncio.sleep(0)
        released.set()
        assert (await download).path.read_bytes() == b"1234567890"
        await closing


async def test_a_cancelled_download_leaves_no_file(tmp_path: Path) -> None:
    async with raw_server(begins(10, b"12345", asyncio.Event(), b"")) as server:
        circle = connect(server)
        download = asyncio.create_task(circle.artifacts.download(file_at(server), tmp_path / "out"))
        await wait_until(lambda: circle.stats.received == 5)
        await circle.aclose()
        assert are_closed(await outcomes([download]))
        assert list((tmp_path / "out").iterdir()) == []
        await server.all_closed()


@fast_clock
async def test_of_several_closings_the_shortest_drain_counts() -> None:
    async with raw_server(hang) as server:
        circle = connect(server)
        async with running_calls(circle, server) as calls:
            began = now()
            await asyncio.gather(*(circle.aclose(drain=drain) for drain in (3000, 30, 300)))
            assert now() - began == pytest.approx(30, abs=2)
            assert are_closed(await outcomes(calls))
        await circle.aclose(drain=3000)
        assert now() - began == pytest.approx(30, abs=2), "it was over"
        await server.all_closed()


async def test_cancelling_aclose_cancels_calls_at_once() -> None:
    async with raw_server(hang) as server:
        circle = connect(server)
        async with running_calls(circle, server) as calls:
            closing = asyncio.create_task(circle.aclose(drain=math.inf))
            await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert are_closed(await outcomes(calls))
        await server.all_closed()
        assert tasks_of_the_package() == []


@pytest.mark.parametrize("number", range(1, 9))
async def test_cancelling_aclose_at_any_point_leaves_no_connection_open(number: int) -> None:
    async with raw_server(answer(200, ME)) as server:
        circle = connect(server)
        await circle.users.me()
        closing = asyncio.create_task(circle.aclose())
        for _ in range(number):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        await server.all_closed()
        assert tasks_of_the_package() == []


async def test_a_block_that_raises_does_not_drain() -> None:
    async with raw_server(hang) as server:
        with pytest.raises(LookupError):
            async with connect(server) as circle, running_calls(circle, server) as calls:
                raise LookupError
        assert are_closed(await outcomes(calls))


async def test_a_call_that_closes_its_own_client_is_cancelled() -> None:
    circle: CircleCI

    async def token() -> str:
        await circle.aclose()
        return "t"

    async with raw_server(answer(200, ME)) as server:
        circle = CircleCI(token, host=server.url)
        with pytest.raises(ConfigurationError, match=CLOSED):
            await circle.users.me()
        assert server.requests == []


async def test_closing_cancels_calls_on_a_caller_session_and_keeps_it_open() -> None:
    async with raw_server(hang, answer(200, ME)) as server, aiohttp.ClientSession() as http:
        circle = CircleCI("t", host=server.url, http=http)
        async with running_calls(circle, server) as calls:
            await circle.aclose()
            assert are_closed(await outcomes(calls))
        assert not http.closed
        async with CircleCI("t", host=server.url, http=http) as another:
            assert (await another.users.me()).login == "octo"


async def test_closing_a_derived_client_does_nothing() -> None:
    async with raw_server(answer(200, ME)) as server, connect(server) as circle:
        await circle.with_options(timeout=5).aclose(drain=5)
        assert (await circle.users.me()).login == "octo"


@pytest.mark.parametrize("drain", [-1, math.nan, -math.inf, None, "5"])
async def test_an_invalid_drain_is_rejected_without_closing(drain: Any) -> None:
    async with raw_server(answer(200, ME)) as server, connect(server) as circle:
        with pytest.raises(InvalidArgument, match="drain must be "):
            await circle.aclose(drain=drain)
        assert (await circle.users.me()).login == "octo"


async def test_an_unused_client_can_be_closed() -> None:
    circle = CircleCI("t", host="http://localhost:1")
    await circle.aclose(drain=1000)
    with pytest.raises(ConfigurationError, match=CLOSED):
        await circle.users.me()


async def test_on_close_functions_are_awaited_before_draining() -> None:
    events: list[str] = []
    released = asyncio.Event()
    async with raw_server(on(released, answer(200, ME))) as server:
        circle = connect(server)
        lifetime = circle._session.state.lifetime

        async def background() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                events.append("ended")

        task = asyncio.create_task(background())

        async def end() -> None:
            with pytest.raises(ConfigurationError, match=CLOSED):
                await circle.users.me()
            task.cancel()
            await asyncio.wait([task])

        lifetime.on_close(end)
        async with running_calls(circle, server) as calls:
            closing = asyncio.create_task(circle.aclose(drain=math.inf))
            await asyncio.wait([task])
            assert (events, closing.done()) == (["ended"], False)
            released.set()
            await closing
            assert [me.login for me in await outcomes(calls)] == ["octo"]
        await circle.aclose()
        assert events == ["ended"], "the function is called once"
        with pytest.raises(ConfigurationError, match=CLOSED):
            lifetime.on_close(end)


async def test_an_error_of_an_on_close_function_is_logged_and_closing_continues(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[int] = []

    async def fails() -> None:
        raise LookupError("no such thing")

    async def ends() -> None:
        ended.append(1)

    async with raw_server(answer(200, ME)) as server:
        circle = connect(server)
        await circle.users.me()
        for callback in (fails, ends, fails):
            circle._session.state.lifetime.on_close(callback)
        await circle.aclose()
        await server.all_closed()
    assert ended == [1]
    assert [record.exc_info and str(record.exc_info[1]) for record in caplog.records] == ["no such thing"] * 2
