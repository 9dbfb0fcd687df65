"""The data of the harvest benchmark: one project with pipelines, workflows, jobs and artifacts."""

import json
import random
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from attrs import define

from .server import pipeline

PROJECT = "gh/acme/api"
PIPELINES_A_PAGE = 20
JOBS = 4
"""Jobs of each pipeline's only workflow."""
ARTIFACTS = 50
"""Artifacts of each job."""

BLOCK = random.Random(1).randbytes(256 * 1024)
"""The content of all files, repeated."""


@define(slots=False)
class World:
    """A project with `count` artifacts of `size` bytes each; size 0 means 1 to 64 KiB, the same in every run."""

    count: int
    size: int = 0
    artifacts: int = ARTIFACTS
    """Artifacts of each job; the last job can have fewer."""

    @cached_property
    def sizes(self) -> list[int]:
        """The size of each artifact in bytes."""
        rng = random.Random(7)
        return [self.size or rng.randint(1024, 64 * 1024) for _ in range(self.count)]

    @property
    def jobs(self) -> int:
        """The number of jobs."""
        return -(-self.count // self.artifacts)

    @property
    def pipelines(self) -> int:
        """The number of pipelines."""
        return -(-self.jobs // JOBS)

    @property
    def pages(self) -> int:
        """The number of pages of the list of pipelines."""
        return -(-self.pipelines // PIPELINES_A_PAGE)

    @property
    def names(self) -> Iterator[str]:
        """The unique name of each artifact; some tools download into one folder."""
        return (f"{number:06}.bin" for number in range(self.count))

    def addresses(self, base: str) -> list[str]:
        """Return the URL of each artifact."""
        return [f"{base}/files/{name}" for name in self.names]

    def responses(self, base: str) -> Iterator[tuple[str, bytes]]:
        """Yield the API's responses: the path, followed by `~TOKEN` for later pages, and the body."""
        jobs, pipelines, pages = self.jobs, self.pipelines, self.pages
        for page in range(pages):
            first = pipelines - page * PIPELINES_A_PAGE
            numbers = range(first, max(0, first - PIPELINES_A_PAGE), -1)
            next_token = str(page + 1) if page + 1 < pages else None
            token = f"~{page}" if page else ""
            yield f"/api/v2/project/{PROJECT}/pipeline{token}", _page(map(pipeline, numbers), next_token)
        for number in range(1, pipelines + 1):
            id = pipeline(number)["id"]
            yield f"/api/v2/pipeline/{id}/workflow", _page([_workflow(number)])
            mine = range((number - 1) * JOBS, min(number * JOBS, jobs))
            yield f"/api/v2/workflow/{_workflow(number)['id']}/job", _page(map(_job, mine))
        addresses = self.addresses(base)
        for job in range(jobs):
            some = addresses[job * self.artifacts : (job + 1) * self.artifacts]
            items = ({"path": f"out/{url.rpartition('/')[2]}", "node_index": 0, "url": url} for url in some)
            yield f"/api/v2/project/{PROJECT}/{job + 1}/artifacts", _page(items)

    def write(self, root: Path, base: str) -> None:
        """Write responses (`PATH.json`, `PATH~TOKEN.json`) and artifacts as files, for a static file server."""
        for path, body in self.responses(base):
            response = root / f"{path[1:]}.json"
            response.parent.mkdir(parents=True, exist_ok=True)
            response.write_bytes(body)
        (root / "files").mkdir()
        for name, size in zip(self.names, self.sizes, strict=True):
            with (root / "files" / name).open("wb") as file:
                for begin in range(0, size, len(BLOCK)):
                    file.write(BLOCK[: size - begin])


def _page(items: Iterator[Mapping[str, object]] | list[dict[str, object]], next_token: str | None = None) -> bytes:
    return json.dumps({"items": list(items), "next_page_token": next_token}).encode()


def _workflow(number: int) -> dict[str, object]:
    return {
        "id": f"{number:08x}-7b12-4a3e-8c55-1f0e9d8c7b6a",
        "pipeline_id": pipeline(number)["id"],
        "pipeline_number": number,
        "project_slug": PROJECT,
        "name": "build",
        "status": "success",
        "started_by": "5f1a6e0c-6a7b-4c51-9f0e-8d6c5a3b2a10",
        "created_at": "2026-11-20T19:45:59Z",
        "stopped_at": "2026-11-20T19:55:59Z",
    }


def _job(number: int) -> dict[str, object]:
    return {
        "id": f"{number:08x}-1c2d-4e3f-9a4b-5c6d7e8f9a0b",
        "job_number": number + 1,
        "project_slug": PROJECT,
        "name": f"test-{number % JOBS}",
        "type": "build",
        "status": "success",
        "dependencies": [],
        "started_at": "2026-11-20T19:46:00Z",
        "stopped_at": "2026-11-20T19:50:00Z",
    }
