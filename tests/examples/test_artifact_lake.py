"""The artifact lake is a folder that grows every night, with a catalog of its files."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from circleci_async.testing import FakeCircleCI, World

from .processes import EXAMPLES, STOPS, TIMEOUT, ended, in_terminal, started

LAKE = str(EXAMPLES / "artifact_lake.py")


def two_projects() -> World:
    """Return a world with two projects, each with two artifacts."""
    world = World()
    for name in ("api", "web"):
        job = world.project(f"gh/acme/{name}").pipeline().workflow("build").job("test")
        job.artifact("out/junit.xml", f"<{name}/>".encode())
        job.artifact("log.txt", name.encode())
    return world


async def night(fake: FakeCircleCI, folder: Path, *options: str) -> tuple[int, str, str]:
    """Run the program once; return its exit code and output."""
    async with started(LAKE, "gh/acme", "lake", *options, env=dict(fake.environment), folder=folder) as process:
        return await ended(process)


def catalog(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the catalog, each of which is correct."""
    lines = [json.loads(line) for line in (folder / "lake" / "catalog.jsonl").read_text().splitlines()]
    for line in lines:
        data = (folder / "lake" / line["path"]).read_bytes()
        assert (line["size"], line["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    return lines


async def test_each_night_adds_files_and_lines_to_the_catalog(tmp_path: Path) -> None:
    world = two_projects()
    async with FakeCircleCI(world) as fake:
        assert await night(fake, tmp_path) == (0, "4 new files, 18 bytes; 4 files in the catalog\n", "")
        first = catalog(tmp_path)
        assert await night(fake, tmp_path) == (0, "0 new files, 0 bytes; 4 files in the catalog\n", "")
        assert catalog(tmp_path) == first
        build = world.projects["gh/acme/api"].pipeline().workflow("nightly build")
        test = build.job("test", parallelism=2)
        for node in range(2):
            test.artifact("core", b"core", node=node)
        assert await night(fake, tmp_path) == (0, "2 new files, 8 bytes; 6 files in the catalog\n", "")
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


async def test_a_limit_ends_the_night_and_the_next_one_continues(tmp_path: Path) -> None:
    async with FakeCircleCI(two_projects()) as fake:
        code, out, err = await night(fake, tmp_path, "--max-files", "3")
        assert (code, out.partition(" ")[0], err) == (1, "3", "stopped: max_files=3 is reached\n")
        assert len(catalog(tmp_path)) == 3
        code, out, err = await night(fake, tmp_path, "--max-gib", "0.5")
        assert (code, out.partition(" ")[0], err) == (0, "1", "")
    assert len(catalog(tmp_path)) == 4


async def test_a_failed_file_is_listed_and_downloaded_in_the_next_night(tmp_path: Path) -> None:
    async with FakeCircleCI(two_projects()) as fake:
        fault = fake.fail("*/log.txt", origin="artifacts", status=404, times=2)
        code, _, err = await night(fake, tmp_path)
        assert (code, err.count("log.txt: 404"), len(catalog(tmp_path))) == (1, 2, 2)
        fault.stop()
        assert (await night(fake, tmp_path))[0] == 0
    assert len(catalog(tmp_path)) == 4


async def test_only_selected_artifacts_are_downloaded(tmp_path: Path) -> None:
    async with FakeCircleCI(two_projects()) as fake:
        code, *_ = await night(fake, tmp_path, "--path", "**/*.xml", "--branch", "main", "--since", "2d")
    assert code == 0
    assert [Path(each["path"]).name for each in catalog(tmp_path)] == ["junit.xml", "junit.xml"]


async def test_an_invalid_option_is_a_short_message(tmp_path: Path) -> None:
    async with FakeCircleCI() as fake:
        code, out, err = await night(fake, tmp_path, "--since", "soon")
    assert (code, out) == (1, "")
    assert err.startswith("error: since must be a datetime")


@pytest.mark.parametrize("how", STOPS)
async def test_a_night_that_is_stopped_is_continued_by_the_next_one(how: str, tmp_path: Path) -> None:
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
        assert await night(fake, tmp_path) == (0, "2 new files, 6 bytes; 4 files in the catalog\n", "")
    assert len(catalog(tmp_path)) == 4
