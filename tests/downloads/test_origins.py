"""Artifact host and storage: who is sent the token, what expires, and whose errors are final."""

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
    in_turn,
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
async def test_the_artifact_host_is_sent_the_token_and_the_storage_is_sent_nothing(
    auth: Literal["circle-token", "bearer", "basic"], header: str, tmp_path: Path
) -> None:
    storage = in_turn(served(CONTENT, cut=10_000), answer(403, "expired"), served(CONTENT))
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


async def test_a_host_that_is_not_trusted_is_sent_no_token_either(tmp_path: Path) -> None:
    async with raw_server(answer(404, {})) as api, raw_server(served(CONTENT)) as stranger, client(api) as circle:
        await circle.artifacts.download(artifact_at(stranger), tmp_path)
        assert credentials(stranger.requests) == set()


async def test_a_redirect_back_to_a_trusted_host_is_sent_the_token_again_and_only_there(tmp_path: Path) -> None:
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


async def test_a_cut_is_taken_up_through_the_original_address_with_a_fresh_signature(tmp_path: Path) -> None:
    storage = in_turn(served(CONTENT, cut=10_000), served(CONTENT, cut=10_000), served(CONTENT))
    async with three_origins(storage) as (api, host, stored), client(api, host) as circle:
        got = await circle.artifacts.download(artifact_at(host), tmp_path)
        assert (got.path.read_bytes(), got.resumed) == (CONTENT, 2)
        assert targets(host) == ["/file"] * 3
        assert targets(stored) == [f"/bucket/file?signature={n}" for n in range(3)]
        assert [request.headers.get("range") for request in stored.requests] == [None, "bytes=10000-", "bytes=20000-"]
        assert stored.requests[1].headers["if-range"] == '"v1"'


@pytest.mark.parametrize("status", [400, 403])
async def test_an_expired_signature_is_asked_for_again_at_the_source(status: int, tmp_path: Path) -> None:
    expired = answer(status, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
    storage = in_turn(expired, served(CONTENT, cut=10_000), expired, expired, served(CONTENT))
    async with three_origins(storage) as (api, host, stored), client(api, host) as circle:
        got = await circle.artifacts.download(artifact_at(host), tmp_path)
        assert (got.path.read_bytes(), got.resumed) == (CONTENT, 1)
        assert len(host.requests) == len(stored.requests) == 5
        assert len(set(targets(stored))) == 5


async def test_a_storage_that_always_refuses_is_given_up_and_its_address_not_shown(tmp_path: Path) -> None:
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
async def test_what_the_storage_does_not_have_is_not_asked_for_again(
    status: int, kind: type[ca.ApiError], tmp_path: Path
) -> None:
    async with three_origins(answer(status, "NoSuchKey")) as (api, host, stored), client(api, host) as circle:
        with pytest.raises(kind):
            await circle.artifacts.download(artifact_at(host), tmp_path / "out")
        assert len(host.requests) == len(stored.requests) == 1
        assert all_files(tmp_path / "out") == {}


@fast_clock
async def test_a_429_of_the_artifact_host_holds_everybody_back(tmp_path: Path) -> None:
    limited = in_turn(answer(429, {"message": "slow down"}, {"Retry-After": "30"}), served(CONTENT))
    async with raw_server(answer(404, {})) as api, raw_server(limited) as host, client(api, host) as circle:
        artifacts = [artifact_at(host, f"{n}.bin") for n in range(8)]
        report = await circle.artifacts.download_all(artifacts, tmp_path, concurrency=1)
        report.raise_for_failures()
        first, *others = [request.at for request in host.requests]
        assert len(others) == 8
        assert all(at - first >= 30 for at in others)
        assert (circle.stats.rate_limited, circle.stats.paused >= 30) == (1, True)


@fast_clock
async def test_the_storages_retry_after_is_obeyed(tmp_path: Path) -> None:
    storage = in_turn(served(CONTENT, cut=10), answer(503, "SlowDown", {"Retry-After": "7"}), served(CONTENT))
    async with three_origins(storage) as (api, host, stored), client(api, host) as circle:
        got = await circle.artifacts.download(artifact_at(host), tmp_path)
        assert got.path.read_bytes() == CONTENT
        assert stored.requests[2].at - stored.requests[1].at >= 7


@fast_clock
async def test_waiting_for_another_try_holds_no_slot_of_the_client(tmp_path: Path) -> None:
    busy = answer(503, "SlowDown", {"Retry-After": "30"})
    me = answer(200, {"id": "1", "login": "me", "name": "Me"})
    routes = {"/file": in_turn(served(CONTENT, cut=10), busy, served(CONTENT)), "/api/v2/me": me}
    async with raw_server(by_path(routes)) as server, client(server, concurrency=1) as circle:
        download = asyncio.create_task(circle.artifacts.download(artifact_at(server), tmp_path))
        while len(server.requests) < 2:
            await asyncio.sleep(0.01)
        await circle.users.me()
        await download
    assert [request.path for request in server.requests] == ["/file", "/file", "/api/v2/me", "/file"]
    assert server.requests[2].at - server.requests[1].at < 30 <= server.requests[3].at - server.requests[1].at


async def test_redirects_that_never_end_are_given_up(tmp_path: Path) -> None:
    async with raw_server(redirect("/file")) as server, client(server) as circle:
        with pytest.raises(ca.ApiError, match="redirects"):
            await circle.artifacts.download(artifact_at(server), tmp_path / "out")
        assert len(server.requests) == 11
        assert all_files(tmp_path / "out") == {}


@pytest.mark.parametrize("location", ["http://127.0.0.1:1/x", "ftp://127.0.0.1/x", "http://[", "", "http:///x"])
async def test_a_redirect_to_nowhere_is_an_error_of_this_package(location: str, tmp_path: Path) -> None:
    async with raw_server(redirect(location)) as server, client(server, attempts=2) as circle:
        with pytest.raises(ca.CircleCIError):
            await circle.artifacts.download(artifact_at(server), tmp_path / "out")
        assert all_files(tmp_path / "out") == {}
        check_nothing_in_use(circle)


async def test_a_signed_address_arrives_as_it_was_written(tmp_path: Path) -> None:
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


async def test_against_an_embedded_circleci_every_fault_at_once_still_gives_the_file(tmp_path: Path) -> None:
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
async def test_against_an_embedded_circleci_without_ranges_it_starts_over(etags: bool, tmp_path: Path) -> None:
    world, number = world_with({"a": CONTENT})
    retry = ca.RetryPolicy(initial_delay=0.001, max_delay=0.01)
    async with FakeCircleCI(world, ranges=False, etags=etags) as fake, fake.client(retry=retry) as circle:
        fake.fail(origin="storage", cut=10_000, times=3)
        report = await circle.artifacts.download_all(circle.artifacts.list("gh/acme/api", number), tmp_path)
    report.raise_for_failures()
    [got] = report.files
    assert (got.path.read_bytes(), got.resumed) == (CONTENT, 0)


async def test_against_an_embedded_circleci_that_tells_no_lengths_a_file_is_unverified_until_a_range_tells(
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
