"""The compared work: each case once with this SDK and once on bare aiohttp."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from attrs import frozen

import circleci_async as ca
from circleci_async.models import (
    Actor,
    Artifact,
    Pipeline,
    PipelineCommit,
    PipelineError,
    PipelineErrorType,
    PipelineState,
    PipelineTrigger,
    PipelineVcs,
    TriggerType,
)

from .measure import MIB
from .server import FILES, PAGE_SIZE, PAGES

TOKEN = "benchmark-token"
PROJECT = "gh/acme/api"


@frozen
class Place:
    """The addresses of the servers and a folder for files."""

    api: str
    artifacts: str
    folder: Path

    def client(self) -> ca.CircleCI:
        """Return a client as a user makes it."""
        return ca.CircleCI(TOKEN, host=self.api, artifact_hosts=[self.artifacts.removeprefix("http://")])

    def http(self) -> aiohttp.ClientSession:
        """Return a bare session with the token."""
        return aiohttp.ClientSession(headers={"Circle-Token": TOKEN}, timeout=aiohttp.ClientTimeout(total=60))

    def artifact(self, name: str) -> Artifact:
        """Return an artifact of these servers."""
        return Artifact(path=name, node_index=0, url=f"{self.artifacts}/output/job/1/artifacts/0/{name}")


Work = Callable[[Place], Awaitable[object]]

CALLS = 1000
CONCURRENCY = 32


async def calls_sdk(place: Place) -> None:
    """Make calls one after another."""
    async with place.client() as circle:
        for _ in range(CALLS):
            me = await circle.users.me()
            assert me.login == "octocat"


async def calls_bare(place: Place) -> None:
    """Make the same calls by hand."""
    async with place.http() as http:
        for _ in range(CALLS):
            async with http.get(f"{place.api}/api/v2/me") as response:
                response.raise_for_status()
                me = json.loads(await response.read())
                assert me["login"] == "octocat"


async def concurrent_sdk(place: Place) -> None:
    """Make calls from 32 tasks."""
    async with place.client() as circle:

        async def work() -> None:
            for _ in range(2 * CALLS // CONCURRENCY):
                me = await circle.users.me()
                assert me.login == "octocat"

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def concurrent_bare(place: Place) -> None:
    """Make the same calls from 32 tasks by hand."""
    async with place.http() as http:

        async def work() -> None:
            for _ in range(2 * CALLS // CONCURRENCY):
                async with http.get(f"{place.api}/api/v2/me") as response:
                    response.raise_for_status()
                    me = json.loads(await response.read())
                    assert me["login"] == "octocat"

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def pages_sdk(place: Place, pages: int = PAGES) -> None:
    """List pages of pipelines as models."""
    count = 0
    async with place.client() as circle:
        async for pipeline in circle.pipelines.list(PROJECT):
            count += pipeline.number > 0
            if count == pages * PAGE_SIZE:
                break
    assert count == pages * PAGE_SIZE


async def pages_bare(
    place: Place,
    pages: int = PAGES,
    number_of: Callable[[dict[str, Any]], int] = lambda item: pipeline_model(item).number,
) -> None:
    """List the same pages by hand; by default as the same models."""
    count = 0
    token = None
    async with place.http() as http:
        while True:
            query = f"?page-token={quote(token)}" if token else ""
            async with http.get(f"{place.api}/api/v2/project/{PROJECT}/pipeline{query}") as response:
                response.raise_for_status()
                page = json.loads(await response.read())
            for item in page["items"]:
                count += number_of(item) > 0
            token = page["next_page_token"]
            if token is None or count == pages * PAGE_SIZE:
                break
    assert count == pages * PAGE_SIZE


async def files_sdk(place: Place) -> None:
    """Download small artifacts; verify, hash and rename them."""
    artifacts = [place.artifact(str(n)) for n in range(FILES)]
    async with place.client() as circle:
        report = await circle.artifacts.download_all(artifacts, place.folder)
    report.raise_for_failures()
    assert len(report.files) == FILES


async def files_bare(place: Place) -> None:
    """Download the same artifacts, 16 at a time, to their final names."""
    urls = iter([place.artifact(str(n)).url for n in range(FILES)])
    async with place.http() as http:

        async def work() -> None:
            for url in urls:
                async with http.get(url) as response:
                    response.raise_for_status()
                    (place.folder / url.rpartition("/")[2]).write_bytes(await response.read())

        await asyncio.gather(*(work() for _ in range(16)))


async def big_sdk(place: Place, size: int = 1024**3) -> None:
    """Download and hash one large artifact."""
    async with place.client() as circle:
        got = await circle.artifacts.download(place.artifact(f"big-{size}"), place.folder)
    assert got.size == size


async def large_files_sdk(place: Place, count: int, size: int = 64 * MIB) -> None:
    """Download and hash large artifacts, all at once."""
    artifacts = [place.artifact(f"big-{n}-{size}") for n in range(count)]
    async with place.client() as circle:
        report = await circle.artifacts.download_all(artifacts, place.folder, concurrency=count)
    report.raise_for_failures()
    assert report.bytes == count * size


async def big_bare(place: Place, size: int = 1024**3) -> None:
    """Download the same artifact in chunks, without hashing."""
    name = f"big-{size}"
    async with place.http() as http, http.get(place.artifact(name).url) as response:
        response.raise_for_status()
        with (place.folder / name).open("wb") as file:
            async for part in response.content.iter_chunked(256 * 1024):
                file.write(part)


def pipeline_model(item: dict[str, Any]) -> Pipeline:
    trigger, vcs = item["trigger"], item.get("vcs")
    return Pipeline(
        id=item["id"],
        errors=tuple(PipelineError(type=PipelineErrorType(e["type"]), message=e["message"]) for e in item["errors"]),
        project_slug=item["project_slug"],
        updated_at=_date(item.get("updated_at")),
        number=item["number"],
        trigger_parameters=item.get("trigger_parameters"),
        state=PipelineState(item["state"]),
        created_at=datetime.fromisoformat(item["created_at"]),
        trigger=PipelineTrigger(
            type=TriggerType(trigger["type"]),
            received_at=datetime.fromisoformat(trigger["received_at"]),
            actor=Actor(login=trigger["actor"]["login"], avatar_url=trigger["actor"]["avatar_url"]),
        ),
        vcs=None
        if vcs is None
        else PipelineVcs(
            provider_name=vcs["provider_name"],
            target_repository_url=vcs["target_repository_url"],
            origin_repository_url=vcs["origin_repository_url"],
            revision=vcs["revision"],
            branch=vcs.get("branch"),
            tag=vcs.get("tag"),
            review_id=vcs.get("review_id"),
            review_url=vcs.get("review_url"),
            commit=PipelineCommit(subject=vcs["commit"]["subject"], body=vcs["commit"]["body"]),
        ),
    )


def _date(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
