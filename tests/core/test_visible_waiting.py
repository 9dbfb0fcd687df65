"""A call that waits for long is logged: after ten seconds, then each minute."""

import asyncio
import logging

import pytest

from circleci_async import CircleCI, RateLimited, RetryPolicy, ServerError
from circleci_async.models import Artifact
from tests.fastclock import fast_clock
from tests.raw_server import Behaviour, after, answer, raw_server

from .test_secrets import TOKEN, exposed

ME = {"id": "u-1", "login": "octo"}
LONG = RetryPolicy(initial_delay=0.001, max_delay=0.001, max_wait=1000)


def limited(seconds: float, status: int = 429) -> Behaviour:
    return answer(status, "", {"Retry-After": str(seconds)})


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@fast_clock
async def test_a_pause_is_logged_after_ten_seconds_and_then_each_minute(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(limited(100), answer(200, ME)) as server,
        CircleCI(TOKEN, host=server.url, retry=LONG) as circle,
    ):
        loop = asyncio.get_running_loop()
        at: list[float] = []
        began = loop.time()

        class Clock(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                at.append(loop.time() - began)

        handler = Clock(level=logging.WARNING)
        logger = logging.getLogger("circleci_async")
        logger.addHandler(handler)
        try:
            await circle.request("GET", f"/me?secret={TOKEN}")
        finally:
            logger.removeHandler(handler)
    assert warnings(caplog) == [
        "GET /api/v2/me has been waiting for 10 s: rate limited, 90 s left",
        "GET /api/v2/me has been waiting for 70 s: rate limited, 30 s left",
    ]
    assert at == pytest.approx([10, 70], abs=1)
    assert not exposed(caplog.text)


@fast_clock
async def test_a_retry_delay_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(limited(40, status=503), answer(200, ME)) as server,
        CircleCI(TOKEN, host=server.url, retry=LONG) as circle,
    ):
        await circle.users.me()
    assert warnings(caplog) == [
        f"GET /api/v2/me has been waiting for 10 s: retry after status 503, 30 s left ({server.host}, attempt 2 of 5)"
    ]


@fast_clock
async def test_the_waits_of_a_call_add_up(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(*[limited(4, status=503)] * 4, answer(200, ME)) as server,
        CircleCI(TOKEN, host=server.url, retry=LONG) as circle,
    ):
        await circle.users.me()
    assert warnings(caplog) == [
        f"GET /api/v2/me has been waiting for 10 s: retry after status 503, 2 s left ({server.host}, attempt 4 of 5)"
    ]


@fast_clock
async def test_waits_of_several_calls_do_not_add_up(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(*[limited(4, status=503), answer(200, ME)] * 4) as server,
        CircleCI(TOKEN, host=server.url, retry=LONG) as circle,
    ):
        for _ in range(4):
            await circle.users.me()
    assert warnings(caplog) == []


@fast_clock
async def test_each_call_that_waits_for_long_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(*[limited(15, status=503), answer(200, ME)] * 2) as server,
        CircleCI(TOKEN, host=server.url, retry=LONG) as circle,
    ):
        await circle.request("GET", "/first")
        await circle.request("GET", "/second")
    assert [line.split()[1] for line in warnings(caplog)] == ["/api/v2/first", "/api/v2/second"]


@fast_clock
async def test_a_call_that_waits_for_a_permit_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(after(25, answer(200, ME)), answer(200, ME)) as server,
        CircleCI(TOKEN, host=server.url, retry=LONG, concurrency=1) as circle,
    ):
        first = asyncio.create_task(circle.request("GET", "/first"))
        await asyncio.sleep(0)
        await circle.request("POST", "/second")
        await first
    (line,) = warnings(caplog)
    assert line.startswith("POST /api/v2/second has been waiting for 10 s: for one of the 1 requests in flight to end")


@fast_clock
async def test_many_waiting_calls_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(limited(30), answer(200, ME)) as server,
        CircleCI(TOKEN, host=server.url, retry=LONG, concurrency=1) as circle,
    ):
        await asyncio.gather(*(circle.request("GET", f"/{n}") for n in range(50)))
    (line,) = warnings(caplog)
    assert line.endswith(": rate limited, 20 s left (49 other calls are waiting)")


@fast_clock
async def test_a_client_logs_at_most_one_line_in_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(limited(60), answer(200, ME)) as server,
        CircleCI(TOKEN, host=server.url, retry=LONG) as circle,
        asyncio.TaskGroup() as group,
    ):
        for number in range(20):
            group.create_task(circle.request("GET", f"/{number}"))
            await asyncio.sleep(1)
    assert 2 <= len(warnings(caplog)) <= 5


@fast_clock
async def test_short_waits_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(limited(9), answer(200, ME)) as server,
        CircleCI(TOKEN, host=server.url, retry=LONG) as circle,
    ):
        await asyncio.gather(*(circle.users.me() for _ in range(5)))
        await asyncio.sleep(100)
    assert warnings(caplog) == []


@fast_clock
async def test_a_slow_response_is_not_a_wait(caplog: pytest.LogCaptureFixture) -> None:
    async with raw_server(after(50, answer(200, ME))) as server, CircleCI(TOKEN, host=server.url) as circle:
        await circle.users.me()
    assert warnings(caplog) == []


@fast_clock
async def test_a_waiting_download_is_logged_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(limited(20, status=503), answer(200, b"x")) as server,
        CircleCI(TOKEN, host=server.url, retry=LONG) as circle,
    ):
        artifact = Artifact(path="a", node_index=0, url=f"{server.url}/a?sig=secret")
        async with circle.artifacts.open(artifact) as stream:
            assert [part async for part in stream] == [b"x"]
    assert warnings(caplog) == [
        f"GET /a has been waiting for 10 s: retry after status 503, 10 s left ({server.host}, attempt 2 of 5)"
    ]


@fast_clock
@pytest.mark.parametrize("end", ["cancel", "close"])
async def test_a_call_that_ends_while_it_waits_is_logged_no_more(end: str, caplog: pytest.LogCaptureFixture) -> None:
    async with raw_server(limited(500)) as server:
        circle = CircleCI(TOKEN, host=server.url, retry=LONG)
        calls = [asyncio.create_task(circle.users.me()) for _ in range(3)]
        await asyncio.sleep(15)
        if end == "cancel":
            for call in calls:
                call.cancel()
        else:
            await circle.aclose()
        await asyncio.gather(*calls, return_exceptions=True)
        assert circle._session.state.waits._timer is None
        assert not circle._session.state.waits._waits
        await asyncio.sleep(200)
        await circle.aclose()
    assert len(warnings(caplog)) == 1


@fast_clock
async def test_a_call_that_may_not_wait_fails_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async with raw_server(limited(500)) as server, CircleCI(TOKEN, host=server.url) as circle:
        for _ in range(2):
            with pytest.raises(RateLimited):
                await circle.users.me()
        await asyncio.sleep(100)
    assert warnings(caplog) == []


@fast_clock
async def test_a_call_that_fails_in_the_end_is_logged_only_while_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    policy = RetryPolicy(attempts=2)
    async with raw_server(limited(12, status=503)) as server, CircleCI(TOKEN, host=server.url, retry=policy) as circle:
        with pytest.raises(ServerError):
            await circle.users.me()
        await asyncio.sleep(100)
    assert len(warnings(caplog)) == 1


async def test_a_call_that_does_not_wait_starts_no_timer() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(TOKEN, host=server.url) as circle:
        await asyncio.gather(*(circle.users.me() for _ in range(5)))
        assert circle._session.state.waits._timer is None
