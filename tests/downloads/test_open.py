"""Streaming an artifact without a file."""

import asyncio
from contextlib import aclosing

import pytest

import circleci_async as ca
from circleci_async.models import Artifact
from circleci_async.testing import FakeCircleCI, World
from tests.downloads.file_server import artifact_at, chunked, client, random_bytes, served
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_in_use
from tests.raw_server import Behaviour, RawServer, answer, hang, raw_server

CONTENT = random_bytes(3_000_000)
OTHER = random_bytes(3_000_000, "other")


async def read(circle: ca.CircleCI, server: RawServer) -> bytes:
    async with circle.artifacts.open(artifact_at(server)) as stream:
        return b"".join([part async for part in stream])


async def test_a_stream_yields_non_empty_parts() -> None:
    async with raw_server(served(CONTENT)) as server, client(server) as circle:
        async with circle.artifacts.open(artifact_at(server)) as stream:
            assert (stream.artifact, stream.size, len(server.requests)) == (artifact_at(server), len(CONTENT), 1)
            parts: list[bytes] = []
            async for part in stream:
                parts.append(part)
                assert stream.size == len(CONTENT)
        assert len(parts) > 1
        assert all(parts)
        assert b"".join(parts) == CONTENT
        check_nothing_in_use(circle)
        assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_parts_are_yielded_as_they_arrive() -> None:
    async with raw_server(served(CONTENT, cut=10, then=hang)) as server, client(server) as circle:
        async with circle.artifacts.open(artifact_at(server)) as stream, aclosing(aiter(stream)) as parts:
            assert await anext(parts) == CONTENT[:10]
        check_nothing_in_use(circle)


async def test_an_interruption_is_resumed_transparently() -> None:
    faults = [served(CONTENT, cut=10), answer(503, "busy"), served(CONTENT, cut=1_000_000), served(CONTENT)]
    async with raw_server(*faults) as server, client(server) as circle:
        assert await read(circle, server) == CONTENT
        assert [request.headers.get("range") for request in server.requests] == (
            [None, "bytes=10-", "bytes=10-", "bytes=1000010-"]
        )


@pytest.mark.parametrize(
    "again",
    [served(OTHER, etag='"v2"'), served(CONTENT, ranges=False), answer(416, "no")],
    ids=["another version", "no ranges", "no such range"],
)
async def test_a_restarted_body_is_an_error_and_never_a_mixture(again: Behaviour) -> None:
    given = b""
    behaviours = [served(CONTENT, cut=1000), again, served(OTHER, etag='"v2"')]
    async with raw_server(*behaviours) as server, client(server) as circle:
        with pytest.raises(ca.DownloadError, match=r"report\.bin: interrupted after 1000 bytes.*`artifacts\.download`"):
            async with circle.artifacts.open(artifact_at(server)) as stream:
                async for part in stream:
                    given += part
        assert given == CONTENT[:1000]
        check_nothing_in_use(circle)


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
async def test_without_a_strong_etag_an_interruption_is_an_error(etag: str | None) -> None:
    async with raw_server(served(CONTENT, etag=etag, cut=1000)) as server, client(server) as circle:
        with pytest.raises(ca.DownloadError, match="interrupted after 1000 bytes"):
            await read(circle, server)
        check_nothing_in_use(circle)


async def test_an_interruption_before_the_first_byte_is_a_plain_retry() -> None:
    async with raw_server(served(CONTENT, etag=None, cut=0), served(CONTENT)) as server, client(server) as circle:
        assert await read(circle, server) == CONTENT


async def test_an_empty_artifact_has_no_parts() -> None:
    async with raw_server(served(b"")) as server, client(server) as circle:
        async with circle.artifacts.open(artifact_at(server)) as stream:
            assert [part async for part in stream] == []
            assert stream.size == 0
        check_nothing_in_use(circle)


async def test_an_artifact_of_unknown_length_has_no_size() -> None:
    async with (
        raw_server(chunked(CONTENT[:5000])) as server,
        client(server) as circle,
        circle.artifacts.open(artifact_at(server)) as stream,
    ):
        assert b"".join([part async for part in stream]) == CONTENT[:5000]
        assert stream.size is None


@pytest.mark.parametrize(
    ("status", "kind", "requests"), [(404, ca.NotFound, 1), (401, ca.AuthenticationError, 1), (500, ca.ServerError, 5)]
)
async def test_an_error_is_raised_on_entering_the_block(status: int, kind: type[ca.ApiError], requests: int) -> None:
    async with raw_server(answer(status, {"message": "no"})) as server, client(server) as circle:
        with pytest.raises(kind):
            async with circle.artifacts.open(artifact_at(server)):
                pytest.fail("there is nothing to read")
        assert len(server.requests) == requests
        check_nothing_in_use(circle)


@pytest.mark.parametrize("url", ["", "ftp://example.com/x"])
async def test_a_url_that_is_not_http_is_refused(url: str) -> None:
    async with raw_server() as server, client(server) as circle:
        with pytest.raises(ca.DownloadError, match="must be an http"):
            async with circle.artifacts.open(Artifact(path="a", node_index=0, url=url)):
                pass


async def test_an_unsafe_path_is_accepted_since_nothing_is_written() -> None:
    async with (
        raw_server(served(CONTENT)) as server,
        client(server) as circle,
        circle.artifacts.open(artifact_at(server, "../../etc/passwd")) as stream,
    ):
        assert b"".join([part async for part in stream]) == CONTENT


async def test_leaving_early_releases_the_connection_and_the_permit() -> None:
    async with raw_server(served(CONTENT, cut=10, then=hang)) as server, client(server, concurrency=1) as circle:
        async with circle.artifacts.open(artifact_at(server)) as stream:
            async for _ in stream:
                break
        check_nothing_in_use(circle)
        while server.open_connections:  # until the client disconnects
            await asyncio.sleep(0.001)
        server.behaviours[:] = [served(CONTENT)]
        assert await read(circle, server) == CONTENT


async def test_an_error_in_the_block_closes_the_stream() -> None:
    async with raw_server(served(CONTENT)) as server, client(server, concurrency=1) as circle:
        with pytest.raises(LookupError):
            async with circle.artifacts.open(artifact_at(server)) as stream:
                async for _ in stream:
                    raise LookupError
        check_nothing_in_use(circle)
        assert await read(circle, server) == CONTENT


@pytest.mark.parametrize("turns", [0, 1, 3, 6, 10, 20, 40])
async def test_a_cancellation_closes_the_stream(turns: int) -> None:
    async with raw_server(served(CONTENT, cut=10, then=hang)) as server, client(server, concurrency=1) as circle:
        task = asyncio.create_task(read(circle, server))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        check_nothing_in_use(circle)
        server.behaviours[:] = [served(CONTENT)]
        assert await read(circle, server) == CONTENT


async def test_a_stream_cannot_be_read_after_its_block() -> None:
    """Reading would open a connection that is never closed."""
    async with raw_server(served(CONTENT)) as server, client(server) as circle:
        async with circle.artifacts.open(artifact_at(server)) as stream:
            async for _ in stream:
                break
        with pytest.raises(ca.DownloadError, match="closed"):
            async for _ in stream:
                pass
        assert len(server.requests) == 1
        check_nothing_in_use(circle)


async def test_a_complete_stream_is_exhausted_and_its_connection_reused() -> None:
    async with raw_server(served(CONTENT)) as server, client(server) as circle:
        async with circle.artifacts.open(artifact_at(server)) as stream:
            assert len(b"".join([part async for part in stream])) == len(CONTENT)
            check_nothing_in_use(circle)  # from its last byte on, not only when the block ends
            assert [part async for part in stream] == []
        assert await read(circle, server) == CONTENT
        assert (len(server.requests), server.open_connections) == (2, 1)


@fast_clock
async def test_a_stalled_stream_is_resumed_after_the_timeout() -> None:
    async with raw_server(served(CONTENT, cut=10, then=hang), served(CONTENT)) as server, client(server) as circle:
        assert await read(circle.with_options(timeout=30), server) == CONTENT


@fast_clock
async def test_the_deadline_applies_to_a_stream() -> None:
    async with raw_server(served(CONTENT, cut=10, then=hang)) as server, client(server) as circle:
        with pytest.raises(ca.RequestTimeout, match="deadline"):
            await read(circle.with_options(retry=ca.RetryPolicy(deadline=20)), server)
        check_nothing_in_use(circle)


async def test_a_stream_survives_interruptions_and_expired_signatures() -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline(branch="main").workflow("build").job("test")
    job.artifact("a", CONTENT)
    retry = ca.RetryPolicy(attempts=8, initial_delay=0.001, max_delay=0.01)
    async with FakeCircleCI(world) as fake, fake.client(retry=retry) as circle:
        fake.fail(origin="storage", cut=1_000_000, times=2)
        fake.fail(origin="artifacts", expired=True, after=1)
        artifact = await circle.artifacts.list("gh/acme/api", job.number or 0).first()
        assert artifact is not None
        async with circle.artifacts.open(artifact) as stream:
            assert b"".join([part async for part in stream]) == CONTENT
