"""Bounded bodies: `max_response_bytes` of an answer, 64 KiB of an error, and what is exempt."""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

import circleci_async
from circleci_async import (
    ApiError,
    CircleCI,
    InvalidArgument,
    NotFound,
    ResponseTooLarge,
    RetryPolicy,
    ServerError,
    TransportError,
    capture_responses,
)
from circleci_async.models.artifacts import Artifact
from tests.core.session.client import ME, QUICK
from tests.raw_server import Behaviour, RawServer, Request, answer, raw_server

MIB = 1024 * 1024
BOUND = 100_000
TOKEN = "the-token"


@asynccontextmanager
async def bounded(*behaviours: Behaviour, **options: Any) -> AsyncIterator[tuple[RawServer, CircleCI]]:
    """A server, and a client that accepts bodies of `BOUND` bytes from it."""
    async with raw_server(*behaviours) as server:
        given = {"max_response_bytes": BOUND, "retry": QUICK, **options}
        async with CircleCI(TOKEN, host=server.url, **given) as circle:
            yield server, circle


def endless(head: str, piece: bytes) -> Behaviour:
    """Send chunks until the client disconnects."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {head}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        while True:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()

    return behave


def zipped(content: bytes, wbits: int = 31) -> bytes:
    compressor = zlib.compressobj(wbits=wbits)
    return compressor.compress(content) + compressor.flush()


def text_of(size: int) -> bytes:
    """Return JSON of exactly `size` bytes."""
    return json.dumps("x" * (size - 2)).encode()


ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15, "GZIP": 31}


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (text_of(BOUND + 1), {}),
        (zipped(text_of(BOUND + 1)), {"Content-Encoding": "gzip"}),
        (zipped(text_of(BOUND // 2)) + zipped(text_of(BOUND)), {"Content-Encoding": "gzip"}),
        (zipped(text_of(BOUND + 1), 15), {"Content-Encoding": "deflate"}),
        (zipped(text_of(BOUND + 1), -15), {"Content-Encoding": "deflate"}),
    ],
    ids=["plain", "gzip", "gzip of two members", "deflate", "raw deflate"],
)
async def test_a_body_beyond_the_bound_is_refused_without_a_retry(content: bytes, headers: Mapping[str, str]) -> None:
    async with bounded(answer(200, content, headers), answer(200, ME)) as (server, circle):
        with pytest.raises(ResponseTooLarge, match=f"max_response_bytes={BOUND}") as caught:
            await circle.request("GET", "/x")
        error = caught.value
        assert isinstance(error, TransportError)
        assert (error.method, error.url, error.sent) == ("GET", f"{server.url}/api/v2/x", True)
        assert error.hint is not None
        assert "max_response_bytes" in error.hint
        assert len(server.requests) == 1
        assert await circle.request("GET", "/x") == ME, "the client is still usable"
    assert circleci_async.ResponseTooLarge is ResponseTooLarge


@pytest.mark.parametrize("encoding", [None, *ENCODINGS])
async def test_a_body_of_exactly_the_bound_is_accepted(encoding: str | None) -> None:
    content = text_of(BOUND)
    sent = zipped(content, ENCODINGS[encoding]) if encoding else content
    headers = {"Content-Encoding": encoding} if encoding else {}
    async with bounded(answer(200, sent, headers)) as (server, circle):
        assert await circle.request("GET", "/x") == "x" * (BOUND - 2)
        assert await circle.request("GET", "/x") == "x" * (BOUND - 2)
        assert server.connections == 1, "the connection is kept"


async def test_endless_chunks_end_at_the_bound() -> None:
    async with bounded(endless("200 OK", b" " * 10_000)) as (server, circle):
        with pytest.raises(ResponseTooLarge):
            await circle.request("GET", "/x")
        assert len(server.requests) == 1
        await server.all_closed()
        assert circle.stats().in_flight == 0


async def test_endless_empty_gzip_members_end_at_the_bound() -> None:
    async with bounded(endless("200 OK\r\nContent-Encoding: gzip", zipped(b"") * 500)) as (server, circle):
        with pytest.raises(ResponseTooLarge):
            await circle.request("GET", "/x")
        await server.all_closed()


async def test_a_stated_length_beyond_the_bound_is_refused_before_the_body() -> None:
    async def announce(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n[" % (BOUND + 1))
        await writer.drain()
        await asyncio.Event().wait()

    async with bounded(announce) as (_, circle):
        with pytest.raises(ResponseTooLarge):
            await circle.request("GET", "/x")


@pytest.mark.parametrize("call", ["page", "v1 page", "item", "model", "step list"])
async def test_every_call_is_bounded(call: str) -> None:
    async with bounded(answer(200, text_of(BOUND + 1))) as (server, circle):
        with pytest.raises(ResponseTooLarge):
            match call:
                case "page":
                    await circle.paginate("/x").collect()
                case "v1 page":
                    await circle.pipelines.list("gh/acme/api").first()
                case "item":
                    await circle.request("POST", "/x", json={})
                case "model":
                    await circle.users.me()
                case _:
                    [step async for step in circle.jobs.steps("gh/acme/api", 7)]
        assert len(server.requests) == 1


async def test_a_gzip_bomb_is_never_decompressed_as_a_whole() -> None:
    bomb = zipped(b" " * (64 * MIB))
    async with bounded(answer(200, bomb, {"Content-Encoding": "gzip"})) as (_, circle):
        tracemalloc.start()
        try:
            with pytest.raises(ResponseTooLarge):
                await circle.request("GET", "/x")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 2 * MIB


async def test_other_tasks_run_while_a_body_is_decompressed() -> None:
    """The body arrives in one packet, so reading it never waits for the network."""
    content = zipped(b"[" + b" " * (20 * MIB) + b"]")
    async with bounded(answer(200, content, {"Content-Encoding": "gzip"}), max_response_bytes=64 * MIB) as (_, circle):
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        await circle.request("GET", "/warm")
        counting = asyncio.create_task(count())
        assert await circle.request("GET", "/x") == []
        counting.cancel()
        assert turns >= 20


@pytest.mark.parametrize("kept", [slice(0, -8), slice(0, -1), slice(0, 10)], ids=["trailer", "byte", "half"])
async def test_truncated_gzip_is_an_incomplete_body(kept: slice) -> None:
    headers = {"Content-Encoding": "gzip"}
    whole = zipped(json.dumps(ME).encode())
    async with bounded(answer(200, whole[kept], headers), answer(200, whole, headers)) as (server, circle):
        assert await circle.request("GET", "/x") == ME
        assert len(server.requests) == 2


async def test_an_empty_body_with_an_encoding_is_empty() -> None:
    async with bounded(answer(200, b"", {"Content-Encoding": "gzip"})) as (_, circle):
        assert await circle.request("GET", "/x") is None


async def test_an_unknown_encoding_is_an_error() -> None:
    async with bounded(answer(200, b"x", {"Content-Encoding": "br"}), retry=RetryPolicy(attempts=1)) as (_, circle):
        with pytest.raises(TransportError, match="its Content-Encoding is neither gzip nor deflate"):
            await circle.request("GET", "/x")


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "1", None])
def test_an_invalid_bound_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="max_response_bytes must be a positive integer"):
        CircleCI(TOKEN, max_response_bytes=value)


def test_the_default_bound_is_64_mib() -> None:
    assert CircleCI(TOKEN)._session.state.max_response_bytes == 64 * MIB


# Errors


LONG = b"n" * (2 * MIB)


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(404, LONG),
        answer(404, zipped(LONG), {"Content-Encoding": "gzip"}),
        answer(404, gzip.compress(LONG) * 1000, {"Content-Encoding": "gzip"}),
        endless("404 Not Found", b"n" * 5_000),
    ],
    ids=["plain", "gzip", "bomb", "endless"],
)
async def test_64_kib_of_an_error_body_are_kept(behaviour: Behaviour) -> None:
    async with bounded(behaviour) as (server, circle):
        with capture_responses() as responses, pytest.raises(NotFound) as caught:
            await circle.request("GET", "/x")
        assert caught.value.body == "n" * 65_536
        assert len(caught.value.message) <= 501
        assert responses[0].body == b"n" * 65_536
        assert len(server.requests) == 1


async def test_64_kib_are_kept_of_an_error_of_an_artifact() -> None:
    async with bounded(endless("404 Not Found", b"n" * 5_000)) as (server, circle):
        artifact = Artifact(path="a", node_index=0, url=f"{server.url}/a")
        with pytest.raises(NotFound) as caught:
            async with circle.artifacts.open(artifact):
                pass
        assert caught.value.body == "n" * 65_536
        await server.all_closed()


@pytest.mark.parametrize("shift", range(0, 12, 3))
async def test_a_token_at_the_end_of_the_kept_part_is_redacted(shift: int) -> None:
    body = (b"n" * (65_536 - shift)) + TOKEN.encode() * 20_000
    async with bounded(answer(404, body)) as (_, circle):
        with pytest.raises(ApiError) as caught:
            await circle.request("GET", "/x")
    kept = caught.value.body
    assert len(kept.encode()) <= 65_536
    assert kept.lstrip("n").replace("[token]", "") in "[token]"


async def test_an_incomplete_error_body_is_still_an_error_with_its_status() -> None:
    broken = answer(500, b"not gzip!", {"Content-Encoding": "gzip"})
    async with bounded(broken, retry=RetryPolicy(attempts=1)) as (_, circle):
        with pytest.raises(ServerError, match="500 Internal Server Error"):
            await circle.request("GET", "/x")


# Redirects


async def test_the_body_of_a_redirect_is_not_decompressed_and_endless_ones_are_not_read() -> None:
    location = {"Location": "/y"}
    bomb = zipped(b" " * (32 * MIB))[:60_000]
    async with bounded(
        answer(302, bomb, {**location, "Content-Encoding": "gzip"}),
        endless("302 Found\r\nLocation: /z", b"x" * 5_000),
        answer(200, ME),
    ) as (server, circle):
        tracemalloc.start()
        try:
            assert await circle.request("GET", "/x") == ME
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < MIB
        assert [request.path for request in server.requests] == ["/api/v2/x", "/y", "/z"]


# Exempt


async def test_streams_are_exempt() -> None:
    async with bounded(answer(200, b"x" * (BOUND * 3)), max_response_bytes=10) as (server, circle):
        artifact = Artifact(path="a", node_index=0, url=f"{server.url}/a")
        async with circle.artifacts.open(artifact) as stream:
            assert sum([len(part) async for part in stream]) == BOUND * 3


# Middlewares


async def test_a_middleware_reads_decompressed_bodies_and_the_bound_holds() -> None:
    read: list[Any] = []

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        if request.url.path == "/api/v2/read":
            read.append(await response.json())
        return response

    headers = {"Content-Encoding": "gzip"}
    small, large = answer(200, zipped(b'{"a": 1}'), headers), answer(200, zipped(b" " * (8 * MIB)), headers)
    async with bounded(small, large, middlewares=[middleware]) as (_, circle):
        assert await circle.request("GET", "/read") == {"a": 1}
        assert read == [{"a": 1}]
        with pytest.raises(ResponseTooLarge):
            await circle.request("GET", "/x")
