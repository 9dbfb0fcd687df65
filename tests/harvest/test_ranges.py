"""A harvest receives large files over several connections, and resumes what they wrote before a kill or an error."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.harvest.destination.parts import PARTS_NAME
from circleci_async.testing import FakeCircleCI
from tests.downloads.range_server import (
    ALONE,
    CONTENT,
    OTHER,
    SIZE,
    one_late,
    paced,
    requested,
    use_small_pieces,
)
from tests.harvest.harvests import all_artifacts, harvest, parts, small_world, tree, usual_place
from tests.raw_server import Behaviour, RawServer, Request, answer, raw_server

PROGRAM = """
import asyncio, os, signal, sys
import circleci_async as ca
from circleci_async.downloads.part_file import PartFile
from tests.downloads.range_server import use_small_pieces

host, artifact_host, into, count = sys.argv[1:]
use_small_pieces(setattr)
write, written = PartFile.write_range, []

def deadly(self, start, parts):
    write(self, start, parts)
    written.append(start)
    if len(written) >= int(count) and len(self.ranges.written) > 1:
        os.kill(os.getpid(), signal.SIGKILL)

PartFile.write_range = deadly

async def main():
    async with ca.CircleCI("fake-token", host=host, artifact_hosts=[artifact_host], trust_env=False) as circle:
        (await circle.harvest("gh/acme/api", into)).raise_for_failures()

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_pieces(monkeypatch.setattr)


@asynccontextmanager
async def one_large(*behaviours: Behaviour) -> AsyncGenerator[tuple[FakeCircleCI, RawServer, str], None]:
    """Run a CircleCI whose only artifact is served by a server; also yield the path of its file."""
    world = small_world(pipelines=1, jobs=1, artifacts=1)
    [artifact] = all_artifacts(world)
    async with FakeCircleCI(world) as fake, raw_server(*behaviours) as server:
        items = [{"path": artifact.path, "node_index": 0, "url": f"{server.url}/file"}]
        fake.fail("*/artifacts", origin="api", status=200, body={"items": items, "next_page_token": None}, times=None)
        yield fake, server, usual_place(artifact)


async def kill(fake: FakeCircleCI, into: Path, *, count: int) -> None:
    """Harvest in a process that is killed after it has written `count` ranges, with a gap before the last one."""
    root = str(Path(__file__).parents[2])
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, fake.url, fake.artifact_host, str(into), str(count)), cwd=root
    )
    assert await child.wait() == -signal.SIGKILL


def asked(server: RawServer) -> list[tuple[int, int]]:
    """Return the ranges that were requested, in order; those without an end as if they ended with the file."""
    found: list[tuple[int, int]] = []
    for request in server.requests:
        first = request.headers.get("range", "bytes=0-")[len("bytes=") :].partition("-")[0]
        found.append(requested(request) or (int(first), SIZE))
    return sorted(found)


async def test_a_large_file_is_received_over_several_connections(into: Path) -> None:
    async with one_large(paced()) as (fake, server, path):
        report = await harvest(fake, into)
        report.raise_for_failures()
        assert (report.bytes, tree(into)) == (SIZE, {path: CONTENT})
        assert len(server.requests) > 8
        assert parts(into) == []


@pytest.mark.parametrize("count", [1, 4])
async def test_what_several_connections_wrote_is_resumed_after_a_kill(count: int, into: Path) -> None:
    async with one_large(one_late(50)) as (fake, server, path):
        await kill(fake, into, count=count)
        server.behaviours[:] = [paced()]
        [part] = (into / PARTS_NAME).iterdir()
        assert part.stat().st_size > SIZE  # the map follows
        assert tree(into) == {}
        server.requests.clear()
        (await harvest(fake, into)).raise_for_failures()
        assert tree(into) == {path: CONTENT}
        assert parts(into) == []
        ranges = asked(server)
        assert ranges[0][0] >= ALONE
        bounded = [span for span in map(requested, server.requests) if span]
        assert all(one[1] <= other[0] for one, other in pairwise(sorted(bounded)))
        wanted = sum(stop - start for start, stop in bounded)
        assert wanted < SIZE - ALONE


async def test_another_version_after_a_kill_is_received_from_its_start(into: Path) -> None:
    async with one_large(one_late(50)) as (fake, server, path):
        await kill(fake, into, count=3)
        server.behaviours[:] = [paced(OTHER, etag='"v2"')]
        (await harvest(fake, into)).raise_for_failures()
        assert tree(into) == {path: OTHER}


@pytest.mark.parametrize(
    "change",
    [lambda text: text[:-10], lambda text: text.replace(b"[[0, ", b"[[1, "), lambda text: b"x" * len(text)],
    ids=["truncated", "changed", "other text"],
)
async def test_a_damaged_map_is_not_used(change: Callable[[bytes], bytes], into: Path) -> None:
    async with one_large(one_late(50)) as (fake, server, path):
        await kill(fake, into, count=3)
        server.behaviours[:] = [paced()]
        [part] = (into / PARTS_NAME).iterdir()
        data = part.read_bytes()
        part.write_bytes(data[:SIZE] + change(data[SIZE:]))
        (await harvest(fake, into)).raise_for_failures()
        assert tree(into) == {path: CONTENT}


async def test_expired_urls_are_renewed_and_all_that_arrived_is_kept(into: Path) -> None:
    """The storage refuses all requests from the tenth one, until the job is listed again."""
    count = 0

    async def expiring(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal count
        count += 1
        is_expired = count >= 10 and lists(fake) == 1
        return await (answer(403, "Request has expired") if is_expired else paced())(request, writer)

    def lists(fake: FakeCircleCI) -> int:
        return sum(each.path.endswith("/artifacts") for each in fake.requests)

    async with one_large(expiring) as (fake, server, path):
        (await harvest(fake, into)).raise_for_failures()
        assert tree(into) == {path: CONTENT}
        assert lists(fake) == 2
        assert [request.headers.get("range") for request in server.requests].count(None) == 1


async def test_a_cancelled_harvest_is_resumed(into: Path) -> None:
    async with one_large(paced()) as (fake, server, path):
        with pytest.raises(asyncio.CancelledError):
            async with fake.client() as circle:

                def watch(event: object) -> None:
                    if isinstance(event, ca.FileAdvanced) and event.received > 1.5 * ALONE:
                        task.cancel()

                task = asyncio.create_task(circle.harvest("gh/acme/api", into, on_progress=watch))
                await task
        assert len(parts(into)) == 1
        server.requests.clear()
        (await harvest(fake, into)).raise_for_failures()
        assert tree(into) == {path: CONTENT}
        assert None not in [request.headers.get("range") for request in server.requests]


async def test_the_bounds_of_a_harvest_hold(into: Path) -> None:
    async with one_large(paced()) as (fake, _, _):
        report = await harvest(fake, into, max_bytes=SIZE - 1)
        assert tree(into) == {}
        assert f"max_bytes={SIZE - 1} is reached" in (report.stopped or "")
        (await harvest(fake, into, max_bytes=SIZE)).raise_for_failures()
        assert len(tree(into)) == 1
