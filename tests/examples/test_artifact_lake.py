"""The artifact lake is a folder that grows every night, with a catalog of its files."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from docs.examples import artifact_lake

from .processes import EXAMPLES, STOPS, TIMEOUT, ended, in_terminal, started

LAKE = str(EXAMPLES / "artifact_lake.py")

Night: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]
"""Runs the program once."""


def two_projects() -> World:
    """Return a world with two projects, each with two artifacts."""
    world = World()
    for name in ("api", "web"):
        job = world.project(f"gh/acme/{name}").pipeline().workflow("build").job("test")
        job.artifact("out/junit.xml", f"<{name}/>".encode())
        job.artifact("log.txt", name.encode())
    return world


@pytest.fixture
def night(use: Callable[[FakeCircleCI], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Night:
    """Return a function that runs the program once, in this process, and returns its exit code and output."""

    async def run(fake: FakeCircleCI, **limits: Any) -> tuple[int, str, str]:
        use(fake)
        code = await artifact_lake.main(["gh/acme"], tmp_path / "lake", ca.Selection(), **limits)
        return code, *capsys.readouterr()

    return run


def catalog(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the catalog, each of which is correct."""
    lines = [json.loads(line) for line in (folder / "lake" / "catalog.jsonl").read_text().splitlines()]
    for line in lines:
        data = (folder / "lake" / line["path"]).read_bytes()
        assert (line["size"], line["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    return lines


async def test_each_night_adds_files_and_lines_to_the_catalog(night: Night, tmp_path: Path) -> None:
    world = two_projects()
    async with FakeCircleCI(world) as fake:
        assert await night(fake) == (0, "4 new files, 18 bytes; 4 files in the catalog\n", "")
        first = catalog(tmp_path)
        assert await night(fake) == (0, "0 new files, 0 bytes; 4 files in the catalog\n", "")
        assert catalog(tmp_path) == first
        build = world.projects["gh/acme/api"].pipeline().workflow("nightly build")
        test = build.job("test", parallelism=2)
        for node in range(2):
            test.artifact("core", b"core", node=node)
        assert await night(fake) == (0, "2 new files, 8 bytes; 6 files in the catalog\n", "")
    assert catalog(tmp_path)[:4] == first
    assert [each["path"] for each in catalog(tmp_path)[4:]] == [
        "gh/acme/api/workflow=nightly build/job=test/pipeline=2/2.0/core",
        "gh/acme/api/workflow=nightly build/job=test/pipeline=2/2.1/core",
    ]
    assert {each["path"] for each in first} == {
        f"gh/acme/{name}/workflow=build/job=test/pipeline=1/1.0/{file}"
        for name in ("api", "web")
        for file in ("out/junit.xml", "log.txt")
    }


async def test_a_limit_ends_the_night_and_the_next_one_continues(night: Night, tmp_path: Path) -> None:
    async with FakeCircleCI(two_projects()) as fake:
        code, out, err = await night(fake, max_files=3)
        assert (code, out.partition(" ")[0], err) == (1, "3", "stopped: max_files=3 is reached\n")
        assert len(catalog(tmp_path)) == 3
        code, out, err = await night(fake, max_gib=0.5)
        assert (code, out.partition(" ")[0], err) == (0, "1", "")
    assert len(catalog(tmp_path)) == 4


async def test_a_failed_file_is_listed_and_downloaded_in_the_next_night(night: Night, tmp_path: Path) -> None:
    async with FakeCircleCI(two_projects()) as fake:
        fault = fake.fail("*/log.txt", origin="artifacts", status=404, times=2)
        code, _, err = await night(fake)
        assert (code, err.count("log.txt: 404"), len(catalog(tmp_path))) == (1, 2, 2)
        fault.stop()
        assert (await night(fake))[0] == 0
    assert len(catalog(tmp_path)) == 4


async def test_the_command_downloads_only_the_selected_artifacts(tmp_path: Path) -> None:
    options = ("--path", "**/*.xml", "--branch", "main", "--since", "2d", "--min-free-gib", "0.001")
    async with (
        FakeCircleCI(two_projects()) as fake,
        started(LAKE, "gh/acme", "lake", *options, env=dict(fake.environment), folder=tmp_path) as process,
    ):
        assert await ended(process) == (0, "2 new files, 12 bytes; 2 files in the catalog\n", "")
    assert [Path(each["path"]).name for each in catalog(tmp_path)] == ["junit.xml", "junit.xml"]


async def test_an_invalid_option_is_a_short_message(tmp_path: Path) -> None:
    async with (
        FakeCircleCI() as fake,
        started(LAKE, "gh/acme", "lake", "--since", "soon", env=dict(fake.environment), folder=tmp_path) as process,
    ):
        code, out, err = await ended(process)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: since must be a datetime")


@pytest.mark.parametrize("how", STOPS)
async def test_a_night_that_is_stopped_is_continued_by_the_next_one(how: str, night: Night, tmp_path: Path) -> None:
    async with FakeCircleCI(two_projects()) as fake:
        fake.fail("*/log.txt", origin="storage", cut=1, times=2)
        waiting = fake.fail("*/log.txt", origin="storage", delay=600, times=2)
        async with in_terminal(LAKE, "gh/acme", "lake", env=dict(fake.environment), folder=tmp_path) as terminal:
            async with asyncio.timeout(TIMEOUT):
                while waiting.hits < 2 or len(list(tmp_path.rglob("*.xml"))) < 2:
                    await asyncio.sleep(0.01)
            terminal.stop(how)
            code, out = await terminal.ended()
        assert code == 130
        assert out.removeprefix("^C") == "interrupted: complete files are kept, run it again to continue\n"
        assert list(tmp_path.rglob("log.txt")) == []
        assert await night(fake) == (0, "2 new files, 6 bytes; 4 files in the catalog\n", "")
    assert len(catalog(tmp_path)) == 4
