"""The others: the same artifacts fetched by hand on bare aiohttp, and by the tools that one has anyway.

All of them are given the token, and leave out what they can: none of them hashes anything. The one by hand looks for
its artifacts itself; the tools are given a list of addresses that is made beforehand, which costs them nothing.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import aiohttp
from attrs import frozen

import circleci_async as ca

from .world import PROJECT

TOKEN = "benchmark-token"
AT_ONCE = 32
"""Of the harvest, by default, and so of the one by hand."""

LARGE = 1024 * 1024
"""Bytes above which an artifact is written in parts."""


@frozen
class Task:
    """What is to be fetched, and where it goes."""

    base: str
    addresses: list[str]
    folder: Path
    """Empty."""
    notes: Path
    """For the lists that tools are given."""


async def harvest(task: Task, concurrency: int = AT_ONCE) -> None:
    """Harvest as a user does."""
    async with ca.CircleCI(TOKEN, host=task.base) as circle:
        report = await circle.harvest(PROJECT, task.folder, concurrency=concurrency)
    report.raise_for_failures()
    assert report.stopped is None, report.stopped


async def by_hand(task: Task) -> None:
    """Find all artifacts, then download them, each straight to its final name."""
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
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

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def aria2c(task: Task) -> None:
    """Fetch with aria2c, 16 at once, each by up to 4 connections."""
    lines = _note(task, task.addresses)
    _run("aria2c", "--no-conf", "--quiet", "--file-allocation=none", *_HEADER, "-j16", "-x4", "-i", lines, task=task)


def curl(task: Task) -> None:
    """Fetch with curl, 16 at once."""
    lines = _note(task, (f'url = "{url}"\nremote-name' for url in task.addresses))
    options = ("--disable", "--silent", "--show-error", "--fail", "--location")
    _run("curl", *options, *_HEADER, "--parallel", "--parallel-max", "16", "--config", lines, task=task)


def wget(task: Task) -> None:
    """Fetch with wget, one after another, as the API's guide does."""
    lines = _note(task, task.addresses)
    _run("wget", "--no-config", "--no-verbose", "--output-file=/dev/null", *_HEADER, "-i", lines, task=task)


_HEADER = ("--header", f"Circle-Token: {TOKEN}")


@frozen
class Rival:
    """Somebody to be compared with."""

    name: str
    fetch: Callable[[Task], object]
    program: str | None = None
    at_once: int = 16

    @property
    def is_here(self) -> bool:
        """Whether its program is installed."""
        return self.program is None or shutil.which(self.program) is not None


BY_HAND = Rival("bare aiohttp", lambda task: asyncio.run(by_hand(task)), at_once=AT_ONCE)
ARIA2C = Rival("`aria2c -j16 -x4 -i`", aria2c, "aria2c")
CURL = Rival("`curl --parallel --parallel-max 16 --config`", curl, "curl")
WGET = Rival("`wget -i`", wget, "wget", at_once=1)
RIVALS = (BY_HAND, ARIA2C, CURL, WGET)


def _note(task: Task, lines: Iterable[str]) -> str:
    file = task.notes / "list"
    file.write_text("".join(f"{line}\n" for line in lines))
    return str(file)


def _run(*command: str, task: Task) -> None:
    direct = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    subprocess.run(
        command, cwd=task.folder, env=direct, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True
    )
