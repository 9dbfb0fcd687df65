"""Reading a small artifact into memory: `artifacts.read`, `read_text` and `read_json`."""

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from tests.downloads.file_server import TOKEN, artifact_at, by_path, chunked, client, random_bytes, served
from tests.leftovers import check_nothing_in_use
from tests.raw_server import Behaviour, answer, cut, hang, raw_server, reset

CONTENT = random_bytes(300_000)
OTHER = random_bytes(300_000, "other")


async def read(*behaviours: Behaviour, **options: Any) -> bytes:
    async with raw_server(*behaviours) as server, client(server) as circle:
        try:
            return await circle.artifacts.read(artifact_at(server), **options)
        finally:
            check_nothing_in_use(circle)


@pytest.mark.parametrize("content", [b"", b"x", CONTENT])
async def test_the_content_is_returned(content: bytes) -> None:
    assert await read(served(content)) == content
    assert await read(chunked(content)) == content
    assert await read(served(content), max_bytes=max(len(content), 1)) == content
    assert await read(chunked(content), max_bytes=max(len(content), 1)) == content


async def test_a_file_over_the_limit_is_refused_before_it_is_read() -> None:
    sent = served(b"x" * 101, cut=0, then=hang)  # reading it would wait for ever
    with pytest.raises(ca.DownloadError) as caught:
        await read(sent, max_bytes=100)
    assert str(caught.value) == (
        "report.bin: 101 bytes, more than max_bytes=100: raise max_bytes, or use `artifacts.download` or"
        " `artifacts.open`"
    )


async def test_a_file_of_unknown_length_is_read_up_to_the_limit() -> None:
    async def endless(request: object, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
            await writer.drain()
        return False

    with pytest.raises(ca.DownloadError, match=r"report\.bin: more than max_bytes=5000 bytes: raise max_bytes, or use"):
        await read(endless, max_bytes=5000)


async def test_the_default_limit_is_ten_million_bytes() -> None:
    with pytest.raises(ca.DownloadError, match="10000001 bytes, more than max_bytes=10000000"):
        await read(answer(200, b"x", {"Content-Length": "10000001"}))


@pytest.mark.parametrize("max_bytes", [0, -1, 1.5, True, None, "9"])
async def test_a_wrong_limit_is_refused_before_anything_is_sent(max_bytes: Any) -> None:
    async with raw_server() as server, client(server) as circle:
        for call in (circle.artifacts.read, circle.artifacts.read_text, circle.artifacts.read_json):
            with pytest.raises(ca.InvalidArgument, match="max_bytes must be a positive integer"):
                await call(artifact_at(server), max_bytes=max_bytes)
        assert server.requests == []


async def test_an_interruption_is_resumed() -> None:
    faults = [reset, served(CONTENT, cut=10), answer(503, "busy"), served(CONTENT, cut=100_000), served(CONTENT)]
    async with raw_server(*faults) as server, client(server) as circle:
        assert await circle.artifacts.read(artifact_at(server)) == CONTENT
        ranges = [request.headers.get("range") for request in server.requests]
    assert ranges == [None, None, "bytes=10-", "bytes=10-", "bytes=100010-"]


@pytest.mark.parametrize(
    "again",
    [served(OTHER, etag='"v2"'), served(OTHER, ranges=False, etag='"v2"')],
    ids=["another version", "no ranges"],
)
async def test_a_file_that_changed_is_read_from_its_start_and_never_mixed(again: Behaviour) -> None:
    assert await read(served(CONTENT, cut=1000), again) == OTHER


async def test_the_limit_also_holds_for_a_file_that_grew_during_the_download() -> None:
    grown = served(OTHER, etag='"v2"')
    with pytest.raises(ca.DownloadError, match="300000 bytes, more than max_bytes=2000"):
        await read(served(CONTENT[:2000], cut=1000), grown, max_bytes=2000)


async def test_a_file_that_stays_incomplete_is_an_error() -> None:
    with pytest.raises(ca.DownloadInterrupted):
        await read(cut(b"x" * 100, 50))


@pytest.mark.parametrize(
    ("encoding", "encode"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_a_file_that_is_sent_compressed_is_decompressed_within_the_limit(encoding: str, encode: Any) -> None:
    text = b"text " * 10_000
    sent = served(encode(text), headers={"Content-Encoding": encoding})
    assert await read(sent) == text
    assert await read(sent, max_bytes=len(text)) == text
    with pytest.raises(ca.DownloadError, match=r"report\.bin: more than max_bytes=49999 bytes"):
        await read(sent, max_bytes=len(text) - 1)


async def test_a_file_marked_as_identity_is_returned_as_it_is() -> None:
    archive = gzip.compress(b"text")
    assert await read(served(archive, headers={"Content-Encoding": "identity"})) == archive
    assert await read(served(archive)) == archive


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (gzip.compress(b"text" * 100, mtime=0)[:-9], "gzip", "report.bin: cannot be decoded: truncated gzip data"),
        (b"text", "gzip", "report.bin: cannot be decoded: invalid gzip data"),
        (b"text", "br", "report.bin: cannot be decoded: its Content-Encoding is neither gzip nor deflate"),
    ],
    ids=["truncated", "invalid", "unknown"],
)
async def test_a_file_that_cannot_be_decompressed_is_an_error(content: bytes, encoding: str, message: str) -> None:
    with pytest.raises(ca.DownloadError) as caught:
        await read(served(content, headers={"Content-Encoding": encoding}))
    assert str(caught.value).startswith(message)


async def test_a_url_can_be_given_and_is_sent_the_token_only_where_it_is_trusted() -> None:
    files = by_path({"/out/a%20b.json": served(b'{"a": 1}')})
    async with raw_server(files) as trusted, raw_server(files) as other, client(trusted) as circle:
        for server in (trusted, other):
            assert await circle.artifacts.read_json(f"{server.url}/out/a%20b.json?sig=secret") == {"a": 1}
        assert [request.headers.get("circle-token") for request in (*trusted.requests, *other.requests)] == [
            TOKEN,
            None,
        ]
        with pytest.raises(ca.DownloadError) as caught:
            await circle.artifacts.read(f"{other.url}/out/a%20b.json?sig=secret", max_bytes=3)
    assert str(caught.value).startswith("a b.json: 8 bytes, more than max_bytes=3: ")


@pytest.mark.parametrize("wrong", ["", "ftp://example.com/x", "junit.xml", "http://[x"])
async def test_a_text_that_is_not_an_address_is_refused(wrong: str) -> None:
    async with raw_server() as server, client(server) as circle:
        with pytest.raises(ca.DownloadError, match="must be an http"):
            await circle.artifacts.read(wrong)


async def test_something_else_than_an_artifact_is_refused() -> None:
    wrong: Any
    async with raw_server() as server, client(server) as circle:
        for wrong in (None, 7, b"http://x"):
            with pytest.raises(ca.InvalidArgument, match="artifact must be an Artifact or its URL, got"):
                await circle.artifacts.read(wrong)


async def test_text_is_decoded() -> None:
    text = "größe\r\n"
    async with raw_server(served(text.encode())) as server, client(server) as circle:
        assert await circle.artifacts.read_text(artifact_at(server)) == text
        server.behaviours = [served(text.encode("utf-16"))]
        assert await circle.artifacts.read_text(artifact_at(server), encoding="utf-16") == text


async def test_text_in_another_encoding_is_an_error_that_names_the_artifact() -> None:
    async with raw_server(served("größe".encode("latin-1"))) as server, client(server) as circle:
        with pytest.raises(ca.DecodeError) as caught:
            await circle.artifacts.read_text(artifact_at(server, "out/report.txt", address="/f?sig=secret"))
    assert str(caught.value) == "artifact out/report.txt cannot be decoded: not utf-8 at byte 2"
    assert caught.value.url == ""


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "", "a\0b", None, 5])
async def test_an_unknown_encoding_is_refused_before_anything_is_sent(encoding: Any) -> None:
    async with raw_server() as server, client(server) as circle:
        with pytest.raises(ca.InvalidArgument, match="encoding must be a text encoding such as 'utf-8', got"):
            await circle.artifacts.read_text(artifact_at(server), encoding=encoding)
        assert server.requests == []


@pytest.mark.parametrize("value", [{"a": [1, None]}, [], 0, "x", None, {"big": "x" * 2_000_000}])
async def test_json_is_parsed(value: object) -> None:
    content = json.dumps(value).encode()
    async with raw_server(served(content), served(b"\xef\xbb\xbf" + content)) as server, client(server) as circle:
        assert await circle.artifacts.read_json(artifact_at(server)) == value
        assert await circle.artifacts.read_json(artifact_at(server)) == value  # with a byte order mark


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"<h1>97 %</h1>", "not JSON: '<h1>97 %</h1>' (Expecting value at line 1, column 1)"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (TOKEN.encode(), "not JSON: "),
    ],
)
async def test_what_is_not_json_is_an_error_that_names_the_artifact(content: bytes, fault: str) -> None:
    async with raw_server(served(content)) as server, client(server) as circle:
        with pytest.raises(ca.DecodeError) as caught:
            await circle.artifacts.read_json(artifact_at(server, "out/report.json", address="/f?sig=secret"))
    error = caught.value
    assert str(error).startswith("artifact out/report.json cannot be decoded: ")
    assert fault in str(error)
    for text in (str(error), error.body, error.url, *error.faults):
        assert "secret" not in text
        assert TOKEN not in text


async def test_a_cancelled_read_leaves_nothing_in_use() -> None:
    async with raw_server(served(CONTENT, cut=10, then=hang)) as server, client(server) as circle:
        task = asyncio.create_task(circle.artifacts.read(artifact_at(server)))
        while not server.requests:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        check_nothing_in_use(circle)


async def test_artifacts_of_the_embedded_circleci_are_read() -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow().job("test")
    job.artifact("coverage.json", b'{"totals": {"percent_covered": 97.5}}')
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        fake.fail(origin="storage", cut=5, times=1)
        artifact = await circle.artifacts.list("gh/acme/api", job.number or 0).first()
        assert artifact is not None
        report = await circle.artifacts.read_json(artifact)
        assert report["totals"]["percent_covered"] == 97.5
        assert (await circle.artifacts.read_text(artifact)).startswith('{"totals"')
        assert await circle.artifacts.read(artifact.url) == await circle.artifacts.read(artifact)
