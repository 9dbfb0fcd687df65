"""Artifact host and storage: which of them gets the token, what expires, and which errors are final."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from tests.downloads.file_server import (
    TOKEN,
    all_files,
    artifact_at,
    by_path,
    client,
    in_sequence,
    random_bytes,
    redirect,
    served,
)
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_in_use
from tests.raw_server import Behaviour, RawServer, Request, answer, raw_server

CONTENT = random_bytes(50_000)

CREDENTIALS = {"circle-token", "authorization", "cookie", "proxy-authorization", "referer"}


@asynccontextmanager
async def three_origins(
    storage: Behaviour, *, artifacts: Behaviour | None = None
) -> AsyncGenerator[tuple[RawServer, RawServer, RawServer], None]:
    """API, artifact host and storage. The artifact host redirects to another signed address each time."""
    async with AsyncExitStack() as stack:
        stored = await stack.enter_async_context(raw_server(storage))
        redirects = [
            answer(302, b"", {"Location": f"{stored.url}/bucket/file?signature={n}", "Set-Cookie": "session=1"})
            for n in range(20)
        ]
        host = await stack.enter_async_context(raw_server(*([artifacts] if artifacts else redirects)))
        api = await stack.enter_async_context(raw_server(answer(404, {})))
        yield api, host, stored


def targets(server: RawServer) -> list[str]:
    return [request.target for request in server.requests]


def credentials(requests: list[Request]) -> set[str]:
    return {name for request in requests for name in request.headers if name in CREDENTIALS}


@pytest.mark.parametrize(
    ("auth", "header"),
    [("circle-token", "circle-token"), ("bearer", "authorization"), ("basic", "authorization")],
)
async def test_the_token_is_sent_to_the_artifact_host_and_not_to_the_storage(
    auth: Literal["circle-token", "bearer", "basic"], header: str, tmp_path: Path
) -> None:
    storage = in_sequence(served(CONTENT, cut=10_000), answer(403, "expired"), served(CONTENT))
    async with three_origins(storage) as (api, host, stored):
        retry = ca.RetryPolicy(initial_delay=0.001, max_delay=0.01)
        async with ca.CircleCI(TOKEN, host=api.url, artifact_hosts=[host.host], auth=auth, retry=retry) as circle:
            got = await circle.artifacts.download(artifact_at(host), tmp_path)
            got = await circle.artifacts.download(artifact_at(host), tmp_path)
    assert got.path.read_bytes() == CONTENT
    assert len(stored.requests) == 4
    assert [set(request.headers) & CREDENTIALS for request in host.requests] == [{header}] * 4
    assert credentials(stored.requests) == set()
    assert all(TOKEN not in f"{request.target}{request.headers}" for request in stored.requests)


async def test_the_token_is_not_sent_to_an_untrusted_host(tmp_path: Path) -> None:
    async with raw_server(answer(404, {})) as api, raw_server(served(CONTENT)) as stranger, client(api) as circle:
        await circle.artifacts.download(artifact_at(stranger), tmp_path)
        assert credentials(stranger.requests) == set()


async def test_a_redirect_back_to_a_trusted_host_gets_the_token_again(tmp_path: Path) -> None:
    async with (
        raw_server(answer(404, {})) as api,
        raw_server() as host,
        raw_server(redirect(f"{host.url}/end")) as between,
        client(api, host) as circle,
    ):
        host.behaviours.append(by_path({"/file": redirect(f"{between.url}/x"), "/end": served(CONTENT)}))
        await circle.artifacts.download(artifact_at(host), tmp_path)
        assert [request.headers.get("circle-token") for request in host.requests] == [TOKEN, TOKEN]
        assert credentials(between.requests) == set()


async def test_a_download_is_resumed_through_the_original_url_with_a_new_signature(tmp_path: Path) -> None:
    storage = in_sequence(served(CONTENT, cut=10_000), served(CONTENT, cut=10_000), served(CONTENT))
    async with three_origins(storage) as (api, host, stored), client(api, host) as circle:
        got = await circle.artifacts.download(artifact_at(host), tmp_path)
        assert (got.path.read_bytes(), got.resumed) == (CONTENT, 2)
        assert targets(host) == ["/file"] * 3
        assert targets(stored) == [f"/bucket/file?signature={n}" for n in range(3)]
        assert [request.headers.get("range") for request in stored.requests] == [None, "bytes=10000-", "bytes=20000-"]
        assert stored.requests[1].headers["if-range"] == '"v1"'


@pytest.mark.parametrize("status", [400, 403])
async def test_an_expired_signature_is_renewed_through_the_original_url(status: int, tmp_path: Path) -> None:
    expired = answer(status, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
    storage = in_sequence(expired, served(CONTENT, cut=10_000), expired, expired, served(CONTENT))
    async with three_origins(storage) as (api, host, stored), client(api, host) as circle:
        got = await circle.artifacts.download(artifact_at(host), tmp_path)
        assert (got.path.read_bytes(), got.resumed) == (CONTENT, 1)
        assert len(host.requests) == len(stored.requests) == 5
        assert len(set(targets(stored))) == 5


async def test_a_permanent_refusal_by_the_storage_is_raised_without_its_url(tmp_path: Path) -> None:
    refusal = answer(403, "<Error><Code>AccessDenied</Code><Message>Denied for good</Message></Error>")
    async with three_origins(refusal) as (api, host, stored), client(api, host, attempts=3) as circle:
        with pytest.raises(ca.PermissionDenied, match="Denied for good") as caught:
            await circle.artifacts.download(artifact_at(host), tmp_path / "out")
        assert len(stored.requests) == 3
        assert "signature" not in f"{caught.value} {vars(caught.value)}"
        assert all_files(tmp_path / "out") == {}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ca.BadRequest), (401, ca.AuthenticationError), (403, ca.PermissionDenied), (404, ca.NotFound)],
)
async def test_a_refusal_by_the_artifact_host_itself_is_final(
    status: int, kind: type[ca.ApiError], tmp_path: Path
) -> None:
    async with three_origins(served(CONTENT), artifacts=answer(status, {"message": "no"})) as (api, host, stored):
        async with client(api, host) as circle:
            with pytest.raises(kind, match="no"):
                await circle.artifacts.download(artifact_at(host), tmp_path / "out")
        assert (len(host.requests), len(stored.requests)) == (1, 0)
        assert all_files(tmp_path / "out") == {}


@pytest.mark.parametrize(("status", "kind"), [(404, ca.NotFound), (401, ca.AuthenticationError), (410, ca.Gone)])
async def test_a_file_missing_in_the_storage_is_not_retried(
    status: int, kind: type[ca.ApiError], tmp_path: Path
) -> None:
    async with three_origins(answer(status, "NoSuchKey")) as (api, host, stored), client(api, host) as circle:
        with pytest.raises(kind):
            await circle.artifacts.download(artifact_at(host), tmp_path / "out")
        assert len(host.requests) == len(stored.requests) == 1
        assert all_files(tmp_path / "out") == {}


@fast_clock
async def test_a_429_of_the_artifact_host_pauses_all_calls(tmp_path: Path) -> None:
    limited = in_sequence(answer(429, {"message": "slow down"}, {"Retry-After": "30"}), served(CONTENT))
    async with raw_server(answer(404, {})) as api, raw_server(limited) as host, client(api, host) as circle:
        artifacts = [artifact_at(host, f"{n}.bin") for n in range(8)]
        report = await circle.artifacts.download_all(artifacts, tmp_path, concurrency=1)
        report.raise_for_failures()
        first, *others = [request.at for request in host.requests]
        assert len(others) == 8
        assert all(at - first >= 30 for at in others)
        assert (circle.stats.rate_limited, circle.stats.paused >= 30) == (1, True)


@fast_clock
async def test_the_retry_after_of_the_storage_is_respected(tmp_path: Path) -> None:
    storage = in_sequence(served(CONTENT, cut=10), answer(503, "SlowDown", {"Retry-After": "7"}), served(CONTENT))
    async with three_origins(storage) as (api, host, stored), client(api, host) as circle:
        got = await circle.artifacts.download(artifact_at(host), tmp_path)
        assert got.path.read_bytes() == CONTENT
        assert stored.requests[2].at - stored.requests[1].at >= 7


@fast_clock
async def test_waiting_for_a_retry_holds_no_permit(tmp_path: Path) -> None:
    busy = answer(503, "SlowDown", {"Retry-After": "30"})
    me = answer(200, {"id": "1", "login": "me", "name": "Me"})
    routes = {"/file": in_sequence(served(CONTENT, cut=10), busy, served(CONTENT)), "/api/v2/me": me}
    async with raw_server(by_path(routes)) as server, client(server, concurrency=1) as circle:
        download = asyncio.create_task(circle.artifacts.download(artifact_at(server), tmp_path))
        while len(server.requests) < 2:
            await asyncio.sleep(0.01)
        await circle.users.me()
        await download
    assert [request.path for request in server.requests] == ["/file", "/file", "/api/v2/me", "/file"]
    assert server.requests[2].at - server.requests[1].at < 30 <= server.requests[3].at - server.requests[1].at


async def test_endless_redirects_are_an_error(tmp_path: Path) -> None:
    async with raw_server(redirect("/file")) as server, client(server) as circle:
        with pytest.raises(ca.ApiError, match="redirects"):
            await circle.artifacts.download(artifact_at(server), tmp_path / "out")
        assert len(server.requests) == 11
        assert all_files(tmp_path / "out") == {}


@pytest.mark.parametrize("location", ["http://127.0.0.1:1/x", "ftp://127.0.0.1/x", "http://[", "", "http:///x"])
async def test_an_invalid_redirect_is_a_circleci_error(location: str, tmp_path: Path) -> None:
    async with raw_server(redirect(location)) as server, client(server, attempts=2) as circle:
        with pytest.raises(ca.CircleCIError):
            await circle.artifacts.download(artifact_at(server), tmp_path / "out")
        assert all_files(tmp_path / "out") == {}
        check_nothing_in_use(circle)


async def test_a_signed_url_is_sent_unchanged(tmp_path: Path) -> None:
    signed = "/bucket/a%20b%2Fc%2B+d?X-Amz-Credential=A%2F1%2Fs3&sig=a%2Bb%3D%3D&x=%E2%82%AC"
    async with raw_server(by_path({"/file": redirect(signed)})) as server, client(server) as circle:
        with pytest.raises(ca.NotFound):
            await circle.artifacts.download(artifact_at(server), tmp_path)
        assert targets(server) == ["/file", signed]


def world_with(files: Mapping[str, bytes]) -> tuple[World, int]:
    world = World()
    job = world.project("gh/acme/api").pipeline(branch="main").workflow("build").job("test")
    for path, content in files.items():
        job.artifact(path, content)
    return world, job.number or 0


async def test_a_download_survives_all_faults_at_once(tmp_path: Path) -> None:
    world, number = world_with({"dist/app.bin": CONTENT})
    retry = ca.RetryPolicy(attempts=8, initial_delay=0.001, max_delay=0.01)
    async with FakeCircleCI(world) as fake, fake.client(retry=retry) as circle:
        fake.fail(origin="storage", cut=10_000, times=2)
        fake.fail(origin="artifacts", expired=True, after=2)
        fake.fail(origin="artifacts", status=503, after=2)
        fake.fail(origin="storage", reset="after", after=1)
        fake.fail(origin="storage", expired=True, after=1)
        artifact = await circle.artifacts.list("gh/acme/api", number).first()
        assert artifact is not None
        got = await circle.artifacts.download(artifact, tmp_path)
        stored = [request for request in fake.requests if request.origin == "storage"]
    assert (got.path.read_bytes(), got.resumed, got.verified) == (CONTENT, 2, True)
    assert got.path == tmp_path / "dist" / "app.bin"
    assert not any(re.search("(?i)circle-token|authorization|cookie", name) for r in stored for name in r.headers)


@pytest.mark.parametrize("etags", [True, False])
async def test_a_download_starts_over_without_ranges(etags: bool, tmp_path: Path) -> None:
    world, number = world_with({"a": CONTENT})
    retry = ca.RetryPolicy(initial_delay=0.001, max_delay=0.01)
    async with FakeCircleCI(world, ranges=False, etags=etags) as fake, fake.client(retry=retry) as circle:
        fake.fail(origin="storage", cut=10_000, times=3)
        report = await circle.artifacts.download_all(circle.artifacts.list("gh/acme/api", number), tmp_path)
    report.raise_for_failures()
    [got] = report.files
    assert (got.path.read_bytes(), got.resumed) == (CONTENT, 0)


async def test_a_download_without_content_length_is_verified_only_by_a_range(
    tmp_path: Path,
) -> None:
    world, number = world_with({"a": CONTENT, "b": CONTENT})
    retry = ca.RetryPolicy(initial_delay=0.001, max_delay=0.01)
    async with FakeCircleCI(world, lengths=False) as fake, fake.client(retry=retry) as circle:
        fake.fail("*/b", origin="storage", cut=10_000)
        report = await circle.artifacts.download_all(circle.artifacts.list("gh/acme/api", number), tmp_path)
    report.raise_for_failures()
    assert {file.artifact.path: (file.resumed, file.verified) for file in report.files} == (
        {"a": (0, False), "b": (1, True)}
    )
    assert all(file.path.read_bytes() == CONTENT for file in report.files)
