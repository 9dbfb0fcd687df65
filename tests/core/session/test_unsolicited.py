"""Bytes that no request asked for are never taken for the response to a later request (RFC 9112, section 9.2)."""

import asyncio
import json
from pathlib import Path

import pytest

from circleci_async import CircleCI, RetryPolicy
from tests.core.session.client import ME, connect
from tests.downloads.file_server import artifact_at, served
from tests.raw_server import Request, answer, raw_server

ONCE = RetryPolicy(attempts=1)
OTHER = json.dumps({"id": "u-2", "login": "mallory"}).encode()
STRAY: dict[str, bytes] = {
    "response": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(OTHER), OTHER),
    "two responses": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(OTHER), OTHER) * 2,
    "closing response": b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "half a response": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(OTHER),
    "half a header": b"HTTP/1.1 200 OK\r\nX-Other: ",
    "interim response": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
    "body": OTHER,
    "line break": b"\r\n",
}
RESPONSES = [STRAY["response"], STRAY["two responses"], STRAY["closing response"], STRAY["half a response"]]
"""Bytes that make a connection unusable. aiohttp discards an incomplete head before the next request."""

stray = pytest.mark.parametrize("extra", STRAY.values(), ids=STRAY)


class Writers(list[asyncio.StreamWriter]):
    """Responds with `ME`, and with `extra` bytes directly after it; keeps the connections."""

    def __init__(self, extra: bytes = b"", *, delay: float | None = None) -> None:
        super().__init__()
        self.extra = extra
        self.delay = delay

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.append(writer)
        await answer(200, ME)(request, writer)
        if self.delay is not None:
            await asyncio.sleep(self.delay)
        writer.write(self.extra)
        await writer.drain()
        return True


async def check_calls(circle: CircleCI, count: int = 3) -> None:
    for _ in range(count):
        assert await circle.request("GET", "/me") == ME


@pytest.mark.parametrize("extra", [extra for extra in STRAY.values() if extra.startswith(b"HTTP")])
@pytest.mark.parametrize("delay", [None, 0.0])
async def test_bytes_after_a_response_are_not_the_next_response(extra: bytes, delay: float | None) -> None:
    async with raw_server(Writers(extra, delay=delay)) as server, connect(server, ONCE) as circle:
        await check_calls(circle)
        assert circle.stats.retries == 0
        assert server.connections == 3 or extra not in RESPONSES


@stray
async def test_bytes_that_arrive_on_an_idle_connection_are_not_the_next_response(extra: bytes) -> None:
    writers = Writers()
    async with raw_server(writers) as server, connect(server, ONCE) as circle:
        await check_calls(circle)
        assert server.connections == 1
        writers[-1].write(extra)
        await asyncio.sleep(0.01)
        await check_calls(circle)
        assert server.connections == 2 or extra not in RESPONSES


@stray
async def test_bytes_that_the_event_loop_has_not_read_yet_are_noticed(extra: bytes) -> None:
    writers = Writers()
    async with raw_server(writers) as server, connect(server, ONCE) as circle:
        await check_calls(circle)
        writers[-1].write(extra)
        await check_calls(circle)
        assert server.connections == 2


async def test_a_connection_that_was_closed_meanwhile_is_noticed_before_it_is_used() -> None:
    writers = Writers()
    async with raw_server(writers) as server, connect(server, ONCE) as circle:
        await check_calls(circle)
        writers[-1].write_eof()
        await check_calls(circle)
        assert (server.connections, len(server.requests)) == (2, 6)


async def test_every_connection_with_stray_bytes_is_discarded() -> None:
    writers = Writers()
    async with raw_server(writers) as server, connect(server, ONCE) as circle:
        await asyncio.gather(*(circle.request("GET", "/me") for _ in range(8)))
        for writer in set(writers):
            writer.write(STRAY["response"])
        before = server.connections
        assert await asyncio.gather(*(circle.request("GET", "/me") for _ in range(8))) == [ME] * 8
        assert server.connections == before + 8


@pytest.mark.parametrize("delay", [None, 0.0])
async def test_a_stray_response_is_not_the_content_of_an_artifact(delay: float | None, tmp_path: Path) -> None:
    content = b"right" * 100
    wrong = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: 500\r\n\r\n' + b"wrong" * 100

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        await served(content)(request, writer)
        if delay is not None:
            await asyncio.sleep(delay)
        writer.write(wrong)
        await writer.drain()
        return True

    async with raw_server(behave) as server, connect(server, ONCE) as circle:
        for name in "abc":
            got = await circle.artifacts.download(artifact_at(server, name), tmp_path)
            assert got.path.read_bytes() == content


async def test_a_kept_connection_without_stray_bytes_is_used_for_every_call() -> None:
    async with raw_server(answer(200, ME)) as server, connect(server, ONCE) as circle:
        await check_calls(circle, 50)
        assert server.connections == 1
