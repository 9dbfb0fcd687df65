"""The FastAPI service harvests workflows that webhooks announce."""

import asyncio
import re
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn

from circleci_async import InvalidArgument
from circleci_async.testing import FakeCircleCI, World
from docs.examples.service import create_app

from .processes import EXAMPLES, STOPS, TIMEOUT, ended, in_terminal, line_with, started

SECRET = "a-signing-secret"
SERVER = ("-m", "uvicorn", "--factory", "service:create_app", "--app-dir", str(EXAMPLES), "--port", "0")


@asynccontextmanager
async def service(fake: FakeCircleCI, folder: Path, **settings: str) -> AsyncGenerator[tuple[Process, str]]:
    """Start the service; yield its process and its URL."""
    env = {**fake.environment, "CIRCLE_WEBHOOK_SECRET": SECRET, "HARVEST_INTO": "kept", **settings}
    async with started(*SERVER, env=env, folder=folder) as process:
        line = await line_with(process.stderr, "Uvicorn running on")
        found = re.search(r"http://[\d.:]+", line)
        assert found, line
        yield process, found[0]


@asynccontextmanager
async def in_process(
    fake: FakeCircleCI, folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> AsyncGenerator[str]:
    """Run the service in this process; yield its URL."""
    env = {**fake.environment, "CIRCLE_WEBHOOK_SECRET": SECRET, "HARVEST_INTO": str(folder), **settings}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    server = uvicorn.Server(uvicorn.Config(create_app(), port=0, log_config=None))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(TIMEOUT):
        while not server.started:
            await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"http://{host}:{port}"
    server.should_exit = True
    await serving


async def harvests(url: str, *, least: int = 0) -> list[dict[str, Any]]:
    """Return the harvests of the service once there are at least `least`."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(TIMEOUT):
        while True:
            async with http.get(f"{url}/harvests") as answer:
                found: list[dict[str, Any]] = await answer.json()
            if len(found) >= least:
                return found
            await asyncio.sleep(0.02)


async def stopped(process: Process) -> str:
    """Stop the service with SIGTERM, as a container runtime does, and return its log."""
    process.send_signal(signal.SIGTERM)
    code, _, err = await ended(process)
    assert code in {0, -signal.SIGTERM}  # uvicorn shuts down, then raises the signal again
    assert "Application shutdown complete." in err
    return err


async def test_successful_workflows_are_harvested_and_failed_ones_are_not(tmp_path: Path) -> None:
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
        log = await stopped(process)
    assert "Traceback" not in log
    assert harvest["reason"] == "build of github/acme/api"
    assert (len(harvest["files"]), harvest["failed"]) == (2, [])
    assert {(tmp_path / "kept" / file).read_bytes() for file in harvest["files"]} == {b"<testsuite/>"}
    assert not list(tmp_path.rglob("core"))


async def test_missed_workflows_are_harvested_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for name in ("api", "web"):
        build = world.project(f"gh/acme/{name}").pipeline(branch="main").workflow("build")
        build.job("test").artifact("junit.xml", name.encode())
        build.job("lint", status="failed").artifact("lint.txt", b"no")
    projects = "gh/acme/api gh/acme/web"
    async with (
        FakeCircleCI(world) as fake,
        in_process(fake, tmp_path, monkeypatch, HARVEST_PROJECTS=projects) as url,
    ):
        [harvest] = await harvests(url, least=1)
    assert harvest["reason"] == "catching up"
    assert sorted((tmp_path / file).read_text() for file in harvest["files"]) == ["api", "web"]


async def test_deliveries_with_a_wrong_signature_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    project = world.project("gh/acme/api")
    build = project.pipeline(branch="main").workflow("build")
    async with FakeCircleCI(world, webhook_retries=()) as fake, in_process(fake, tmp_path, monkeypatch) as url:
        hook = project.webhook(f"{url}/hooks/circleci", secret="another secret")
        hook.announce(build)
        await fake.delivered()
        async with aiohttp.ClientSession() as http, http.get(f"{url}/health") as answer:
            health = await answer.json()
        assert await harvests(url) == []
        assert fake.requests == []
    assert [each.status for each in hook.deliveries] == [401]
    assert health == {"requests": 0, "retries": 0, "events_pending": 0}


def test_the_service_requires_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", "t")
    with pytest.raises(InvalidArgument, match="secret"):
        create_app()


@pytest.mark.parametrize(("how", "reason"), [*((how, "catching up") for how in STOPS), ("SIGTERM", "a webhook")])
async def test_a_service_that_is_stopped_keeps_complete_files_only(how: str, reason: str, tmp_path: Path) -> None:
    world = World()
    project = world.project("gh/acme/api")
    env = {"CIRCLE_WEBHOOK_SECRET": SECRET, "HARVEST_INTO": "kept"}
    if reason == "catching up":
        env["HARVEST_PROJECTS"] = project.slug
    build = project.pipeline(branch="main").workflow("build")
    build.job("test").artifact("junit.xml", b"<testsuite/>")
    build.job("lint").artifact("lint.txt", b"clean")
    async with FakeCircleCI(world) as fake:
        fake.fail("*/lint.txt", origin="storage", cut=2)
        waiting = fake.fail("*/lint.txt", origin="storage", delay=600)
        async with in_terminal(*SERVER, env={**fake.environment, **env}, folder=tmp_path) as terminal:
            line = await line_with(terminal.output, "Uvicorn running on")
            if reason == "a webhook":
                url = re.search(r"http://[\d.:]+", line)
                assert url
                project.webhook(f"{url[0]}/hooks/circleci", secret=SECRET).announce(build)
                await fake.delivered()
            async with asyncio.timeout(TIMEOUT):
                while waiting.hits < 1 or not list(tmp_path.rglob("junit.xml")):
                    await asyncio.sleep(0.01)
            terminal.stop(how)
            code, out = await terminal.ended()
    assert code in ({0} if how == "Ctrl-C" else {0, -signal.SIGTERM})
    assert "Application shutdown complete." in out
    assert "Traceback" not in out
    kept = [file for file in (tmp_path / "kept").rglob("*") if file.is_file() and not file.name.startswith(".harvest")]
    assert [file.read_bytes() for file in kept] == [b"<testsuite/>"]
