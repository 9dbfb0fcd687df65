"""429 and the rate-limit headers: which calls wait, and for how long."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from contextvars import Context
from email.utils import formatdate
from typing import TypeVarTuple

import pytest

from circleci_async import NotFound, RateLimited, RetryPolicy
from circleci_async.models import Artifact
from circleci_async.testing import FakeCircleCI, RateLimit
from tests.core.session.client import ME, connect, limited, now
from tests.fastclock import FastClockLoop, fast_clock
from tests.raw_server import (
    Behaviour,
    Request,
    after,
    answer,
    raw_server,
)

Ts = TypeVarTuple("Ts")


@fast_clock
async def test_retry_after_seconds_are_waited_in_full() -> None:
    async with raw_server(limited({"Retry-After": "77"}), answer(200, ME)) as server, connect(server) as circle:
        assert (await circle.users.me()).login == "octo"
        first, second = server.requests
        assert 77 <= second.at - first.at < 78
        assert (circle.stats.requests, circle.stats.retries, circle.stats.rate_limited) == (2, 1, 1)
        assert circle.stats.paused == pytest.approx(77, abs=0.5)


@fast_clock
async def test_a_retry_after_date_is_compared_with_the_clock_of_the_server() -> None:
    wrong = time.time() - 7777
    headers = {"Retry-After": formatdate(wrong + 40, usegmt=True), "Date": formatdate(wrong + 10, usegmt=True)}
    async with raw_server(limited(headers), answer(200, ME)) as server, connect(server) as circle:
        await circle.users.me()
        assert server.requests[1].at - server.requests[0].at == pytest.approx(30, abs=1)


@fast_clock
async def test_a_429_without_headers_pauses_all_calls_with_exponential_jitter() -> None:
    policy = RetryPolicy(attempts=4, initial_delay=8, max_delay=20)
    async with raw_server(*[limited()] * 3, answer(200, ME)) as server, connect(server, policy) as circle:
        first = asyncio.create_task(circle.users.me())
        while circle.stats.retries == 0:
            await asyncio.sleep(0)
        opens = circle.stats.paused
        assert opens > 0
        others = [asyncio.create_task(circle.users.me()) for _ in range(5)]
        await asyncio.gather(first, *others)
        gaps = [b.at - a.at for a, b in zip(server.requests, server.requests[1:4], strict=False)]
        assert gaps[0] >= opens - 0.1
        assert all(0 <= gap < bound + 0.5 for gap, bound in zip(gaps, (8, 16, 20), strict=True))
        assert circle.stats.rate_limited == 3


@fast_clock
async def test_a_429_is_raised_after_the_last_attempt() -> None:
    async with raw_server(limited({"Retry-After": "3"})) as server:
        async with connect(server, RetryPolicy(attempts=4)) as circle:
            with pytest.raises(RateLimited, match="Rate limited") as caught:
                await circle.users.me()
        assert caught.value.retry_after == 3
        assert len(server.requests) == 4
        assert server.requests[3].at - server.requests[0].at == pytest.approx(9, abs=0.5)


@fast_clock
async def test_a_retry_after_of_a_day_fails_every_call_without_sending_it() -> None:
    day = {"Retry-After": "86400", "Connection": "close"}  # an idle connection would set timers for a day
    async with raw_server(limited(day), answer(200, ME)) as server, connect(server) as circle:
        began = now()
        with pytest.raises(RateLimited) as caught:
            await circle.users.me()
        assert caught.value.retry_after == 86400
        results = await asyncio.gather(*(circle.users.me() for _ in range(10)), return_exceptions=True)
        for error in results:
            assert isinstance(error, RateLimited)
            assert error.retry_after == pytest.approx(86400, abs=5)
            assert (error.method, error.url) == ("GET", f"{server.url}/api/v2/me")
        with pytest.raises(RateLimited):
            await circle.pipelines.list("gh/acme/api").collect()
        assert now() - began < 5
        assert len(server.requests) == 1
        await asyncio.sleep(86400)
        assert (await circle.users.me()).login == "octo"


@fast_clock
async def test_queued_calls_fail_when_retry_after_is_a_day() -> None:
    async with raw_server(after(1, limited({"Retry-After": "86400"}))) as server:
        async with connect(server, concurrency=1) as circle:
            began = now()
            results = await asyncio.gather(*(circle.users.me() for _ in range(10)), return_exceptions=True)
            assert [type(result) for result in results] == [RateLimited] * 10
            assert now() - began < 5
        assert len(server.requests) == 1


@pytest.mark.parametrize(("seconds", "requests"), [("120", 2), ("121", 1)])
@fast_clock
async def test_max_wait_is_the_boundary_between_waiting_and_raising(seconds: str, requests: int) -> None:
    async with raw_server(limited({"Retry-After": seconds}), answer(200, ME)) as server:
        async with connect(server, RetryPolicy(max_wait=120)) as circle:
            with contextlib.suppress(RateLimited):
                await circle.users.me()
        assert len(server.requests) == requests


@fast_clock
async def test_a_post_is_retried_unchanged_after_a_429() -> None:
    created = {"id": "p", "number": 1, "state": "pending", "created_at": "2026-01-01T00:00:00Z"}
    async with raw_server(limited({"Retry-After": "5"}), answer(201, created)) as server, connect(server) as circle:
        await circle.pipelines.trigger("gh/acme/api", branch="main", parameters={"n": 1})
        first, second = server.requests
        assert first.body == second.body == b'{"branch":"main","parameters":{"n":1}}'
        assert first.headers == second.headers
        assert second.at - first.at >= 5


def one_in_ten_limited(seconds: int, moments: list[float]) -> Behaviour:
    """Answer after a second; the tenth request gets a 429 after half a second."""
    count = 0
    good, bad = after(1, answer(200, ME)), limited({"Retry-After": str(seconds)})

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal count
        count += 1
        if count != 10:
            return await good(request, writer)
        await asyncio.sleep(0.5)
        moments.append(now())
        return await bad(request, writer)

    return behave


@pytest.mark.parametrize("value", ["1700000000", "1e300", "86401"])
@fast_clock
async def test_an_absurd_retry_after_is_treated_as_missing(value: str) -> None:
    async with raw_server(limited({"Retry-After": value}), answer(200, ME)) as server, connect(server) as circle:
        assert (await circle.users.me()).login == "octo"
        assert server.requests[1].at - server.requests[0].at < 1


@fast_clock
async def test_one_429_pauses_all_tasks_and_requests_are_paced_afterwards() -> None:
    told: list[float] = []
    async with raw_server(one_in_ten_limited(30, told)) as server, connect(server, concurrency=16) as circle:
        await asyncio.gather(*(circle.users.me() for _ in range(100)))
        arrivals = [request.at - told[0] for request in server.requests]
        assert len(arrivals) == 101
        assert sum(arrival < 0 for arrival in arrivals) == 8 + 16, "slow start"
        assert not [arrival for arrival in arrivals if 0 <= arrival < 30], "a request was sent during the pause"
        assert 2 <= sum(30 <= arrival + 0.02 < 30.5 for arrival in arrivals) <= 8, "the pace begins with 8 per second"


@fast_clock
async def test_error_responses_end_the_slow_start_too() -> None:
    async with raw_server(limited({"Retry-After": "5"}), after(1, answer(404, {"message": "no"}))) as server:
        async with connect(server, concurrency=8) as circle:
            with pytest.raises(NotFound):
                await circle.users.me()
            await asyncio.gather(*(circle.users.me() for _ in range(60)), return_exceptions=True)
        assert server.max_in_flight == 8


@fast_clock
async def test_an_open_stream_does_not_prolong_a_pause() -> None:
    async def first_half(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\n12345")
        await asyncio.Event().wait()

    async with (
        raw_server(first_half, limited({"Retry-After": "5"}), answer(200, ME)) as server,
        connect(server) as circle,
    ):
        artifact = Artifact(path="a", node_index=0, url=f"{server.url}/a")
        async with circle.artifacts.open(artifact) as stream:
            assert await anext(aiter(stream)) == b"12345"
            async with asyncio.timeout(100):
                assert (await circle.users.me()).login == "octo"
                await asyncio.gather(*(circle.users.me() for _ in range(20)))


class EarlyTimerLoop(FastClockLoop):
    """An event loop whose timers fire slightly early, as on Windows and in uvloop, whose clocks are coarse."""

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return super().call_at(when - 0.04, callback, *args, context=context)


def test_a_pause_ends_even_if_its_timer_fires_early() -> None:
    async def run() -> None:
        nothing_left = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "5.03"}
        async with raw_server(answer(200, ME, nothing_left), answer(200, ME)) as server, connect(server) as circle:
            await circle.users.me()
            async with asyncio.timeout(60):
                await circle.users.me()

    with asyncio.Runner(loop_factory=EarlyTimerLoop) as runner:
        runner.run(run())


@pytest.mark.parametrize(
    "headers",
    [
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"},
        {"RateLimit-Remaining": "0", "RateLimit-Reset": "9"},
        {"RateLimit-Remaining": "5", "RateLimit-Reset": "2", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"},
    ],
)
@fast_clock
async def test_an_exhausted_quota_pauses_until_its_reset(headers: dict[str, str]) -> None:
    async with raw_server(answer(200, ME, headers), answer(200, ME)) as server, connect(server) as circle:
        await circle.users.me()
        await circle.users.me()
        assert server.requests[1].at - server.requests[0].at == pytest.approx(9, abs=0.5)
        assert (circle.stats.rate_limited, circle.stats.retries) == (0, 0)
        assert circle.stats.paused == pytest.approx(9, abs=0.5)


@fast_clock
async def test_a_429_without_retry_after_waits_for_the_reset_header() -> None:
    async with raw_server(limited({"X-RateLimit-Reset": "44"}), answer(200, ME)) as server, connect(server) as circle:
        await circle.users.me()
        assert server.requests[1].at - server.requests[0].at == pytest.approx(44, abs=0.5)


async def test_the_rate_limit_of_a_storage_does_not_pause_the_api() -> None:
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9000"}
    async with raw_server(answer(200, {"id": "u-1", "login": "octo"}, spent)) as storage:
        moved = answer(302, {}, {"Location": f"{storage.url}/bucket"})
        async with raw_server(moved) as server, connect(server) as circle:
            assert (await circle.users.me()).login == "octo"
            assert (await circle.users.me()).login == "octo"
            assert circle.stats.paused == 0


@fast_clock
async def test_a_429_of_a_storage_pauses_only_its_own_request() -> None:
    async with raw_server(limited({"Retry-After": "50"}), answer(200, ME)) as storage:
        moved = answer(302, {}, {"Location": f"{storage.url}/bucket"})
        async with raw_server(moved, answer(200, ME)) as server, connect(server) as circle:
            began = now()
            refused = asyncio.create_task(circle.users.me())
            while not circle.stats.rate_limited:
                await asyncio.sleep(0.1)
            await circle.users.me()
            assert now() - began < 5
            await refused
            assert now() - began >= 50


@fast_clock
async def test_an_isolated_limit_pauses_no_other_call() -> None:
    async with (
        raw_server(
            limited({"Retry-After": "3000"}), limited(), limited({"Retry-After": "60"}), answer(200, ME)
        ) as server,
        connect(server) as circle,
    ):

        async def ask() -> object:
            return await circle._session.request(dict[str, str], "GET", "/x", isolated_limit=True)

        began = now()
        with pytest.raises(RateLimited, match="429"):
            await ask()
        assert now() - began < 1
        waiting = asyncio.create_task(ask())
        while len(server.requests) < 3:
            await asyncio.sleep(0.001)
        assert (await circle.users.me()).login == "octo"
        assert now() - began < 2
        assert await waiting == ME
        assert 60 <= now() - began < 62, "the call itself waits in full"
        assert (circle.stats.rate_limited, circle.stats.paused) == (3, 0)


@fast_clock
async def test_the_remaining_header_prevents_refusals() -> None:
    async with FakeCircleCI(rate_limit=RateLimit(5)) as fake, fake.client() as circle:
        await asyncio.gather(*(circle.users.me() for _ in range(60)))
        later = len(fake.requests)
        await asyncio.gather(*(circle.users.me() for _ in range(60)))
        # The first requests have seen no headers; the later ones have.
        assert [request.status for request in fake.requests[later:]].count(429) <= 3


@fast_clock
async def test_a_refused_call_precedes_calls_that_arrived_during_its_pause() -> None:
    async with FakeCircleCI() as fake, fake.client() as circle:
        fake.world.project("gh/acme/api")
        fake.fail("/api/v2/me", status=429, headers={"Retry-After": "5"})
        refused = asyncio.create_task(circle.users.me())
        while not circle.stats.rate_limited:
            await asyncio.sleep(0.1)
        await asyncio.gather(refused, *(circle.projects.get("gh/acme/api") for _ in range(3)))
        assert [request.path.removeprefix("/api/v2/") for request in fake.requests] == [
            "me",
            "me",
            *["project/gh/acme/api"] * 3,
        ]


@fast_clock
async def test_a_refused_call_is_not_overtaken_by_later_calls() -> None:
    async with FakeCircleCI(rate_limit=RateLimit(2, headers=None)) as fake, fake.client() as circle:

        async def call_repeatedly() -> None:
            for _ in range(15):
                await circle.users.me()

        await asyncio.gather(*(call_repeatedly() for _ in range(8)))  # with five attempts for each call
        assert circle.stats.retries == fake.rate_limited > 0
        assert len(fake.requests) == 8 * 15 + fake.rate_limited, "every call succeeded"


@pytest.mark.parametrize("value", ["1735689600", "-5", "soon", "Fri, 01 Jan 2100 00:00:00 GMT"])
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("is_storage", [False, True])
@fast_clock
async def test_an_absurd_retry_after_counts_as_missing(value: str, status: int, is_storage: bool) -> None:
    refusal = answer(status, "later", {"Retry-After": value})
    async with raw_server(refusal, answer(200, ME)) as storage:
        moved = answer(302, {}, {"Location": f"{storage.url}/bucket"})
        async with raw_server(moved) as api, connect(api if is_storage else storage) as circle:
            began = now()
            assert (await circle.users.me()).login == "octo"
            assert now() - began < 10
            assert circle.stats.paused < 10
