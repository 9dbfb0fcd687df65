"""Workers that put files into a bucket."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI
from circleci_async.testing.server.exchange import Request
from tests.harvest.harvests import QUICK, all_artifacts, fill, small_world, usual_tree
from tests.s3.server import TestBucket

from .conftest import NewCluster, connected


@pytest.mark.usefixtures("tmp_path")
async def test_objects_that_a_worker_put_before_it_died_are_not_fetched_again(
    s3: TestBucket, new_cluster: NewCluster
) -> None:
    cluster, world = new_cluster(workers=1, env=s3.env), small_world(pipelines=1, jobs=1, artifacts=4)
    fetched: list[str] = []

    async def kill(request: Request) -> None:
        if request.origin == "storage":
            fetched.append(request.path)
            if len(fetched) == 4:
                cluster.kill(cluster.workers[0])
                await asyncio.to_thread(cluster.add_worker, env=s3.env)

    async with FakeCircleCI(world, on_request=kill) as fake, connected(cluster.address) as workers:
        report = await harvest(fake, f"{s3.url}/ci", workers, concurrency=1)
        assert (len(report.files), report.is_complete) == (4, True)
    assert sorted(Counter(fetched).values()) == [1, 1, 1, 2]
    assert await asyncio.to_thread(objects, s3) == usual_tree(all_artifacts(world))


async def harvest(fake: FakeCircleCI, into: str, workers: Any, **options: Any) -> ca.HarvestReport:
    async with fake.client(retry=QUICK) as circle:
        return await circle.harvest("gh/acme/api", into, workers=workers, **options)


def objects(s3: TestBucket) -> dict[str, bytes]:
    """Return the objects that are not hidden, without the prefix."""
    return {key: data for key, data in s3.files("ci/").items() if not key.startswith(".")}


async def test_the_objects_are_the_same_as_the_files_of_a_folder(
    s3: TestBucket, new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster, world = new_cluster(env=s3.env), small_world()
    big = world.projects["gh/acme/api"].pipeline(branch="main").workflow("build").job("big")
    fill(big, 1, 9_000_000)  # uploaded in parts
    async with FakeCircleCI(world) as fake, connected(cluster.address) as workers:
        report = await harvest(fake, f"{s3.url}/ci", workers)
        assert (len(report.files), report.is_complete) == (25, True)
        assert report.requests == len(fake.requests)
        assert await asyncio.to_thread(objects, s3) == usual_tree(all_artifacts(world))
        fake.requests.clear()
        again = await harvest(fake, f"{s3.url}/ci", workers)
        assert (len(again.files), len(again.skipped)) == (0, 25)
        assert not [each for each in fake.requests if each.origin == "storage"]
        fetched = await harvest(fake, f"{s3.url}/ci", workers, ledger=tmp_path / "new")
        assert len(fetched.files) == 25  # recognized by their metadata
        assert not [each for each in fake.requests if each.origin == "storage"]
