"""The same artifacts downloaded by bare aiohttp, aria2c, curl and wget.

None of them computes hashes. Bare aiohttp lists the artifacts itself; the tools get a list of URLs made beforehand,
which is not timed.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import aiohttp
from attrs import frozen

import circleci_async as ca

from .measure import direct_environment
from .world import PROJECT

TOKEN = "benchmark-token"
CONCURRENCY = 32
"""The default concurrency of a harvest, used by bare aiohttp too."""

LARGE = 1024 * 1024
"""Artifacts of at least this many bytes are written in chunks."""


@frozen
class Task:
    """What to download, and where to put it."""

    base: str
    addresses: list[str]
    folder: Path
    """An empty folder for the files."""
    notes: Path
    """A folder for the lists of URLs."""


async def harvest(
    task: Task, concurrency: int = CONCURRENCY, *, into: str | None = None, recheck: str | None = None
) -> ca.HarvestReport:
    """Harvest as a user does, into the folder or another destination."""
    async with ca.CircleCI(TOKEN, host=task.base) as circle:
        report = await circle.harvest(PROJECT, into or task.folder, concurrency=concurrency, recheck=recheck)
    report.raise_for_failures()
    assert report.stopped is None, report.stopped
    return report


async def by_hand(task: Task) -> None:
    """List all artifacts, then download each to its final name."""
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(headers={"Circle-Token": TOKEN}, connector=connector) as http:

        async def items(path: str) -> list[dict[str, str]]:
            found: list[dict[str, str]] = []
            query: dict[str, str] = {}
            while True:
                async with http.get(f"{task.base}/api/v2/{path}", params=query) as response:
                    response.raise_for_status()
                    page = json.loads(await response.read())
                found += page["items"]
                if not page["next_page_token"]:
                    return found
                query = {"page-token": page["next_page_token"]}

        async def all_items(paths: Iterable[str]) -> list[dict[str, str]]:
            return [item for found in await asyncio.gather(*map(items, paths)) for item in found]

        pipelines = await items(f"project/{PROJECT}/pipeline")
        workflows = await all_items(f"pipeline/{each['id']}/workflow" for each in pipelines)
        jobs = await all_items(f"workflow/{each['id']}/job" for each in workflows)
        artifacts = await all_items(f"project/{PROJECT}/{each['job_number']}/artifacts" for each in jobs)
        urls = iter([each["url"] for each in artifacts])

        async def work() -> None:
            for url in urls:
                file = task.folder / url.rpartition("/")[2]
                async with http.get(url) as response:
                    response.raise_for_status()
                    if (response.content_length or 0) < LARGE:
                        file.write_bytes(await response.read())
                        continue
                    with file.open("wb") as parts:
                        async for part in response.content.iter_chunked(256 * 1024):
                            parts.write(part)

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


def aria2c(task: Task) -> None:
    """Download with aria2c: 16 files at once, up to 4 connections each."""
    lines = _note(task, task.addresses)
    _run("aria2c", "--no-conf", "--quiet", "--file-allocation=none", *_HEADER, "-j16", "-x4", "-i", lines, task=task)


def curl(task: Task) -> None:
    """Download with curl: 16 files at once."""
    lines = _note(task, (f'url = "{url}"\nremote-name' for url in task.addresses))
    options = ("--disable", "--silent", "--show-error", "--fail", "--location")
    _run("curl", *options, *_HEADER, "--parallel", "--parallel-max", "16", "--config", lines, task=task)


def wget(task: Task) -> None:
    """Download with wget, one file after another."""
    lines = _note(task, task.addresses)
    _run("wget", "--no-config", "--no-verbose", "--output-file=/dev/null", *_HEADER, "-i", lines, task=task)


_HEADER = ("--header", f"Circle-Token: {TOKEN}")


@frozen
class Rival:
    """Another way to download the same files."""

    name: str
    fetch: Callable[[Task], object]
    program: str | None = None
    concurrency: int = 16

    @property
    def is_installed(self) -> bool:
        """Whether its program is installed."""
        return self.program is None or shutil.which(self.program) is not None


BY_HAND = Rival("bare aiohttp", lambda task: asyncio.run(by_hand(task)), concurrency=CONCURRENCY)
ARIA2C = Rival("`aria2c -j16 -x4 -i`", aria2c, "aria2c")
CURL = Rival("`curl --parallel --parallel-max 16 --config`", curl, "curl")
WGET = Rival("`wget -i`", wget, "wget", concurrency=1)
RIVALS = (BY_HAND, ARIA2C, CURL, WGET)


def _note(task: Task, lines: Iterable[str]) -> str:
    file = task.notes / "list"
    file.write_text("".join(f"{line}\n" for line in lines))
    return str(file)


def _run(*command: str, task: Task) -> None:
    env = direct_environment()
    subprocess.run(command, cwd=task.folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
