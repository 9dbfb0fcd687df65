"""Timeouts for proxies and for the bodies of error responses."""

import asyncio
from pathlib import Path

import pytest

from circleci_async import Artifact, CircleCI, NotFound, RequestTimeout, RetryPolicy, TransportError
from tests.raw_server import Request, answer, hang, raw_server

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
