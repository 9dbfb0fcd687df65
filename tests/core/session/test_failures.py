"""Server errors and lost connections: which requests are retried."""

import asyncio
import contextlib
import json

import pytest

from circleci_async import (
    ApiError,
    CircleCI,
    NotFound,
    PermissionDenied,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    TransportError,
)
from circleci_async import AuthenticationError as Unauthorized
from tests.core.session.client import ME, QUICK, SAFE, UNSAFE, connect, now
from tests.fastclock import fast_clock
from tests.raw_server import (
    Behaviour,
    Request,
    answer,
    cut,
    hang,
    hang_up,
    raw_server,
    reset,
    resetting_server,
)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
@pytest.mark.parametrize("method", SAFE)
async def test_a_failing_server_is_requested_as_often_as_the_policy_allows(status: int, method: str) -> None:
    async with raw_server(answer(status, {"message": "it broke"})) as server:
        async with connect(server, RetryPolicy(attempts=3, initial_delay=0.001)) as circle:
            with pytest.raises(ApiError, match="it broke") as caught:
                await circle.request(method, "/x")
            assert caught.value.status == status
            assert circle.stats.retries == 2
        assert [request.method for request in server.requests] == [method] * 3


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
@pytest.mark.parametrize("method", UNSAFE)
async def test_a_post_with_a_server_error_is_sent_once(status: int, method: str) -> None:
    async with raw_server(answer(status, {"message": "it broke"})) as server, connect(server) as circle:
        with pytest.raises(ApiError):
            await circle.request(method, "/x", json={})
        assert len(server.requests) == 1


@fast_clock
async def test_a_503_in_html_keeps_its_title_and_waits_for_retry_after() -> None:
    page = "<html><head><title>Down for maintenance</title></head><body><p>Soon.</p></body></html>"
    async with raw_server(answer(503, page, {"Retry-After": "50", "Content-Type": "text/html"})) as server:
        async with connect(server, RetryPolicy(attempts=2, max_delay=1)) as circle:
            with pytest.raises(ServerError) as caught:
                await circle.users.me()
        assert caught.value.message == "Down for maintenance"
        assert caught.value.body == page
        assert server.requests[1].at - server.requests[0].at == pytest.approx(50, abs=0.5)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ApiError), (401, Unauthorized), (403, PermissionDenied), (404, NotFound), (501, ServerError)],
)
async def test_a_final_status_is_raised_at_once(status: int, kind: type[ApiError]) -> None:
    headers = {"X-Request-Id": "req-7", "Retry-After": "1"}
    async with raw_server(answer(status, {"message": "because"}, headers)) as server, connect(server) as circle:
        with pytest.raises(kind) as caught:
            await circle.request("GET", "/x", query={"branch": "a b"})
        assert len(server.requests) == 1
        error = caught.value
        assert (error.status, error.message, error.method, error.request_id) == (status, "because", "GET", "req-7")
        assert error.url == f"{server.url}/api/v2/x?branch=a%20b"
        assert json.loads(error.body) == {"message": "because"}
        assert error.retry_after == 1


async def test_the_retry_budget_limits_retries_during_an_outage() -> None:
    async with raw_server(answer(500, {})) as server, connect(server) as circle:
        results = await asyncio.gather(*(circle.users.me() for _ in range(100)), return_exceptions=True)
        assert [type(result) for result in results] == [ServerError] * 100
        assert len(server.requests) <= 200, "each of 100 calls might have made 5 attempts"
        again = len(server.requests)
        with pytest.raises(ServerError):
            await circle.users.me()
        assert len(server.requests) == again + 1, "once the budget is spent there is one attempt"


async def test_successes_refill_the_retry_budget() -> None:
    behaviours = [answer(500, {})] * 200 + [answer(200, ME)] * 2 + [answer(500, {})]
    async with raw_server(*behaviours) as server, connect(server) as circle:
        while len(server.requests) < 200:
            with contextlib.suppress(ServerError):
                await circle.users.me()
        await circle.users.me()
        await circle.users.me()
        with pytest.raises(ServerError):
            await circle.users.me()
        assert len(server.requests) == 205


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (reset, "connection lost"),
        (hang_up, "closed the connection without a response"),
        (cut(b'{"id": "u-1", "login": "octo"}', 12), "body is incomplete"),
        (cut(b'{"id": "u-1", "login": "octo"}', 0), "body is incomplete"),
    ],
    ids=["reset", "closed", "cut in the middle", "cut before the first byte"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_lost_response_is_retried_but_a_post_is_never_sent_twice(
    behaviour: Behaviour, message: str, method: str
) -> None:
    async with raw_server(behaviour, behaviour, answer(200, ME)) as server, connect(server) as circle:
        if method == "GET":
            assert await circle.request(method, "/me") == ME
            assert len(server.requests) == 3
        else:
            with pytest.raises(TransportError, match=message) as caught:
                await circle.request(method, "/me", json={})
            assert len(server.requests) == 1
            assert caught.value.sent
            assert (caught.value.method, caught.value.url) == ("POST", f"{server.url}/api/v2/me")


@pytest.mark.parametrize(("method", "connections"), [("GET", 5), ("POST", 1)])
async def test_a_request_on_a_reset_connection_counts_as_sent(method: str, connections: int) -> None:
    async with resetting_server() as (url, accepted), CircleCI("t", host=url, retry=QUICK) as circle:
        with pytest.raises(TransportError) as caught:
            await circle.request(method, "/me", json={})
        assert len(accepted) == connections
        assert caught.value.sent


@pytest.mark.parametrize("method", SAFE + UNSAFE)
async def test_a_request_that_was_never_sent_is_retried_for_every_method(method: str) -> None:
    async with raw_server(answer()) as server:
        pass  # its port is closed now
    async with connect(server) as circle:
        with pytest.raises(TransportError, match="connection failed") as caught:
            await circle.request(method, "/me", json={})
        assert not caught.value.sent
        assert circle.stats.retries == 4


@fast_clock
async def test_a_post_that_could_not_connect_at_first_arrives_once() -> None:
    async with raw_server(answer()) as server:
        pass
    async with connect(server, RetryPolicy(attempts=50, initial_delay=1, max_delay=1)) as circle:
        posting = asyncio.create_task(circle.request("POST", "/x", json={"n": 1}))
        while circle.stats.retries < 3:
            await asyncio.sleep(0.1)
        arrived: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            arrived.append(await reader.readuntil(b'{"n":1}'))
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            writer.close()

        late = await asyncio.start_server(serve, "127.0.0.1", int(server.url.rpartition(":")[2]), reuse_address=True)
        assert await posting == {}
        late.close()
        assert len(arrived) == 1


@fast_clock
async def test_a_hanging_server_times_out_each_attempt() -> None:
    async with (
        raw_server(hang) as server,
        connect(server, RetryPolicy(attempts=3, initial_delay=0.001), timeout=20) as circle,
    ):
        began = now()
        with pytest.raises(RequestTimeout, match="response timed out") as caught:
            await circle.users.me()
        assert 59 < now() - began < 65
        assert len(server.requests) == 3
        assert caught.value.url == f"{server.url}/api/v2/me"
        await server.all_closed()


@fast_clock
async def test_the_timeout_bounds_a_body_that_trickles() -> None:
    async def trickle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await asyncio.sleep(1)

    async with raw_server(trickle) as server, connect(server, RetryPolicy(attempts=1), timeout=30) as circle:
        began = now()
        with pytest.raises(RequestTimeout):
            await circle.users.me()
        assert now() - began == pytest.approx(30, abs=2)


@fast_clock
async def test_a_post_that_hangs_is_sent_once() -> None:
    async with raw_server(hang) as server, connect(server, timeout=5) as circle:
        with pytest.raises(RequestTimeout):
            await circle.request("POST", "/x", json={})
        assert len(server.requests) == 1


@fast_clock
async def test_a_connection_timeout_means_not_sent() -> None:
    silent: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.append(writer)  # without a TLS handshake

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with CircleCI("t", host=url, retry=RetryPolicy(attempts=2, initial_delay=0.001)) as circle:
        began = now()
        with pytest.raises(RequestTimeout, match="connection timed out") as caught:
            await circle.request("POST", "/x", json={})
        assert not caught.value.sent
        assert 30 <= now() - began < 40
    assert len(silent) == 2
    server.close()
    for writer in silent:
        writer.close()
