"""A body over several requests: resumed, started over, or incomplete."""

import asyncio
import re
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.core.resumable_body import Part, ResumableBody
from circleci_async.models import Artifact
from tests.downloads.file_server import artifact_at, chunked, client, in_sequence, random_bytes, served
from tests.downloads.outcome import Outcome, outcome
from tests.leftovers import check_nothing_in_use
from tests.raw_server import Behaviour, Request, answer, hang_up, raw, raw_server, reset

SIZE = 50_000
OLD = random_bytes(SIZE, "old")
NEW = random_bytes(SIZE, "new")
EARLIER, LATER = "Sun, 01 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:01 GMT"


def content_of(result: Outcome) -> bytes:
    [content] = result.files.values()
    return content


def partial(headers: str, body: bytes, *, length: int | None = None) -> Behaviour:
    """Answer with 206 and these headers."""
    size = len(body) if length is None else length
    return raw(f"HTTP/1.1 206 X\r\nConnection: close\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body)


async def test_a_body_is_resumed_after_each_of_three_interruptions(tmp_path: Path) -> None:
    result = await outcome(tmp_path, *[served(OLD, cut=10_000)] * 3, served(OLD))
    assert content_of(result) == OLD
    assert result.ranges == [None, "bytes=10000-", "bytes=20000-", "bytes=30000-"]
    assert [request.headers.get("if-range") for request in result.requests] == [None, '"v1"', '"v1"', '"v1"']
    assert (result.got.resumed, result.got.verified, result.got.etag) == (3, True, '"v1"')


async def test_a_body_is_requested_uncompressed(tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(OLD, cut=10), served(OLD))
    assert [request.headers["accept-encoding"] for request in result.requests] == ["identity"] * 2


@pytest.mark.parametrize("loss", [hang_up, reset], ids=["closed", "reset"])
async def test_a_lost_connection_is_an_interruption(loss: Behaviour, tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(OLD, cut=10_000, then=loss), loss, served(OLD))
    assert content_of(result) == OLD
    assert result.ranges[0] is None
    # Bytes discarded by the reset before they were read are requested again, and no others.
    resumed = [int(re.findall(r"\d+", wanted or "0")[0]) for wanted in result.ranges[1:]]
    assert all(begin <= 10_000 for begin in resumed)
    assert result.got.size == SIZE


async def test_an_interruption_before_the_first_byte_is_a_plain_retry(tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(OLD, cut=0), served(OLD, cut=0), served(OLD))
    assert content_of(result) == OLD
    assert (result.ranges, result.got.resumed) == ([None] * 3, 0)


async def test_interruptions_with_progress_do_not_use_up_the_attempts(tmp_path: Path) -> None:
    result = await outcome(tmp_path, *[served(OLD, cut=5_000)] * 9, served(OLD), attempts=2)
    assert content_of(result) == OLD
    assert result.got.resumed == 9


async def test_a_body_starts_over_if_the_server_ignores_ranges(tmp_path: Path) -> None:
    result = await outcome(tmp_path, *[served(OLD, cut=20_000, ranges=False)] * 2, served(OLD, ranges=False))
    assert content_of(result) == OLD
    assert (result.ranges, result.got.resumed) == ([None, "bytes=20000-", "bytes=20000-"], 0)


@pytest.mark.parametrize("etag", ['W/"v1"', None, "", "v1"], ids=["weak", "none", "empty", "unquoted"])
async def test_without_a_strong_etag_no_range_is_requested(etag: str | None, tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(OLD, cut=20_000, etag=etag), served(NEW, etag=etag))
    assert content_of(result) == NEW
    assert (result.ranges, result.got.resumed, result.got.etag) == ([None, None], 0, None)


async def test_two_versions_are_never_mixed(tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(OLD, etag='"old"', cut=20_000), served(NEW, etag='"new"'))
    assert content_of(result) == NEW
    assert (result.got.etag, result.got.resumed) == ('"new"', 0)


async def test_a_shorter_new_version_replaces_the_old_one(tmp_path: Path) -> None:
    short = NEW[:100]
    result = await outcome(
        tmp_path, served(OLD, etag='"old"', cut=20_000), answer(416, "no such range"), served(short, etag='"new"')
    )
    assert content_of(result) == short
    assert result.ranges == [None, "bytes=20000-", None]


@pytest.mark.parametrize("status", [412, 416])
async def test_a_body_starts_over_after_a_refused_range(status: int, tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(OLD, cut=20_000), answer(status, {"message": "no"}), served(NEW))
    assert content_of(result) == NEW


@pytest.mark.parametrize("status", [412, 416])
async def test_a_refusal_of_a_request_without_range_is_raised_at_once(status: int, tmp_path: Path) -> None:
    result = await outcome(tmp_path, answer(status, {"message": "no"}))
    assert isinstance(result.failure, ca.ApiError)
    assert (result.failure.status, len(result.requests)) == (status, 1)


@pytest.mark.parametrize(
    "headers",
    [
        f'Content-Range: bytes 19999-{SIZE - 1}/{SIZE}\r\nETag: "v1"\r\n',
        f'Content-Range: bytes 0-{SIZE - 1}/{SIZE}\r\nETag: "v1"\r\n',
        f'Content-Range: bytes 20000-{SIZE}/{SIZE + 1}\r\nETag: "v1"\r\n',
        f'Content-Range: bytes 20000-{SIZE - 1}/{SIZE}\r\nETag: "v2"\r\n',
        f'Content-Range: bytes 20000-{SIZE - 1}/{SIZE}\r\nETag: W/"v1"\r\n',
        f'Content-Range: bytes 20000-{SIZE - 1}/{"9" * 5000}\r\nETag: "v1"\r\n',
        f'Content-Range: bytes */{SIZE}\r\nETag: "v1"\r\n',
        'Content-Type: multipart/byteranges\r\nETag: "v1"\r\n',
        f'Content-Range: bytes 20000-29999/{SIZE}\r\nETag: "v1"\r\n',
        f'Content-Range: bytes 20000-{SIZE}/{SIZE}\r\nETag: "v1"\r\n',
        f'Content-Range: bytes 20000-19999/{SIZE}\r\nETag: "v1"\r\n',
        f"Content-Range: bytes 20000-{SIZE - 1}/{SIZE}\r\n",
        f'Content-Range: bytes 20000-{SIZE - 1}/{SIZE}\r\nETag: ""\r\n',
        f'Content-Range: bytes 20000-{SIZE - 1}/{SIZE}\r\nETag: "v1"\r\nLast-Modified: {LATER}\r\n',
        f'Content-Range: bytes 20000-{SIZE - 1}/{SIZE}\r\nETag: "v1"\r\nETag: "v2"\r\n',
        f'Content-Range: bytes 20000-{SIZE - 1}/{SIZE}\r\nContent-Range: bytes 0-{SIZE - 1}/{SIZE}\r\nETag: "v1"\r\n',
        f'Content-Range: bytes 20000-{SIZE - 1}/{SIZE}\r\nETag: "v1"\r\nContent-Encoding: gzip\r\n',
    ],
    ids=[
        "earlier",
        "all",
        "other length",
        "other version",
        "weak version",
        "endless number",
        "no range",
        "multipart",
        "earlier end",
        "later end",
        "end before begin",
        "no version",
        "empty version",
        "other date",
        "two versions",
        "two ranges",
        "other encoding",
    ],
)
async def test_a_range_that_was_not_requested_is_never_appended(headers: str, tmp_path: Path) -> None:
    wrong = partial(headers, NEW[20_000:])
    whole = served(OLD, headers={"Last-Modified": EARLIER})
    result = await outcome(tmp_path, served(OLD, cut=20_000, headers={"Last-Modified": EARLIER}), wrong, whole)
    assert content_of(result) == OLD
    assert result.ranges == [None, "bytes=20000-", None]


@pytest.mark.parametrize("date", ["", f"Last-Modified: {EARLIER}\r\n"])
@pytest.mark.parametrize("length", [SIZE, "*"])
async def test_a_range_of_the_same_version_is_appended(length: object, date: str, tmp_path: Path) -> None:
    headers = f'Content-Range: bytes 20000-{SIZE - 1}/{length}\r\nETag: "v1"\r\n{date}'
    first = served(OLD, cut=20_000, headers={"Last-Modified": EARLIER})
    result = await outcome(tmp_path, first, partial(headers, OLD[20_000:]))
    assert (content_of(result), result.got.resumed, len(result.requests)) == (OLD, 1, 2)


async def test_a_range_that_ends_early_is_continued(tmp_path: Path) -> None:
    piece = partial(f'Content-Range: bytes 20000-29999/{SIZE}\r\nETag: "v1"\r\n', OLD[20_000:30_000])
    result = await outcome(tmp_path, served(OLD, cut=20_000), piece, served(OLD))
    assert content_of(result) == OLD
    assert result.ranges == [None, "bytes=20000-", "bytes=30000-"]


async def test_an_endless_resumed_body_is_bounded(tmp_path: Path) -> None:
    async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 206 X\r\nTransfer-Encoding: chunked\r\n"
            + f"Content-Range: bytes 20000-{SIZE - 1}/{SIZE}\r\n\r\n".encode()
        )
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    result = await outcome(tmp_path, served(OLD, cut=20_000), endless, served(NEW, etag='"v2"'))
    assert content_of(result) == NEW
    assert max(step.received for step in result.progress) <= SIZE


async def test_an_unrequested_range_is_an_error(tmp_path: Path) -> None:
    unrequested = partial(f"Content-Range: bytes 0-99/{SIZE}\r\n", OLD[:100])
    result = await outcome(tmp_path, in_sequence(unrequested))
    assert isinstance(result.failure, ca.TransportError)
    assert "status 206" in str(result.failure)
    assert len(result.requests) == 5
    result = await outcome(tmp_path, unrequested, served(OLD))
    assert content_of(result) == OLD


@pytest.mark.parametrize("status", [204, 304])
async def test_a_success_without_a_body_is_an_error(status: int, tmp_path: Path) -> None:
    result = await outcome(tmp_path, raw(f"HTTP/1.1 {status} X\r\n\r\n".encode()))
    assert f"{status}" in str(result.failure)


async def test_a_body_of_unknown_length_is_not_verified(tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(OLD, length=False))
    assert (content_of(result), result.got.verified) == (OLD, False)
    assert {step.size for step in result.progress} == {None}


async def test_a_chunked_body_is_not_verified(tmp_path: Path) -> None:
    result = await outcome(tmp_path, chunked(OLD))
    assert (content_of(result), result.got.verified) == (OLD, False)


async def test_a_chunked_body_without_end_is_an_interruption(tmp_path: Path) -> None:
    result = await outcome(tmp_path, chunked(OLD, cut=20_000), chunked(OLD))
    assert content_of(result) == OLD
    assert result.ranges == [None, None]


async def test_a_chunked_body_with_an_etag_is_resumed_and_then_has_a_length(tmp_path: Path) -> None:
    result = await outcome(tmp_path, chunked(OLD, cut=20_000, headers='ETag: "v1"\r\n'), served(OLD))
    assert content_of(result) == OLD
    assert (result.ranges, result.got.verified, result.got.resumed) == ([None, "bytes=20000-"], True, 1)


async def test_a_length_from_a_range_is_checked(tmp_path: Path) -> None:
    piece = partial(f'Content-Range: bytes 20000-29999/{SIZE}\r\nETag: "v1"\r\n', OLD[20_000:30_000])
    result = await outcome(tmp_path, chunked(OLD, cut=20_000, headers='ETag: "v1"\r\n'), piece, served(OLD))
    assert content_of(result) == OLD
    assert result.ranges == [None, "bytes=20000-", "bytes=30000-"]


async def test_an_encoded_body_is_stored_as_received_with_its_encoding(tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(OLD, headers={"Content-Encoding": "gzip"}))  # not even valid gzip
    assert (content_of(result), result.got.content_encoding, result.got.verified) == (OLD, "gzip", True)
    result = await outcome(tmp_path / "plain", served(OLD))
    assert result.got.content_encoding is None


async def test_the_encoding_is_reset_when_a_body_starts_over(tmp_path: Path) -> None:
    encoded = served(OLD, etag=None, cut=100, headers={"Content-Encoding": "gzip"})
    result = await outcome(tmp_path, encoded, served(NEW, etag='"v2"'))
    assert (content_of(result), result.got.content_encoding, result.got.etag) == (NEW, None, '"v2"')


async def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(b""))
    assert (content_of(result), result.got.size, result.got.verified, len(result.requests)) == (b"", 0, True, 1)
    result = await outcome(tmp_path / "cut", served(OLD, cut=10, etag=None), served(b""))
    assert content_of(result) == b""


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_a_body_without_progress_is_an_error_after_all_attempts(attempts: int, tmp_path: Path) -> None:
    never = served(OLD, cut=20_000), served(OLD, cut=0)
    result = await outcome(tmp_path, *never, attempts=attempts)
    assert isinstance(result.failure, ca.TransportError)
    assert len(result.requests) == attempts


@pytest.mark.parametrize("attempts", [2, 5])
async def test_a_body_that_always_starts_over_is_an_error_after_all_attempts(attempts: int, tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(OLD, etag=None, cut=20_000), attempts=attempts)
    assert type(result.failure) is ca.DownloadInterrupted
    assert f"interrupted {attempts} times" in str(result.failure)
    assert len(result.requests) == attempts
    result = await outcome(tmp_path, served(OLD, ranges=False, cut=20_000), attempts=attempts)
    assert type(result.failure) is ca.DownloadInterrupted
    assert len(result.requests) == attempts


@pytest.mark.parametrize("attempts", [2, 5])
async def test_a_body_with_little_progress_is_an_error_after_all_attempts(attempts: int, tmp_path: Path) -> None:
    few = [served(OLD, cut=step) for step in range(100, 10_000, 100)]
    result = await outcome(tmp_path, *few, served(OLD), attempts=attempts)
    assert isinstance(result.failure, ca.DownloadError)
    assert isinstance(result.failure, ca.TransportError)
    assert len(result.requests) <= attempts


async def test_without_retries_an_interruption_is_an_error_at_once(tmp_path: Path) -> None:
    result = await outcome(tmp_path, served(OLD, etag=None, cut=20_000), attempts=1)
    assert isinstance(result.failure, ca.TransportError)
    assert "body is incomplete" in str(result.failure)
    assert len(result.requests) == 1


async def test_a_range_that_is_always_wrong_is_an_error(tmp_path: Path) -> None:
    wrong = partial(f"Content-Range: bytes 1-2/{SIZE}\r\n", b"xx")
    result = await outcome(tmp_path, in_sequence(*[served(OLD, cut=20_000), wrong] * 9))
    assert type(result.failure) is ca.DownloadInterrupted
    assert len(result.requests) == 5


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://127.0.0.1/x", "/relative", "http://[::1", "http://"])
async def test_a_url_that_is_not_http_is_refused_before_anything_is_sent(url: str, tmp_path: Path) -> None:
    async with unused_client() as circle:
        with pytest.raises(ca.DownloadError, match="http or https"):
            await circle.artifacts.download(Artifact(path="a", node_index=0, url=url), tmp_path / "out")
        assert circle.stats.requests == 0


def unused_client() -> ca.CircleCI:
    return ca.CircleCI("t", host="http://127.0.0.1:9", artifact_hosts=())


@pytest.mark.parametrize(
    "behaviours",
    [
        [served(OLD, etag=None, cut=10)],
        [served(OLD, cut=10), served(OLD, cut=0)],
        [in_sequence(partial("Content-Range: bytes 0-0/1\r\n", b"x"))],
        [served(OLD, cut=10), answer(416, "no"), answer(404, "no")],
    ],
    ids=["started over", "never moves on", "unrequested part", "gone"],
)
async def test_no_error_contains_user_token_or_signature_of_a_url(behaviours: list[Behaviour], tmp_path: Path) -> None:
    async with raw_server(*behaviours) as server, client(server) as circle:
        url = server.url.replace("//", "//user:pa55@") + "/file?circle-token=s3cret&x=1"
        with pytest.raises(ca.CircleCIError) as caught:
            await circle.artifacts.download(Artifact(path="a", node_index=0, url=url), tmp_path / "out")
        shown = f"{caught.value} {caught.value!r} {vars(caught.value)}"
        assert "/file" in shown
        assert not re.search("user|pa55|s3cret", shown)


async def test_a_closed_body_cannot_be_read() -> None:
    async with raw_server(served(OLD, cut=10), served(OLD)) as server, client(server) as circle:
        body = ResumableBody(circle._session, artifact_at(server).url)
        assert await anext(body) == Part(OLD[:10], restarted=False)
        body.close()
        body.close()
        with pytest.raises(ca.DownloadError, match="the body is closed"):
            await anext(body)
        assert len(server.requests) == 1
        check_nothing_in_use(circle)


async def test_a_body_is_read_once() -> None:
    async with raw_server(served(OLD)) as server, client(server) as circle:
        body = ResumableBody(circle._session, artifact_at(server).url)
        assert b"".join([part.data async for part in body]) == OLD
        assert (body.received, body.size) == (SIZE, SIZE)
        assert [part async for part in body] == []
        body.close()
        assert len(server.requests) == 1
        check_nothing_in_use(circle)


async def parts_of(*behaviours: Behaviour) -> list[Part]:
    async with raw_server(*behaviours) as server, client(server) as circle:
        body = ResumableBody(circle._session, artifact_at(server).url)
        try:
            return [part async for part in body]
        finally:
            body.close()


async def test_a_restart_is_reported_with_the_first_part_after_it() -> None:
    parts = await parts_of(served(OLD, etag=None, cut=20_000), served(NEW))
    [restart] = [position for position, part in enumerate(parts) if part.restarted]
    assert b"".join(part.data for part in parts[:restart]) == OLD[:20_000]
    assert b"".join(part.data for part in parts[restart:]) == NEW


async def test_a_restart_with_an_empty_body_is_reported() -> None:
    parts = await parts_of(served(OLD, etag=None, cut=20_000), served(b""))
    assert parts[-1] == Part(b"", restarted=True)
    assert not any(part.restarted for part in parts[:-1])


async def test_a_resumed_body_and_a_retry_before_the_first_byte_are_not_restarts() -> None:
    parts = await parts_of(served(OLD, cut=20_000), served(OLD))
    assert not any(part.restarted for part in parts)
    assert b"".join(part.data for part in parts) == OLD
    parts = await parts_of(served(OLD, etag=None, cut=0), served(NEW))
    assert not any(part.restarted for part in parts)
    assert b"".join(part.data for part in parts) == NEW


async def test_a_body_continues_what_an_earlier_one_read_or_restarts() -> None:
    for etag, restarts in (('"v1"', False), ('"v0"', True)):
        async with raw_server(served(OLD)) as server, client(server) as circle:
            body = ResumableBody(circle._session, artifact_at(server).url, offset=20_000, etag=etag)
            assert body.received == 20_000
            parts = [part async for part in body]
            body.close()
        assert [part.restarted for part in parts] == [restarts, *[False] * (len(parts) - 1)]
        assert b"".join(part.data for part in parts) == (OLD if restarts else OLD[20_000:])
        assert body.received == SIZE


async def test_an_anonymous_body_never_sends_the_token() -> None:
    async with raw_server(served(OLD, cut=10_000), served(OLD)) as server, client(server) as circle:
        body = ResumableBody(circle._session, f"{server.url}/file", anonymous=True)
        assert b"".join([part.data async for part in body]) == OLD
        body.close()
        assert len(server.requests) == 2
        for request in server.requests:
            assert not {"circle-token", "authorization"} & request.headers.keys()
