"""Counters, log records, and the concurrency limit."""

import asyncio
import logging

import pytest

from tests.core.session.client import ME, connect, now
from tests.fastclock import fast_clock
from tests.raw_server import (
    after,
    answer,
    raw_server,
)


async def test_no_more_than_the_concurrency_are_in_flight() -> None:
    async with raw_server(after(0.02, answer(200, ME))) as server, connect(server, concurrency=3) as circle:
        await asyncio.gather(*(circle.users.me() for _ in range(20)))
        assert server.max_in_flight == 3


@fast_clock
async def test_a_call_waiting_for_a_retry_holds_neither_connection_nor_permit() -> None:
    async with (
        raw_server(answer(503, {}, {"Retry-After": "60"}), answer(200, ME)) as server,
        connect(server, concurrency=1) as circle,
    ):
        waiting = asyncio.create_task(circle.users.me())
        while circle.stats.retries == 0:
            await asyncio.sleep(0)
        began = now()
        await circle.users.me()
        assert now() - began < 1
        assert server.open_connections == 1
        await waiting


async def test_every_hop_and_every_byte_is_counted() -> None:
    behaviours = [answer(500, b"oops"), answer(302, b"", {"Location": "/there"}), answer(200, b'{"a": 1}')]
    async with raw_server(*behaviours) as server, connect(server) as circle:
        await circle.request("GET", "/x")
        stats = circle.stats
        assert (stats.requests, stats.retries, stats.rate_limited, stats.paused) == (3, 1, 0, 0.0)
        assert stats.received == 12


async def test_the_log_has_method_path_status_attempt_and_delay(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "circleci_async")
    async with (
        raw_server(answer(500, {"message": "secret of the body"}), answer(200, ME)) as server,
        connect(server) as circle,
    ):
        await circle.request("GET", "/me", query={"branch": "main"})
    lines = [record.getMessage() for record in caplog.records if record.name == "circleci_async"]
    assert len(lines) == 3
    assert lines[0].startswith("GET /api/v2/me: 500 in ")
    assert lines[1].startswith("GET /api/v2/me: attempt 1 failed (status 500)")
    assert lines[1].endswith("retry in 0.00 s")
    assert lines[2].startswith("GET /api/v2/me: 200 in ")
