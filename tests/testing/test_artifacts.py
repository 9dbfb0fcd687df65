"""Artifacts: a host that requires the token and redirects, and a storage that rejects it."""

import tracemalloc
from email.utils import format_datetime

import aiohttp
import pytest

from circleci_async.errors import InvalidArgument
from circleci_async.testing import Artifact, FakeCircleCI, Job, World

from .caller import Caller
from .clock import Clock


@pytest.fixture
def job(world: World) -> Job:
    return world.project("gh/acme/api").pipeline().workflow("build").job("test", parallelism=2)


@pytest.fixture
def artifact(job: Job) -> Artifact:
    return job.artifact("reports/junit.xml", b"0123456789")


async def _url(api: Caller, artifact: Artifact) -> str:
    listed = (await api.get(f"/project/gh/acme/api/{artifact.job.number}/artifacts"))["items"]
    return next(str(a["url"]) for a in listed if (a["path"], a["node_index"]) == (artifact.path, artifact.node))


async def test_an_artifact_is_listed_with_its_node_and_a_url_on_the_artifact_host(
    api: Caller, artifact: Artifact, job: Job
) -> None:
    job.artifact("reports/junit.xml", b"other node", node=1)

    first, second = (await api.get(f"/project/gh/acme/api/{job.number}/artifacts"))["items"]

    host = api.fake.artifact_host
    assert first == {
        "path": "reports/junit.xml",
        "node_index": 0,
        "url": f"http://{host}/output/job/{job.id}/artifacts/0/reports/junit.xml",
    }
    assert (second["node_index"], second["url"]) == (1, first["url"].replace("artifacts/0/", "artifacts/1/"))


async def test_the_artifact_host_redirects_to_a_third_origin(api: Caller, artifact: Artifact) -> None:
    location = await api.signed(await _url(api, artifact))

    assert location.startswith(f"http://{api.fake.storage_host}/bucket/")
    assert len({api.fake.url, f"http://{api.fake.artifact_host}", f"http://{api.fake.storage_host}"}) == 3
    assert await api.fetch(location) == (200, b"0123456789")
    assert api.answer.headers["Content-Length"] == "10"
    assert api.answer.headers["Accept-Ranges"] == "bytes"
    assert api.answer.headers["ETag"] == artifact.content.etag
    assert api.answer.headers["Last-Modified"] == format_datetime(artifact.modified, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "You must log in first."),
        ({"Circle-Token": ""}, "Invalid token provided."),
        ({"Authorization": "Bearer wrong"}, "Invalid token provided."),
    ],
)
async def test_the_artifact_host_requires_the_token(
    api: Caller, artifact: Artifact, headers: dict[str, str], message: str
) -> None:
    url = await _url(api, artifact)

    assert await api.fetch(url, **headers) == (401, f'{{"message":"{message}"}}'.encode())


async def test_artifacts_of_a_public_project_need_no_token_but_reject_an_invalid_one(api: Caller, world: World) -> None:
    job = world.project("gh/acme/open", public=True).pipeline().workflow().job("test")
    url = f"http://{api.fake.artifact_host}{job.artifact('a.txt', b'a').location}"

    assert (await api.fetch(url))[0] == 302
    assert (await api.fetch(url, Circle_Token=""))[0] == 401


@pytest.mark.parametrize("name", ["Authorization", "Circle-Token", "Cookie"])
async def test_the_storage_rejects_requests_with_credentials(api: Caller, artifact: Artifact, name: str) -> None:
    location = await api.signed(await _url(api, artifact))

    status, body = await api.fetch(location, **{name: "Bearer fake-token"})

    assert status == 400
    assert b"<Code>InvalidArgument</Code><Message>Only one auth mechanism allowed" in body
    assert api.answer.content_type == "application/xml"


async def test_a_signature_expires_after_its_lifetime(api: Caller, artifact: Artifact, clock: Clock) -> None:
    location = await api.signed(await _url(api, artifact))

    clock.wait(59.9)
    assert (await api.fetch(location))[0] == 200
    clock.wait(0.2)
    status, body = await api.fetch(location)
    assert (status, b"<Message>Request has expired</Message>" in body) == (403, True)
    assert (await api.fetch(await api.signed(await _url(api, artifact))))[0] == 200


async def test_a_lifetime_can_be_a_fraction_of_a_second(api: Caller, artifact: Artifact, clock: Clock) -> None:
    async with FakeCircleCI(api.fake.world, signature_lifetime=0.2) as fake:
        caller = Caller(fake, api.http)
        location = await caller.signed(await _url(caller, artifact))
        clock.wait(0.19)
        assert (await caller.fetch(location))[0] == 200
        clock.wait(0.02)
        assert (await caller.fetch(location))[0] == 403


async def test_a_signature_is_valid_for_one_path_one_method_and_one_server(
    api: Caller, artifact: Artifact, job: Job
) -> None:
    location = await api.signed(await _url(api, artifact))
    other = job.artifact("other.txt", b"other")

    for url in (
        location.replace(artifact.key, other.key),
        location.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
        location[:-1] + ("0" if location[-1] != "0" else "1"),
    ):
        status, body = await api.fetch(url)
        assert (status, b"<Code>SignatureDoesNotMatch</Code>" in body) == (403, True)
    assert await api.fetch(location, method="HEAD") == (403, b"")
    assert (await api.fetch(location, method="POST"))[0] == 403
    status, body = await api.fetch(location.partition("?")[0])
    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)


async def test_the_artifact_host_answers_get_and_head_only(api: Caller, artifact: Artifact) -> None:
    url = await _url(api, artifact)

    assert (await api.fetch(url, method="HEAD", Circle_Token="fake-token"))[0] == 302
    assert (await api.fetch(url, method="POST", Circle_Token="fake-token"))[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/output/job/none/artifacts/0/a.txt",
        "/output/job/{id}/artifacts/7/reports/junit.xml",
        "/output/job/{id}/artifacts/x/a",
    ],
)
async def test_a_missing_artifact_answers_404(api: Caller, artifact: Artifact, path: str) -> None:
    url = f"http://{api.fake.artifact_host}{path.format(id=artifact.job.id)}"

    assert await api.fetch(url, Circle_Token="fake-token") == (404, b'{"message":"Not found"}')


@pytest.mark.parametrize(
    "path",
    [
        "a b.txt",
        "größe.txt",
        "100%.txt",
        "a+b.txt",
        "a?b#c.txt",
        "dist/app%2Fx",
        "a\\b",
        "/etc/passwd",
        "a//b",
        "CON",
        "a&b=c;d",
    ],
)
async def test_any_name_can_be_served(api: Caller, job: Job, path: str) -> None:
    artifact = job.artifact(path, path.encode())

    location = await api.signed(await _url(api, artifact))

    assert await api.fetch(location) == (200, path.encode())


@pytest.mark.parametrize(
    ("asked", "sent", "span"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-300", b"0123456789", "bytes 0-9/10"),
        ("bytes=8-300", b"89", "bytes 8-9/10"),
        ("bytes=9-9", b"9", "bytes 9-9/10"),
    ],
)
async def test_a_range_request_returns_the_range_only(
    api: Caller, artifact: Artifact, asked: str, sent: bytes, span: str
) -> None:
    location = await api.signed(await _url(api, artifact))

    assert await api.fetch(location, Range=asked) == (206, sent)
    assert api.answer.headers["Content-Range"] == span
    assert api.answer.headers["Content-Length"] == str(len(sent))


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=400-500", "bytes=-0"])
async def test_a_range_beyond_the_end_answers_416(api: Caller, artifact: Artifact, asked: str) -> None:
    location = await api.signed(await _url(api, artifact))

    status, body = await api.fetch(location, Range=asked)

    assert (status, b"<Code>InvalidRange</Code>" in body) == (416, True)
    assert api.answer.headers["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=3-2", "bytes=-", "lines=0-1", "bytes", "bytes=a-b"])
async def test_an_invalid_range_returns_the_whole_content(api: Caller, artifact: Artifact, asked: str) -> None:
    location = await api.signed(await _url(api, artifact))

    assert await api.fetch(location, Range=asked) == (200, b"0123456789")


async def test_if_range_returns_a_part_of_the_same_version_only(api: Caller, artifact: Artifact, clock: Clock) -> None:
    location = await api.signed(await _url(api, artifact))
    etag, date = artifact.content.etag, format_datetime(artifact.modified, usegmt=True)

    for condition in (etag, date):
        assert await api.fetch(location, Range="bytes=4-", If_Range=condition) == (206, b"456789")
    for condition in ('"other"', f"W/{etag}", "nonsense"):
        assert await api.fetch(location, Range="bytes=4-", If_Range=condition) == (200, b"0123456789")

    artifact.replace(b"9876543210")
    for condition in (etag, date):
        assert await api.fetch(location, Range="bytes=4-", If_Range=condition) == (200, b"9876543210")
    assert api.answer.headers["ETag"] not in (etag, "")


async def test_if_match_rejects_another_version(api: Caller, artifact: Artifact) -> None:
    location = await api.signed(await _url(api, artifact))

    for condition in (artifact.content.etag, f'"x", {artifact.content.etag}', "*"):
        assert (await api.fetch(location, If_Match=condition))[0] == 200
    status, body = await api.fetch(location, If_Match='"other"')
    assert (status, b"<Code>PreconditionFailed</Code>" in body) == (412, True)


async def test_a_deleted_artifact_is_not_listed_and_answers_404(api: Caller, artifact: Artifact, job: Job) -> None:
    url = await _url(api, artifact)
    location = await api.signed(url)

    artifact.delete()

    assert (await api.get(f"/project/gh/acme/api/{job.number}/artifacts"))["items"] == []
    assert (await api.fetch(url, Circle_Token="fake-token"))[0] == 404
    status, body = await api.fetch(location)
    assert (status, b"<Code>NoSuchKey</Code>" in body) == (404, True)


async def test_an_empty_artifact_is_sent_and_has_no_range(api: Caller, job: Job) -> None:
    location = await api.signed(await _url(api, job.artifact("empty", b"")))

    assert await api.fetch(location) == (200, b"")
    assert (await api.fetch(location, Range="bytes=0-"))[0] == 416


async def test_the_storage_can_omit_ranges_etags_and_lengths(api: Caller, artifact: Artifact) -> None:
    async with FakeCircleCI(api.fake.world, ranges=False, etags=False, lengths=False) as fake:
        caller = Caller(fake, api.http)
        location = await caller.signed(await _url(caller, artifact))

        assert await caller.fetch(location, Range="bytes=4-") == (200, b"0123456789")
        assert caller.answer.headers["Transfer-Encoding"] == "chunked"
        assert not {"ETag", "Content-Length", "Accept-Ranges"} & caller.answer.headers.keys()


async def test_without_etags_if_range_never_matches(api: Caller, artifact: Artifact) -> None:
    async with FakeCircleCI(api.fake.world, etags=False) as fake:
        caller = Caller(fake, api.http)
        location = await caller.signed(await _url(caller, artifact))

        answer = await caller.fetch(location, Range="bytes=4-", If_Range=artifact.content.etag)

    assert answer == (200, b"0123456789")


async def test_generated_bytes_depend_on_the_world_only(api: Caller, job: Job) -> None:
    artifact = job.artifact("big.bin", size=3_000_000)
    location = await api.signed(await _url(api, artifact))

    _, whole = await api.fetch(location)
    _, part = await api.fetch(location, Range="bytes=1000000-2999998")

    assert (len(whole), whole) == (3_000_000, artifact.data)
    assert part == whole[1_000_000:2_999_999]
    assert whole[: 1 << 20] != whole[1 << 20 : 2 << 20]
    twin = World().project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big.bin", size=3_000_000)
    assert (twin.sha256, twin.content.etag) == (artifact.sha256, artifact.content.etag)
    assert job.artifact("other.bin", size=3_000_000).sha256 != artifact.sha256


async def test_a_large_artifact_is_served_in_constant_memory(api: Caller, job: Job) -> None:
    artifact = job.artifact("huge.bin", size=64 << 20)
    location = await api.signed(await _url(api, artifact))
    received = 0
    tracemalloc.start()
    try:
        async with aiohttp.request("GET", location) as answer:
            async for chunk in answer.content.iter_chunked(1 << 20):
                received += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert received == artifact.size == 64 << 20
    assert peak < 16 << 20


def test_replaced_content_has_another_etag(artifact: Artifact, clock: Clock) -> None:
    seen = {artifact.content.etag}
    clock.wait(1)
    artifact.replace(size=10)
    seen.add(artifact.content.etag)
    first = artifact.data
    artifact.replace(size=10)
    seen.add(artifact.content.etag)

    assert len(seen) == 3
    assert artifact.data != first
    assert artifact.modified == clock.now


def test_an_artifact_is_given_or_generated_but_not_both(job: Job) -> None:
    for arguments in ({}, {"data": b"", "size": 0}, {"size": -1}):
        with pytest.raises(InvalidArgument, match="size"):
            job.artifact("a", **arguments)
    with pytest.raises(InvalidArgument, match="node"):
        job.artifact("a", b"", node=2)
    job.artifact("a", b"", node=1)
    with pytest.raises(InvalidArgument, match="path"):
        job.artifact("a", b"", node=1)
