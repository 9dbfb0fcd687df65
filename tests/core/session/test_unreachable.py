"""Hosts that cannot be reached: what the error says, its hint, and the deadline for an answer."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import pytest

from circleci_async import (
    CircleCI,
    InvalidArgument,
    RateLimited,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    TransportError,
)
from tests.fastclock import fast_clock
from tests.raw_server import after, answer, raw_server

ME = {"id": "u-1", "login": "octo"}
ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(initial_delay=0.001, max_delay=0.001, answer_deadline=30)


@contextmanager
def silent_server() -> Generator[str]:
    """Listen, but never accept: the connection is established, and no response comes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@asynccontextmanager
async def closed_port() -> AsyncGenerator[str]:
    """Yield the address of a port on which nothing listens."""
    async with raw_server(answer()) as server:
        pass
    yield server.url


async def test_a_name_that_does_not_resolve() -> None:
    async with CircleCI("t", host="https://ci.invalid", retry=ONCE, trust_env=False) as circle:
        with pytest.raises(TransportError, match=r"connection failed: the host name ci\.invalid cannot be") as caught:
            await circle.users.me()
    assert not caught.value.sent
    assert "spelling of the host" in str(caught.value.hint)
    assert "DNS" in str(caught.value.hint)


async def test_a_refused_connection() -> None:
    async with closed_port() as url, CircleCI("t", host=url, retry=ONCE) as circle:
        host = url.partition("://")[2]
        with pytest.raises(TransportError, match=f"connection failed: {host} refused the connection") as caught:
            await circle.users.me()
    assert caught.value.hint == f"Check host and port, and that a server is running at {host}."


async def test_a_host_with_several_addresses_that_refuse() -> None:
    async with closed_port() as url, CircleCI("t", host=url.replace("127.0.0.1", "localhost"), retry=ONCE) as circle:
        with pytest.raises(TransportError, match=r"localhost:\d+ refused the connection"):
            await circle.users.me()


@fast_clock
async def test_a_tls_handshake_that_never_ends() -> None:
    with silent_server() as url:
        async with CircleCI("t", host=url.replace("http", "https"), retry=ONCE) as circle:
            with pytest.raises(RequestTimeout, match="connection timed out") as caught:
                await circle.users.me()
    assert "firewall" in str(caught.value.hint)
    assert "HTTPS_PROXY" in str(caught.value.hint)


@fast_clock
async def test_a_server_that_never_responds() -> None:
    with silent_server() as url:
        async with CircleCI("t", host=url, retry=ONCE) as circle:
            with pytest.raises(RequestTimeout, match="response timed out") as caught:
                await circle.users.me()
    assert str(caught.value.hint).startswith("Check that 127.0.0.1 is up")
    assert "`timeout`" in str(caught.value.hint)


async def test_a_server_without_tls() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        host = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with CircleCI("t", host=host, retry=ONCE) as circle:
            with pytest.raises(TransportError, match="TLS connection failed") as caught:
                await circle.users.me()
    assert "SSL_CERT_FILE" in str(caught.value.hint)
    assert "serve https" in str(caught.value.hint)


@pytest.mark.parametrize("status", [None, 407])
async def test_a_proxy_that_fails(monkeypatch: pytest.MonkeyPatch, status: int | None) -> None:
    async with raw_server(answer(status or 200)) as proxy:
        if status is None:
            await asyncio.sleep(0)
            monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        else:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with CircleCI("t", host="https://ci.invalid", retry=ONCE) as circle:
            with pytest.raises(TransportError, match="proxy") as caught:
                await circle.users.me()
    for name in ("HTTPS_PROXY", "NO_PROXY"):
        assert name in str(caught.value.hint)


# The deadline for an answer


@fast_clock
async def test_a_call_without_an_answer_ends_at_the_deadline() -> None:
    loop = asyncio.get_running_loop()
    with silent_server() as url:
        async with CircleCI("t", host=url, retry=QUICK) as circle:
            began = loop.time()
            with pytest.raises(RequestTimeout, match=r"not completed within the deadline of 30 s \(GET") as caught:
                await circle.users.me()
            assert loop.time() - began == pytest.approx(30, abs=0.1)
            assert circle.stats.in_flight == 0
    assert "127.0.0.1" in str(caught.value.hint)
    assert "`deadline`" in str(caught.value.hint)


@fast_clock
async def test_the_error_at_the_deadline_has_the_cause_and_the_hint_of_the_last_attempt() -> None:
    policy = RetryPolicy(initial_delay=0.001, max_delay=0.001, answer_deadline=20)
    with silent_server() as url:
        async with CircleCI("t", host=url.replace("http", "https"), retry=policy) as circle:
            with pytest.raises(RequestTimeout, match="deadline of 20 s: connection timed out") as caught:
                await circle.users.me()
    assert "firewall" in str(caught.value.hint)


@fast_clock
async def test_no_retry_begins_after_the_deadline() -> None:
    policy = RetryPolicy(initial_delay=0.001, max_wait=1000, answer_deadline=30)
    async with raw_server(answer(503, "", {"Retry-After": "31"})) as server:
        async with CircleCI("t", host=server.url, retry=policy) as circle:
            with pytest.raises(ServerError):
                await circle.users.me()
        assert len(server.requests) == 1


@fast_clock
@pytest.mark.parametrize("isolated", [False, True])
async def test_waiting_for_the_rate_limit_does_not_count(isolated: bool) -> None:
    limited = answer(429, "", {"Retry-After": "50"})
    loop = asyncio.get_running_loop()
    async with (
        raw_server(
            limited, limited, after(25, answer(200, {"usage_export_job_id": "e-1", "state": "created"}))
        ) as server,
        CircleCI("t", host=server.url, retry=QUICK) as circle,
    ):
        began = loop.time()
        if isolated:
            await circle.usage.get_export("gh/acme", "e-1")
        else:
            await circle.request("GET", "/x")
        assert loop.time() - began == pytest.approx(125, abs=1)


@fast_clock
async def test_after_the_rate_limit_the_rest_of_the_deadline_applies() -> None:
    loop = asyncio.get_running_loop()
    async with (
        raw_server(after(10, answer(429, "", {"Retry-After": "50"})), after(40, answer(200, ME))) as server,
        CircleCI("t", host=server.url, retry=QUICK) as circle,
    ):
        began = loop.time()
        with pytest.raises(RequestTimeout, match="deadline of 30 s: status 429"):
            await circle.users.me()
        assert loop.time() - began == pytest.approx(80, abs=1)


@fast_clock
async def test_a_pause_beyond_max_wait_still_fails_at_once() -> None:
    async with (
        raw_server(answer(429, "", {"Retry-After": "500"})) as server,
        CircleCI("t", host=server.url, retry=QUICK) as circle,
    ):
        for _ in range(2):
            with pytest.raises(RateLimited):
                await circle.users.me()


@fast_clock
async def test_the_whole_deadline_still_bounds_a_call_that_is_paused() -> None:
    policy = RetryPolicy(initial_delay=0.001, deadline=40, answer_deadline=30)
    async with (
        raw_server(answer(429, "", {"Retry-After": "30"}), after(20, answer(200, ME))) as server,
        CircleCI("t", host=server.url, retry=policy) as circle,
    ):
        with pytest.raises(RequestTimeout, match="deadline of 40 s"):
            await circle.users.me()


@fast_clock
async def test_a_post_that_was_sent_is_not_aborted() -> None:
    async with (
        raw_server(after(50, answer(200, {"id": "1"}))) as server,
        CircleCI("t", host=server.url, retry=QUICK) as circle,
    ):
        assert await circle.request("POST", "/x") == {"id": "1"}


@fast_clock
async def test_a_post_that_cannot_connect_begins_no_attempt_after_the_deadline() -> None:
    loop = asyncio.get_running_loop()
    with silent_server() as url:
        async with CircleCI("t", host=url.replace("http", "https"), retry=QUICK) as circle:
            began = loop.time()
            with pytest.raises(RequestTimeout, match="connection timed out"):
                await circle.request("POST", "/x")
            assert loop.time() - began == pytest.approx(30, abs=1)


@fast_clock
async def test_closing_the_client_ends_a_call_that_waits_for_the_rate_limit() -> None:
    async with raw_server(answer(429, "", {"Retry-After": "100"})) as server:
        circle = CircleCI("t", host=server.url, retry=QUICK)
        call = asyncio.create_task(circle.users.me())
        await asyncio.sleep(5)
        await circle.aclose()
        with pytest.raises(Exception, match="the client is closed"):
            await call


def test_the_deadline_for_an_answer_is_positive() -> None:
    with pytest.raises(InvalidArgument, match=r"RetryPolicy\(answer_deadline=\) must be a positive number"):
        RetryPolicy(answer_deadline=0)


# Visible waiting


@fast_clock
async def test_an_attempt_without_a_response_is_shown_if_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with silent_server() as url:
        async with CircleCI("t", host=url, timeout=12, retry=QUICK) as circle:
            circle._session.state.waits.follow_attempts(warn_after=3, warn_every=10)
            with pytest.raises(RequestTimeout):
                await circle.request("GET", "/me?secret=s3cret")
            assert not circle._session.state.waits._waits
    host = url.partition("://")[2]
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        f"GET /api/v2/me has been waiting for 3 s: no response yet ({host}, attempt 1 of 5)",
        f"GET /api/v2/me has been waiting for 13 s: no response yet ({host}, attempt 2 of 5)",
        f"GET /api/v2/me has been waiting for 23 s: no response yet ({host}, attempt 2 of 5)",
    ]
