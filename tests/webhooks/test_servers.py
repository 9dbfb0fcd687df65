"""The handlers for aiohttp.web and ASGI, over real sockets."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from circleci_async import InvalidArgument
from circleci_async.models import WebhookEvent
from circleci_async.webhooks import Receiver

from .deliveries import JOB_COMPLETED, SECRET, SERVERS, WORKFLOW_COMPLETED, Serve, body_of, ping, signed
from .handlers import BlockingHandler


@pytest.fixture(params=SERVERS)
def serve(request: pytest.FixtureRequest) -> Serve:
    return SERVERS[request.param]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


async def post(http: aiohttp.ClientSession, url: str, body: Any, headers: Mapping[str, str]) -> tuple[int, str]:
    async with http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


@asynccontextmanager
async def half_sent(url: str, *lines: str, body: bytes) -> AsyncGenerator[asyncio.StreamReader, None]:
    """Send the head of a request and the start of its body, and nothing more during the block."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    head = "\r\n".join([f"POST {where.path or '/'} HTTP/1.1", f"Host: {where.netloc}", *lines])
    writer.write(f"{head}\r\n\r\n".encode() + body)
    await writer.drain()
    try:
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()


async def status_of(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(20):
        return int((await reader.readline()).split(b" ")[1])


async def test_deliveries_are_answered_by_the_receiver(serve: Serve, http: aiohttp.ClientSession) -> None:
    events: list[WebhookEvent] = []
    body = body_of(WORKFLOW_COMPLETED)
    async with serve(Receiver(["new", SECRET], events.append)) as url:
        assert await post(http, url, body, signed(body)) == (202, "accepted")
        assert await post(http, url, body, signed(body)) == (200, "this event was accepted before")
        status, text = await post(http, url, body[:-1] + b" ", signed(body))
        assert (status, "signature is wrong" in text) == (401, True)
        assert (await post(http, url, body, {}))[0] == 401
        assert (await post(http, url, b"{}", signed(b"{}")))[0] == 400
        assert (await post(http, url, b"", signed(b"")))[0] == 400
        other = body_of(JOB_COMPLETED)
        shouted = {name.upper(): value for name, value in signed(other).items()}
        assert (await post(http, url, other, shouted))[0] == 202
    assert [event.type for event in events] == ["workflow-completed", "job-completed"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_any_method_but_post_is_refused(serve: Serve, http: aiohttp.ClientSession, method: str) -> None:
    receiver = Receiver(SECRET, print)
    async with serve(receiver) as url, http.request(method, url) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert receiver.stats.received == 0


async def test_the_answer_does_not_wait_for_on_event(serve: Serve, http: aiohttp.ClientSession) -> None:
    handler = BlockingHandler()
    async with serve(Receiver(SECRET, handler)) as url:
        assert (await post(http, url, ping("e"), signed(ping("e"))))[0] == 202  # and not: never
        await handler.has_begun(1)
        assert handler.done == []
        handler.let_go.set()
    assert handler.done == ["e"]


async def test_stopping_the_server_waits_for_on_event(serve: Serve, http: aiohttp.ClientSession) -> None:
    handler = BlockingHandler()
    receiver = Receiver(SECRET, handler, concurrency=1)

    async def let_go_when_closing() -> list[str]:
        while (await receiver.receive(b"", {})).status != 503:
            await asyncio.sleep(0.01)
        done = handler.done.copy()
        handler.let_go.set()
        return done

    async with serve(receiver) as url:
        for id in ("a", "b"):
            await post(http, url, ping(id), signed(ping(id)))
        await handler.has_begun(1)
        letting_go = asyncio.create_task(let_go_when_closing())
    assert handler.done == ["a", "b"]
    assert await letting_go == []


async def test_a_full_queue_is_answered_with_retry_after(serve: Serve, http: aiohttp.ClientSession) -> None:
    handler = BlockingHandler()
    async with serve(Receiver(SECRET, handler, concurrency=1, queue=1)) as url:
        for id in ("a", "b"):
            assert (await post(http, url, ping(id), signed(ping(id))))[0] == 202
        async with http.post(url, data=ping("c"), headers=signed(ping("c"))) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        handler.let_go.set()
        await handler.has_done(2)
        async with asyncio.timeout(20):
            while (await post(http, url, ping("c"), signed(ping("c"))))[0] == 503:
                await asyncio.sleep(0.01)
    assert handler.done == ["a", "b", "c"]


async def test_many_concurrent_deliveries_are_handled_within_the_concurrency(
    serve: Serve, http: aiohttp.ClientSession
) -> None:
    handler = BlockingHandler()
    ids = [f"event {number}" for number in range(60)]
    async with serve(Receiver(SECRET, handler, concurrency=4)) as url:
        answers = await asyncio.gather(*(post(http, url, ping(id), signed(ping(id))) for id in ids + ids))
        assert sorted(status for status, _ in answers) == [200] * 60 + [202] * 60
        handler.let_go.set()
    assert handler.max_running == 4
    assert sorted(handler.done) == sorted(ids)


async def test_a_body_of_many_packets_is_accepted(serve: Serve, http: aiohttp.ClientSession) -> None:
    events: list[WebhookEvent] = []
    body = body_of(WORKFLOW_COMPLETED | {"padding": "x" * 900_000})
    async with serve(Receiver(SECRET, events.append)) as url:
        assert (await post(http, url, body, signed(body)))[0] == 202
    assert len(events[0].raw["padding"]) == 900_000


async def test_a_chunked_body_is_accepted(serve: Serve, http: aiohttp.ClientSession) -> None:
    body = body_of(WORKFLOW_COMPLETED)

    async def parts() -> AsyncIterator[bytes]:
        for begin in range(0, len(body), 100):
            yield body[begin : begin + 100]

    async with serve(Receiver(SECRET, print)) as url:
        assert (await post(http, url, parts(), signed(body)))[0] == 202


async def test_a_large_body_is_refused_before_its_end(serve: Serve) -> None:
    receiver = Receiver(SECRET, print, max_body=1000)
    async with serve(receiver) as url:
        async with half_sent(url, "Content-Length: 1000000", body=b" " * 2000) as answer:
            assert await status_of(answer) == 413
        async with half_sent(url, "Transfer-Encoding: chunked", body=b"7d0\r\n" + b" " * 2000 + b"\r\n") as answer:
            assert await status_of(answer) == 413
    assert receiver.stats.refused == 2


async def test_a_slow_body_is_refused(serve: Serve) -> None:
    receiver = Receiver(SECRET, print, read_timeout=0.05)
    async with serve(receiver) as url, half_sent(url, "Content-Length: 100", body=b"{") as answer:
        assert await status_of(answer) == 408
    assert receiver.stats.refused == 1


async def test_a_disconnecting_sender_is_ignored(
    serve: Serve, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(SECRET, print)
    body = ping("e")
    async with serve(receiver) as url:
        lines = [f"{name}: {value}" for name, value in signed(body).items()]
        async with half_sent(url, f"Content-Length: {len(body)}", *lines, body=body[:20]):
            async with asyncio.timeout(20):
                while receiver.stats.received == 0:
                    await asyncio.sleep(0.005)
        assert (await post(http, url, body, signed(body)))[0] == 202
        async with asyncio.timeout(20):
            while receiver.stats.refused == 0:
                await asyncio.sleep(0.005)
    assert (receiver.stats.accepted, receiver.stats.refused) == (1, 1)
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_a_body_in_broken_chunks_is_refused(serve: Serve) -> None:
    async with (
        serve(Receiver(SECRET, print)) as url,
        half_sent(url, "Transfer-Encoding: chunked", body=b"5\r\n{    \r\nzz\r\n") as answer,
    ):
        assert await status_of(answer) == 400


async def test_the_bound_of_the_receiver_applies_instead_of_the_applications(http: aiohttp.ClientSession) -> None:
    body = body_of(WORKFLOW_COMPLETED)
    app = web.Application(client_max_size=10)
    async with Receiver(SECRET, print) as receiver:
        app.router.add_post("/hooks", receiver.aiohttp)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
        assert (await post(http, url, body, signed(body)))[0] == 202
        await runner.cleanup()


async def drive(app: Any, scope: dict[str, Any], *incoming: dict[str, Any]) -> list[dict[str, Any]]:
    """Run an ASGI application with these messages, and return its own messages."""
    waiting = list(incoming)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def test_a_websocket_is_refused() -> None:
    sent = await drive(Receiver(SECRET, print).asgi, {"type": "websocket"}, {"type": "websocket.connect"})
    assert sent == [{"type": "websocket.close"}]


async def test_another_asgi_protocol_is_not_supported() -> None:
    with pytest.raises(NotImplementedError, match="'carrier-pigeon'"):
        await drive(Receiver(SECRET, print).asgi, {"type": "carrier-pigeon"})


async def test_a_lifespan_opens_and_closes_the_receiver() -> None:
    receiver = Receiver(SECRET, print)
    await receiver.aclose()
    sent = await drive(receiver.asgi, {"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert repr(receiver) == "<Receiver: 0 events pending, closed>"


async def test_serve_yields_its_url_and_ends_with_its_block(http: aiohttp.ClientSession) -> None:
    receiver = Receiver(SECRET, lambda event: None)
    body = ping("1")
    async with receiver.serve("::1", path="/a/b") as url:
        port = urlsplit(url).port
        assert url == f"http://[::1]:{port}/a/b"
        assert await post(http, url, body, signed(body)) == (202, "accepted")
    assert (await receiver.receive(body, signed(body))).status == 503
    async with receiver.serve("::1", port or 0) as again:
        assert again == f"http://[::1]:{port}/"
        assert (await post(http, again, body, signed(body)))[0] == 200  # its id is stored


async def test_an_invalid_path_and_a_port_in_use_are_refused() -> None:
    receiver = Receiver(SECRET, lambda event: None)
    with pytest.raises(InvalidArgument, match="path must begin with '/', got 'hooks'"):
        receiver.serve(path="hooks")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="address already in use"):
        async with receiver.serve(port=taken.getsockname()[1]):
            pytest.fail("the port is taken")
    body = ping("1")
    assert (await receiver.receive(body, signed(body))).status == 503
