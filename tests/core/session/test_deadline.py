"""The deadline of a whole call."""

import asyncio

import pytest

from circleci_async import CircleCI, RateLimited, RequestTimeout, RetryPolicy, ServerError
from tests.core.session.client import ME, connect, limited, now
from tests.fastclock import fast_clock
from tests.raw_server import (
    after,
    answer,
    hang,
    raw_server,
)


@fast_clock
async def test_a_retry_after_beyond_the_deadline_raises_at_once() -> None:
    async with (
        raw_server(limited({"Retry-After": "10"}), answer(200, ME)) as server,
        connect(server, RetryPolicy(deadline=8)) as circle,
    ):
        began = now()
        with pytest.raises(RateLimited) as caught:
            await circle.users.me()
        assert caught.value.retry_after == 10
        assert now() - began < 1


@fast_clock
async def test_the_deadline_bounds_all_attempts_and_delays() -> None:
    async with raw_server(after(3, answer(500, {}))) as server:
        async with connect(server, RetryPolicy(attempts=99, initial_delay=1, max_delay=1, deadline=20)) as circle:
            began = now()
            with pytest.raises((ServerError, RequestTimeout)):
                await circle.users.me()
            assert 15 < now() - began <= 20.1
        assert 3 < len(server.requests) < 8


@fast_clock
async def test_the_deadline_cancels_a_running_attempt() -> None:
    async with raw_server(hang) as server, connect(server, RetryPolicy(deadline=7), timeout=60) as circle:
        began = now()
        with pytest.raises(RequestTimeout, match="deadline of 7 s") as caught:
            await circle.users.me()
        assert now() - began == pytest.approx(7, abs=0.5)
        assert (caught.value.method, caught.value.url) == ("GET", f"{server.url}/api/v2/me")
        await server.all_closed()


@fast_clock
async def test_a_call_whose_deadline_is_before_the_end_of_the_pause_fails_at_once() -> None:
    async with raw_server(limited({"Retry-After": "30"}), answer(200, ME)) as server, connect(server) as circle:
        waiting = asyncio.create_task(circle.users.me())
        while not server.requests or not circle.stats.paused:
            await asyncio.sleep(0.01)
        quick = circle.with_options(retry=RetryPolicy(deadline=5))
        began = now()
        with pytest.raises(RateLimited, match="not sent"):
            await quick.users.me()
        assert now() - began < 1
        assert (await waiting).login == "octo"
        assert len(server.requests) == 2


@fast_clock
async def test_a_timeout_of_the_caller_is_not_the_deadline() -> None:
    async def token() -> str:
        raise TimeoutError("the vault is slow")

    async with (
        raw_server(answer(200, ME)) as server,
        CircleCI(token, host=server.url, retry=RetryPolicy(deadline=60)) as circle,
    ):
        with pytest.raises(TimeoutError, match="vault"):
            await circle.users.me()
