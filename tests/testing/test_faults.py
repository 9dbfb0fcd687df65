"""Planned faults, on each origin."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from circleci_async.errors import InvalidArgument
from circleci_async.testing import Artifact, FakeCircleCI, Fault, RateLimit, World

from .caller import Caller

TRIGGER = "/project/gh/acme/api/pipeline"


@pytest.fixture
def artifact(world: World) -> Artifact:
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test")
    return job.artifact("a.bin", size=300_000)


def _url(api: Caller, artifact: Artifact) -> str:
    return f"http://{api.fake.artifact_host}{artifact.location}"


async def _raw(api: Caller, request: bytes) -> tuple[bytes, BaseException | None]:
    """Send bytes to the API, and return the received bytes and the error that ended the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.fake.url.rpartition(":")[2]))
    writer.write(request)
    received = b""
    try:
        while piece := await reader.read(65536):
            received += piece
    except ConnectionError as error:
        return received, error
    finally:
        writer.close()
    return received, None


async def test_times_and_after_limit_the_affected_requests(api: Caller) -> None:
    fault = api.fake.fail("/api/v2/me", status=503, after=1, times=2)

    statuses: list[int] = []
    for _ in range(4):
        statuses.append((await api.fetch(f"{api.fake.url}/api/v2/me", Circle_Token="fake-token"))[0])

    assert statuses == [200, 503, 503, 200]
    assert (fault.hits, fault.live) == (2, False)


async def test_stop_ends_a_fault(api: Caller) -> None:
    fault = api.fake.fail("/api/v2/me", status=500, times=None)
    for _ in range(3):
        await api.get("/me", status=500)

    fault.stop()

    await api.get("/me")
    assert (fault.hits, fault.live) == (3, False)


@pytest.mark.parametrize(
    ("path", "options", "struck"),
    [
        ("*", {}, True),
        ("/api/v2/project/*", {}, True),
        ("*/a b/*", {}, True),
        ("*/a%20b/*", {}, True),
        ("*", {"method": "GET"}, True),
        ("*", {"origin": "api"}, True),
        ("/api/v2/me", {}, False),
        ("*", {"method": "POST"}, False),
        ("*", {"origin": "artifacts"}, False),
        ("*", {"origin": "storage"}, False),
    ],
)
async def test_a_fault_affects_matching_requests(
    api: Caller, world: World, path: str, options: dict[str, Any], struck: bool
) -> None:
    world.project("gh/a b/api")
    fault = api.fake.fail(path, status=500, **options)

    await api.get("/project/gh/a%20b/api", status=500 if struck else 200)

    assert fault.hits == int(struck)


async def test_the_first_matching_fault_applies(api: Caller) -> None:
    first = api.fake.fail("/api/v2/me", status=500)
    second = api.fake.fail("*", status=502, times=None)

    await api.get("/me", status=500)
    await api.get("/me", status=502)

    assert (first.hits, second.hits) == (1, 1)


async def test_a_fault_sets_status_and_body(api: Caller) -> None:
    url = f"{api.fake.url}/api/v2/me"
    cases: list[tuple[Fault, int, bytes, str]] = [
        (api.fake.fail(status=418), 418, b'{"message":"I\'m a Teapot."}', "application/json"),
        (api.fake.fail(status=599), 599, b'{"message":"Status 599."}', "application/json"),
        (api.fake.fail(body="<html>Oh no</html>", status=503), 503, b"<html>Oh no</html>", "text/html"),
        (api.fake.fail(body="Rate limited.", status=429), 429, b"Rate limited.", "text/plain"),
        (api.fake.fail(body=b"\0\1"), 200, b"\0\1", "application/octet-stream"),
        (api.fake.fail(body={"id": None}), 200, b'{"id": null}', "application/json"),
        (api.fake.fail(body=[]), 200, b"[]", "application/json"),
        (api.fake.fail(body=""), 200, b"", "text/plain"),
    ]
    for fault, status, body, kind in cases:
        assert await api.fetch(url) == (status, body)
        assert api.answer.content_type.lower() == kind
        assert fault.hits == 1


async def test_headers_are_added_or_replaced(api: Caller) -> None:
    api.fake.fail("*", status=429, headers={"Retry-After": "86400", "content-type": "text/x"})
    await api.fetch(f"{api.fake.url}/api/v2/me")
    assert api.answer.headers["Retry-After"] == "86400"
    assert api.answer.headers.getall("Content-Type") == ["text/x"]

    api.fake.fail("*", headers={"Sunset": "tomorrow"})
    assert (await api.get("/me"))["login"] == "octo-dev"
    assert api.answer.headers["Sunset"] == "tomorrow"


async def test_a_replaced_response_has_no_effect(api: Caller, world: World) -> None:
    project = world.project("gh/acme/api")
    api.fake.fail(method="POST", status=500)

    await api.post(TRIGGER, status=500)

    assert project.pipelines.all == []


async def test_a_reset_before_has_no_effect(api: Caller, world: World) -> None:
    project = world.project("gh/acme/api")
    fault = api.fake.fail(method="POST", reset="before")

    with pytest.raises(aiohttp.ClientConnectionError):
        await api.post(TRIGGER, {"branch": "main"}, status=201)

    assert project.pipelines.all == []
    assert fault.hits == 1
    assert [(each.body, each.status) for each in api.fake.requests] == [(b"", None)]
    await api.post(TRIGGER, {"branch": "main"}, status=201)


async def test_a_reset_after_has_its_effect(api: Caller, world: World) -> None:
    project = world.project("gh/acme/api")
    api.fake.fail(method="POST", reset="after")

    with pytest.raises(aiohttp.ClientConnectionError):
        await api.post(TRIGGER, {"branch": "lost"}, status=201)

    assert [pipeline.branch for pipeline in project.pipelines.all] == ["lost"]
    assert [(each.body, each.status) for each in api.fake.requests] == [(b'{"branch": "lost"}', None)]


@pytest.mark.parametrize("reset", ["before", "after"])
async def test_a_reset_sends_rst(api: Caller, reset: Any) -> None:
    api.fake.fail(reset=reset)

    received, error = await _raw(api, b"GET /api/v2/me HTTP/1.1\r\nHost: x\r\nCircle-Token: fake-token\r\n\r\n")

    assert received == b""
    assert isinstance(error, ConnectionResetError)


@pytest.mark.parametrize("cut", [0, 1, 50, 10_000])
async def test_a_cut_sends_full_headers_and_part_of_the_body(api: Caller, cut: int) -> None:
    whole = json.dumps(await api.get("/me"), separators=(",", ":")).encode()
    api.fake.fail(cut=cut)

    received, error = await _raw(api, b"GET /api/v2/me HTTP/1.1\r\nHost: x\r\nCircle-Token: fake-token\r\n\r\n")

    head, _, body = received.partition(b"\r\n\r\n")
    assert error is None
    assert f"Content-Length: {len(whole)}".encode() in head
    assert body == whole[:cut]


@pytest.mark.parametrize("lengths", [True, False])
async def test_a_download_can_be_cut(artifact: Artifact, api: Caller, lengths: bool) -> None:
    async with FakeCircleCI(api.fake.world, lengths=lengths) as fake:
        caller = Caller(fake, api.http)
        location = await caller.signed(_url(caller, artifact))
        fault = fake.fail(origin="storage", cut=290_001)
        received = b""

        with pytest.raises(aiohttp.ClientPayloadError):
            async with aiohttp.request("GET", location) as answer:
                async for chunk in answer.content.iter_any():
                    received += chunk

        assert received == artifact.data[:290_001]
        assert fault.hits == 1
        assert (await caller.fetch(location))[1] == artifact.data


async def test_broken_json_is_truncated(api: Caller) -> None:
    api.fake.fail(broken_json=True)

    status, body = await api.fetch(f"{api.fake.url}/api/v2/me", Circle_Token="fake-token")

    assert (status, body[:7], api.answer.content_type) == (200, b'{"id":"', "application/json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


async def test_a_redirect_can_carry_an_expired_signature(api: Caller, artifact: Artifact) -> None:
    api.fake.fail(origin="artifacts", expired=True)

    stale, fresh = await api.signed(_url(api, artifact)), await api.signed(_url(api, artifact))

    status, body = await api.fetch(stale)
    assert (status, b"Request has expired" in body) == (403, True)
    assert (await api.fetch(fresh))[0] == 200


async def test_a_signature_can_expire_at_the_storage(api: Caller, artifact: Artifact) -> None:
    location = await api.signed(_url(api, artifact))
    api.fake.fail(origin="storage", expired=True)

    assert [(await api.fetch(location))[0], (await api.fetch(location))[0]] == [403, 200]


async def test_faults_of_the_storage_are_xml(api: Caller, artifact: Artifact) -> None:
    location = await api.signed(_url(api, artifact))
    api.fake.fail(origin="storage", status=503)

    status, body = await api.fetch(location)

    assert (status, body.startswith(b"<?xml")) == (503, True)


async def test_the_effect_precedes_the_delay(api: Caller, world: World) -> None:
    project = world.project("gh/acme/api")
    api.fake.fail(method="POST", delay=60)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await api.post(TRIGGER, status=201)

    assert len(project.pipelines.all) == 1
    assert api.fake.requests[0].status is None


async def test_a_delayed_response_arrives(api: Caller) -> None:
    api.fake.fail(delay=0.1)
    begin = time.monotonic()

    await api.get("/me")

    assert time.monotonic() - begin >= 0.1


async def test_a_reset_can_be_delayed(api: Caller) -> None:
    api.fake.fail(reset="before", delay=0.1)
    begin = time.monotonic()

    _, error = await _raw(api, b"GET /api/v2/me HTTP/1.1\r\nHost: x\r\n\r\n")

    assert isinstance(error, ConnectionResetError)
    assert time.monotonic() - begin >= 0.1


async def test_an_affected_request_is_not_rate_limited(world: World, http: aiohttp.ClientSession) -> None:
    async with FakeCircleCI(world, rate_limit=RateLimit(0.001, burst=1)) as fake:
        api = Caller(fake, http)
        fake.fail(status=503, times=3)
        for _ in range(3):
            await api.get("/me", status=503)
        await api.get("/me")

    assert fake.rate_limited == 0


def test_a_fault_without_effect_is_rejected() -> None:
    fake = FakeCircleCI()

    with pytest.raises(InvalidArgument, match="needs an effect"):
        fake.fail("/api/v2/me", times=3)
    with pytest.raises(InvalidArgument, match="expired"):
        fake.fail(origin="api", expired=True)
