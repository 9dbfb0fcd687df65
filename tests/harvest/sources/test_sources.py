"""A file is read from its row of the queue alone, as another process does, with options that can be sent there."""

import pickle
import re
from typing import Any

import pytest

from circleci_async.harvest.ledger.records import FetchedArtifact, QueuedArtifact
from circleci_async.harvest.sources.body import TextBody
from circleci_async.harvest.sources.patterns import parse_scrub
from circleci_async.harvest.sources.request_cache import RequestCache
from circleci_async.harvest.sources.sources import SourceOptions, Sources
from circleci_async.testing import FakeCircleCI, World

TOKEN = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("kind", "path", "start"),
    [
        ("artifacts", "a.txt", b"raw " + TOKEN.encode()),
        ("logs", "logs/0/0-Run.txt", b"log [scrubbed] [scrubbed]\n"),
        ("tests", "tests.jsonl", b'{"message": "[scrubbed]'),
        ("tests", "tests.xml", b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'),
        ("builds", "build.json", b'{\n  "job": {\n'),
    ],
)
async def test_a_file_is_read_from_its_row_alone(kind: Any, path: str, start: bytes) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline(branch="main").workflow("build").job("test")
    artifact = job.artifact("a.txt", b"raw " + TOKEN.encode())
    job.step("Run", output=f"log {TOKEN} hunter2\n")
    job.test("it", result="failure", message=TOKEN)
    scrub = parse_scrub([re.compile("HUNTER.", re.IGNORECASE)])
    options: SourceOptions = pickle.loads(pickle.dumps(SourceOptions(ansi=True, patterns=scrub)))
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        listed = await circle.artifacts.list("gh/acme/api", 1).collect()
        url = listed[0].url if kind == "artifacts" else ""
        row = QueuedArtifact(7, 1, 0, "gh/acme/api", 1, artifact.node, path, url, None, None, None, kind)
        async with Sources(circle._session, options).open(pickle.loads(pickle.dumps(row))) as body:
            data = b"".join([part.data async for part in body])
            assert body.received == len(data)
            scrubbed = body.scrubbed if isinstance(body, TextBody) else ()
    assert data.startswith(start)
    file = FetchedArtifact(row, data, len(data), "", None, scrubbed)
    assert pickle.loads(pickle.dumps(file)) == file
    if kind == "logs":
        assert dict(scrubbed) == {"github-token": 1, "HUNTER.": 1}


async def test_the_oldest_results_are_dropped_by_weight() -> None:
    cache = RequestCache[str, list[int]](5, len)
    requested: list[str] = []

    async def get(key: str, size: int) -> None:
        async def request() -> list[int]:
            requested.append(key)
            return [0] * size

        assert len(await cache.get(key, request)) == size

    for key, size in (("a", 2), ("b", 2), ("a", 2), ("c", 2), ("a", 2), ("b", 2), ("huge", 9), ("huge", 9)):
        await get(key, size)
    assert requested == ["a", "b", "c", "b", "huge", "huge"]
