"""Usage exports for the tests: from an embedded CircleCI and from raw servers."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from circleci_async import CircleCI, RetryPolicy
from circleci_async.models import UsageExport, UsageExportState
from circleci_async.testing import FakeCircleCI, Organization, World
from tests.raw_server import Behaviour, RawServer, Request, answer, raw_server

ORG = "5034460f-c7c4-4c43-9457-de07e2029e7b"
TOKEN = "s3cret-t0ken"
QUICK = RetryPolicy(initial_delay=0.001, max_delay=0.01)
NOW = datetime.now(UTC)
START, END = NOW - timedelta(days=30), NOW + timedelta(days=1)


def one_organization(jobs: int = 5, clock: Callable[[], datetime] | None = None) -> tuple[World, Organization]:
    """Return a world, by default on the event loop's clock, and its organization, which has run some jobs."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    world = World(clock=clock or (lambda: NOW + timedelta(seconds=loop.time() - began)))
    project = world.project("gh/acme/api")
    workflow = project.pipeline().workflow()
    for number in range(jobs):
        workflow.job(f"job {number}", duration=60)
    return world, project.organization


@asynccontextmanager
async def running(
    world: World, *, etags: bool = True, **options: Any
) -> AsyncGenerator[tuple[FakeCircleCI, CircleCI], None]:
    """Run an embedded CircleCI and a client."""
    async with FakeCircleCI(world, etags=etags) as fake, fake.client(**{"retry": QUICK, **options}) as circle:
        yield fake, circle


def poll_times(fake: FakeCircleCI) -> list[float]:
    """Return when exports were polled, in seconds since the first one was created."""
    begin = next(request.at for request in fake.requests if request.method == "POST")
    return [each.at - begin for each in fake.requests if each.method == "GET" and "/usage_export_job/" in each.path]


def part(*lines: str, end: str = "\n") -> bytes:
    return gzip.compress("".join(line + end for line in lines).encode())


def completed(*urls: str) -> UsageExport:
    return UsageExport(usage_export_job_id="e-1", state=UsageExportState.COMPLETED, download_urls=urls or None)


def job_in(state: str, urls: Sequence[str] | None = None, **more: Any) -> Behaviour:
    """Answer a poll with an export in this state."""
    return answer(200, {"usage_export_job_id": "e-1", "state": state, "download_urls": urls, **more})


def job_created(state: str = "created") -> Behaviour:
    """Answer that the export has been created."""
    return answer(201, {"usage_export_job_id": "e-1", "state": state, "download_urls": None})


@asynccontextmanager
async def one_server(
    files: Mapping[str, Behaviour], *, states: Sequence[str] = ("completed",), **options: Any
) -> AsyncGenerator[tuple[RawServer, CircleCI], None]:
    """Run a server that is both API and storage. Its export passes through `states`, and has `files` as its parts."""
    left = list(states)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        if request.path in files:
            return await files[request.path](request, writer)
        if request.method == "POST":
            return await job_created()(request, writer)
        state = left.pop(0) if len(left) > 1 else left[0]
        urls = [f"{server.url}{path}?X-Amz-Signature=5ignatur3" for path in files]
        return await job_in(state, urls if state == "completed" else None)(request, writer)

    async with raw_server(behave) as server, CircleCI(TOKEN, host=server.url, **{"retry": QUICK, **options}) as circle:
        yield server, circle


def credentials(requests: Sequence[Request]) -> set[str]:
    """Return the headers that must not be sent to a storage."""
    secret = {"circle-token", "authorization", "cookie"}
    return {name for request in requests for name in request.headers if name in secret}


def sent(server: RawServer, prefix: str) -> list[Request]:
    return [request for request in server.requests if request.path.startswith(prefix)]
