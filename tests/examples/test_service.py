"""The FastAPI service: a webhook comes in, a harvest comes out."""

import asyncio
import re
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from circleci_async.testing import FakeCircleCI, World

from .processes import EXAMPLES, PATIENCE, ended, line_with, started

SECRET = "a-signing-secret"
SERVER = ("-m", "uvicorn", "--factory", "service:create_app", "--app-dir", str(EXAMPLES), "--port", "0")


@asynccontextmanager
async def service(fake: FakeCircleCI, folder: Path, **settings: str) -> AsyncGenerator[tuple[Process, str]]:
    """Start the service; gives its process and its address."""
    env = {**fake.environment, "CIRCLE_WEBHOOK_SECRET": SECRET, "HARVEST_INTO": "kept", **settings}
    async with started(*SERVER, env=env, folder=folder) as process:
        line = await line_with(process.stderr, "Uvicorn running on")
        found = re.search(r"http://[\d.:]+", line)
        assert found, line
        yield process, found[0]


async def harvests(url: str, *, least: int = 0) -> list[dict[str, Any]]:
    """What the service has harvested, once there are so many."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(PATIENCE):
        while True:
            async with http.get(f"{url}/harvests") as answer:
                found: list[dict[str, Any]] = await answer.json()
            if len(found) >= least:
                return found
            await asyncio.sleep(0.02)


async def stopped(process: Process) -> str:
    """Ask the service to end as a container's runtime does, and return what it had to say since it started."""
    process.send_signal(signal.SIGTERM)
    code, _, err = await ended(process)
    assert code in {0, -signal.SIGTERM}  # uvicorn ends in order, and then by the signal
    assert "Application shutdown complete." in err
    return err


async def test_a_workflow_that_succeeds_is_harvested_and_one_that_fails_is_not(tmp_path: Path) -> None:
    world = World()
    project = world.project("gh/acme/api")
    project.on_trigger("build", ("lint", "test"), artifacts={"junit.xml": b"<testsuite/>"})
    project.on_trigger("nightly", ("soak:failed",), artifacts={"core": 10})
    async with FakeCircleCI(world, run_time=0.2) as fake, service(fake, tmp_path) as (process, url):
        hook = project.webhook(f"{url}/hooks/circleci", secret=SECRET, events=["workflow-completed"], duplicates=1)
        async with fake.client() as circle:
            await circle.pipelines.trigger_and_wait("gh/acme/api", branch="main", interval=(0.1, 0.1))
        await fake.delivered()
        [harvest] = await harvests(url, least=1)
        assert [each.status for each in hook.deliveries] == [202, 200, 202, 200]
        said = await stopped(process)
    assert "Traceback" not in said
    assert harvest["reason"] == "build of github/acme/api"
    assert (len(harvest["files"]), harvest["failed"]) == (2, [])
    assert {(tmp_path / "kept" / file).read_bytes() for file in harvest["files"]} == {b"<testsuite/>"}
    assert not list(tmp_path.rglob("core"))


async def test_what_was_built_while_the_service_was_down_is_harvested_at_its_start(tmp_path: Path) -> None:
    world = World()
    for name in ("api", "web"):
        build = world.project(f"gh/acme/{name}").pipeline(branch="main").workflow("build")
        build.job("test").artifact("junit.xml", name.encode())
        build.job("lint", status="failed").artifact("lint.txt", b"no")
    projects = "gh/acme/api gh/acme/web"
    async with FakeCircleCI(world) as fake, service(fake, tmp_path, HARVEST_PROJECTS=projects) as (process, url):
        [harvest] = await harvests(url, least=1)
        await stopped(process)
    assert harvest["reason"] == "catching up"
    assert sorted((tmp_path / "kept" / file).read_text() for file in harvest["files"]) == ["api", "web"]


async def test_what_is_not_signed_is_refused_and_moves_nothing(tmp_path: Path) -> None:
    world = World()
    project = world.project("gh/acme/api")
    build = project.pipeline(branch="main").workflow("build")
    async with FakeCircleCI(world, webhook_retries=()) as fake, service(fake, tmp_path) as (process, url):
        hook = project.webhook(f"{url}/hooks/circleci", secret="somebody-else's")
        hook.announce(build)
        await fake.delivered()
        async with aiohttp.ClientSession() as http, http.get(f"{url}/health") as answer:
            health = await answer.json()
        assert await harvests(url) == []
        await stopped(process)
        assert fake.requests == []
    assert [each.status for each in hook.deliveries] == [401]
    assert health == {"requests": 0, "retries": 0, "events_pending": 0}


async def test_without_a_secret_it_does_not_start(tmp_path: Path) -> None:
    async with started(*SERVER, env={"CIRCLE_TOKEN": "t"}, folder=tmp_path) as process:
        code, _, err = await ended(process)
    assert code != 0
    assert "InvalidArgument: secret" in err
