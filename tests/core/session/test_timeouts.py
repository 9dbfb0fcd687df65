"""Timeouts for proxies and for the bodies of error responses."""

import asyncio
import gzip
from pathlib import Path

import pytest

from circleci_async import CircleCI, NotFound, RequestTimeout, RetryPolicy, TransportError
from circleci_async.core.response import MAX_DISCARDED
from circleci_async.models import Artifact
from tests.core.session.client import connect, now
from tests.downloads.file_server import artifact_at
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.raw_server import Behaviour, Request, after, answer, hang, raw_server

ONCE = RetryPolicy(attempts=1)


async def test_a_proxy_that_does_not_respond_times_out_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(hang) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with CircleCI("", host="https://ci.example.com", timeout=0.3, retry=ONCE) as circle:
            artifact = Artifact(path="a", node_index=0, url="https://files.example.com/a")
            with pytest.raises(RequestTimeout, match="connection timed out"):
                await asyncio.wait_for(circle.artifacts.download(artifact, tmp_path), 10)
        assert [request.method for request in proxy.requests] == ["CONNECT"]


async def test_a_post_refused_by_the_proxy_is_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with raw_server(answer(407, "")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        policy = RetryPolicy(attempts=3, initial_delay=0)
        async with CircleCI("", host="https://ci.example.com", retry=policy) as circle:
            with pytest.raises(TransportError, match="the proxy refused the connection: 407") as caught:
                await circle.request("POST", "/x", json={})
        assert caught.value.sent is False
        assert len(proxy.requests) == 3


def trickling(head: bytes, *, every: float = 5.0) -> Behaviour:
    """Send a head at once, then a byte every few seconds for ever."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(every)

    return behave


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 302 Found\r\nLocation: "])
@fast_clock
async def test_headers_that_trickle_time_out(tmp_path: Path, head: bytes) -> None:
    async with raw_server(trickling(head)) as server, connect(server, ONCE, timeout=20) as circle:
        began = now()
        with pytest.raises(RequestTimeout) as caught:
            await asyncio.wait_for(circle.artifacts.download(artifact_at(server), tmp_path), 100)
        assert now() - began == pytest.approx(20, abs=0.2)
        assert str(caught.value) == (f"response timed out: no complete headers within 20 s (GET {server.url}/file)")
        await check_nothing_is_left(circle)


@pytest.mark.parametrize("framing", [b"5;extension=", b"1\r\nx\r\n0\r\nTrailer: "], ids=["chunk header", "trailer"])
@fast_clock
async def test_the_framing_of_a_body_that_trickles_times_out(tmp_path: Path, framing: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with raw_server(trickling(head + framing)) as server, connect(server, ONCE, timeout=20) as circle:
        began = now()
        with pytest.raises(RequestTimeout, match="response timed out: no data within 20 s"):
            await asyncio.wait_for(circle.artifacts.download(artifact_at(server), tmp_path), 100)
        assert now() - began == pytest.approx(20, abs=0.3)
        await check_nothing_is_left(circle)


@fast_clock
async def test_redirects_that_take_longer_than_the_timeout_together_time_out(tmp_path: Path) -> None:
    slow = after(15, answer(302, "", {"Location": "/file"}))
    async with raw_server(slow) as server, connect(server, ONCE, timeout=40) as circle:
        began = now()
        with pytest.raises(RequestTimeout, match="response timed out"):
            await asyncio.wait_for(circle.artifacts.download(artifact_at(server), tmp_path), 100)
        assert now() - began == pytest.approx(40, abs=0.2)


@pytest.mark.parametrize("framing", [b"Content-Length: 60000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nffff\r\n"])
@fast_clock
async def test_a_redirect_whose_body_trickles_is_followed_without_it(tmp_path: Path, framing: bytes) -> None:
    redirect = trickling(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n" + framing)
    async with raw_server(redirect, answer(200, b"content")) as server, connect(server, timeout=20) as circle:
        began = now()
        download = await circle.artifacts.download(artifact_at(server), tmp_path)
        assert download.path.read_bytes() == b"content"
        assert now() - began < 2
        assert [request.path for request in server.requests] == ["/file", "/there"]


async def test_discarding_a_redirect_leaves_most_of_a_short_timeout(tmp_path: Path) -> None:
    redirect = trickling(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 60000\r\n\r\n", every=0.05)
    async with raw_server(redirect, answer(200, b"content")) as server, connect(server, ONCE, timeout=0.5) as circle:
        download = await circle.artifacts.download(artifact_at(server), tmp_path)
        assert download.path.read_bytes() == b"content"


async def test_a_redirect_whose_body_is_compressed_excessively_is_followed_without_it(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(20_000_000))
    assert len(bomb) < MAX_DISCARDED
    fields = {"Location": "/api/v2/there", "Content-Encoding": "gzip"}
    async with raw_server(answer(302, bomb, fields), answer(200, {})) as server, connect(server) as circle:
        assert await circle.request("GET", "/here") == {}
        assert circle.stats.received < 4_000_000


async def test_an_error_whose_body_never_ends_keeps_its_status(tmp_path: Path) -> None:
    async def dribble(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with raw_server(dribble) as server, CircleCI("t", host=server.url, timeout=0.3, retry=ONCE) as circle:
        artifact = Artifact(path="a", node_index=0, url=f"{server.url}/a")
        with pytest.raises(NotFound):
            await asyncio.wait_for(circle.artifacts.download(artifact, tmp_path), 10)
