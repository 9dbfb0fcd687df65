"""The counters of a client: live, and as a copy."""

import asyncio

import pytest

from circleci_async import CircleCI, RetryPolicy, Stats
from circleci_async.models import Artifact
from tests.fastclock import fast_clock
from tests.raw_server import answer, hang, raw_server

ME = {"id": "u-1", "login": "octo"}


async def test_stats_are_live_and_calling_them_returns_a_copy() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI("t", host=server.url) as circle:
        live, copy = circle.stats, circle.stats()
        assert copy == Stats()
        await circle.users.me()
        assert (live.requests, copy.requests) == (1, 0)
        later = circle.stats()
        assert later == live
        assert later.received - copy.received == len(b'{"id": "u-1", "login": "octo"}')
        copy.requests = 77
        assert circle.stats.requests == 1


async def test_in_flight_and_waiting_are_live() -> None:
    async with raw_server(hang) as server, CircleCI("t", host=server.url, concurrency=2) as circle:
        calls = [asyncio.create_task(circle.users.me()) for _ in range(5)]
        while len(server.requests) < 2:
            await asyncio.sleep(0.001)
        assert (circle.stats.in_flight, circle.stats.waiting, circle.stats.waits) == (2, 3, 0)
        for call in calls[2:4]:
            call.cancel()
        await asyncio.wait(calls[2:4])
        assert (circle.stats.in_flight, circle.stats.waiting, circle.stats.waits) == (2, 1, 2)
        calls[0].cancel()
        await asyncio.wait(calls[:1])
        assert (circle.stats.in_flight, circle.stats.waiting, circle.stats.waits) == (2, 0, 3)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        assert (circle.stats.in_flight, circle.stats.waiting, circle.stats.waits) == (0, 0, 3)


async def test_a_stream_is_in_flight_until_it_is_closed() -> None:
    async with raw_server(answer(200, b"12345")) as server, CircleCI("t", host=server.url) as circle:
        async with circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{server.url}/a")):
            assert circle.stats.in_flight == 1
        assert circle.stats.in_flight == 0


@fast_clock
async def test_waits_and_their_seconds_are_counted() -> None:
    async with (
        raw_server(answer(429, {}, {"Retry-After": "40"}), answer(200, ME)) as server,
        CircleCI("t", host=server.url) as circle,
    ):
        first = asyncio.create_task(circle.users.me())
        while not circle.stats.paused:
            await asyncio.sleep(0.001)
        await asyncio.gather(first, circle.users.me(), circle.users.me())
        assert circle.stats.paused == pytest.approx(40, abs=1)
        assert circle.stats.waited == pytest.approx(3 * 40, abs=3)
        assert circle.stats.waits >= 3


@fast_clock
async def test_a_cancelled_wait_counts_only_the_time_waited() -> None:
    async with (
        raw_server(answer(503, {}, {"Retry-After": "100"})) as server,
        CircleCI("t", host=server.url, retry=RetryPolicy(deadline=1000)) as circle,
    ):
        call = asyncio.create_task(circle.users.me())
        while not circle.stats.retries:
            await asyncio.sleep(0.001)
        await asyncio.sleep(30)
        call.cancel()
        await asyncio.wait([call])
        assert circle.stats.waits == 1
        assert circle.stats.waited == pytest.approx(30, abs=1)
