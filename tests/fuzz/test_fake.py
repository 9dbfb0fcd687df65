"""The embedded CircleCI answers hostile requests with a client error, never with 500."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from circleci_async.testing import FakeCircleCI, World

HUGE = "9" * 5_000
NASTY = ("%FF", "%00", "%2F", "..", HUGE, "\u0663", "\u00b2", "-1", "%ED%A0%80", "[", "%5B", "a" * 3_000, "?", ";", "")


def paths(world: World) -> Iterator[str]:
    """Yield paths of the API with hostile segments and queries."""
    project = "/api/v2/project/gh/acme/api"
    for nasty in NASTY:
        shown = quote(nasty, safe="%?;.-")
        yield f"{project}/job/{shown}"
        yield f"{project}/{shown}/artifacts"
        yield f"{project}/pipeline/{shown}"
        yield f"{project}/pipeline?page-token={shown}"
        yield f"/api/v2/project/{shown}"
        yield f"/api/v2/project/gh%2Facme%2F{shown}"
        yield f"/api/v2/workflow/{shown}"
        yield f"/api/v2/pipeline?org-slug={shown}&mine={shown}"
        yield f"/api/v2/insights/gh/acme/api/workflows/{shown}?start-date={shown}&end-date={shown}&offset={shown}"
        yield f"/api/v2/insights/gh/acme/api/workflows?reporting-window={shown}&page-token={shown}"
        yield f"/api/v1.1/project/gh/acme/api/{shown}"
        yield f"/api/v1.1/project/gh/acme/api/{shown}/output/{shown}/{shown}?file={shown}"
        yield f"/{shown}"


BODIES = (
    b"",
    b"[",
    b"[" * 100_000,
    b"\xff",
    b'{"branch": "\\ud800"}',
    b'{"branch": 1e999}',
    b'{"parameters": {"a": []}}',
    b"null",
)

RANGES = (
    f"bytes={HUGE}-",
    f"bytes=-{HUGE}",
    f"bytes=0-{HUGE}",
    "bytes=\u0663-",
    "bytes=5-1",
    "bytes=-0",
    "bytes=-",
    "items=1",
    "",
)
DATES = ("", "Sat, 01 Jan 0001 00:00:00 +2359", "1 Jan 2023 00:00:00 +99999999999", "Mon, 99 Foo 2026", ",", "-")


async def status_of(host: str, method: str, path: str, headers: str = "", body: bytes = b"") -> int:
    """Send a request of raw bytes, and return the status of the response."""
    name, _, port = host.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    try:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        )
        writer.write(head.encode() + body)
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.fixture
def world() -> World:
    world = World()
    world.project("gh/acme/api").pipeline(branch="main").workflow("build").job("test").artifact(
        "a/b.txt", b"0123456789"
    )
    return world


async def test_requests_with_hostile_paths(world: World) -> None:
    async with FakeCircleCI(world) as fake:
        token = f"Circle-Token: {fake.token}\r\n"
        statuses = {path: await status_of(fake.url, "GET", path, token) for path in paths(world)}
    assert {path: status for path, status in statuses.items() if status >= 500} == {}
    assert 404 in statuses.values()


async def test_requests_with_hostile_bodies(world: World) -> None:
    async with FakeCircleCI(world) as fake:
        headers = f"Circle-Token: {fake.token}\r\nContent-Type: application/json\r\n"
        statuses = [
            await status_of(fake.url, method, f"/api/v2/{path}", headers, body)
            for method, path in [("POST", "project/gh/acme/api/pipeline"), ("POST", "context"), ("POST", "webhook")]
            for body in BODIES
        ]
    assert max(statuses) < 500


async def test_requests_with_hostile_tokens(world: World) -> None:
    async with FakeCircleCI(world) as fake:
        values = [
            "Bearer",
            "Basic",
            "Basic =",
            "Basic \xff",
            "Basic /zo=",
            "\xff",
            "",
        ]
        statuses = {await status_of(fake.url, "GET", "/api/v2/me", f"Authorization: {value}\r\n") for value in values}
    assert statuses <= {400, 401}


async def test_requests_to_the_storage_with_hostile_ranges(world: World, tmp_path: Path) -> None:
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        (job,) = world.jobs.values()
        (artifact,) = await circle.artifacts.list("gh/acme/api", 1).collect()
        await circle.artifacts.download(artifact, tmp_path)
        signed = next(each for each in fake.requests if each.origin == "storage")
        path = f"{signed.path}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in signed.query.items())
        headers = [f"Range: {value}\r\n" for value in RANGES]
        headers += [f"Range: bytes=0-1\r\nIf-Range: {date}\r\n" for date in DATES]
        statuses = [await status_of(fake.storage_host, "GET", path, each) for each in headers]
        paths = ["/", "//", "/bucket", "/usage/", "/action-output/", f"/bucket/{job.id}/{HUGE}/x", path + "0"]
        refused = [await status_of(fake.storage_host, "GET", each) for each in paths]
    assert set(statuses) <= {200, 206, 400, 416}
    assert set(refused) <= {400, 403, 404}


async def test_requests_to_the_artifact_host_with_hostile_paths(world: World) -> None:
    (job,) = world.jobs.values()
    async with FakeCircleCI(world) as fake:
        token = f"Circle-Token: {fake.token}\r\n"
        statuses = [
            await status_of(fake.artifact_host, "GET", f"/output/job/{job.id}/artifacts/{quote(nasty)}/{nasty}", token)
            for nasty in ("0", HUGE, "\u0663", "-1", "%FF", "..")
        ]
    assert max(statuses) < 500
