"""Many random sequences of faults, each with a harvest that is killed, and large archives in buckets: `make faults`."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.archives import archive, check_archive, finished, url_of
from tests.harvest.fault_sequences import run_sequences
from tests.harvest.harvests import all_artifacts, fill, gets, usual_tree
from tests.harvest.killer import killer
from tests.harvest.machines import Machines, kill_at_random
from tests.s3.proxy import FaultProxy
from tests.s3.server import TestBucket

SHARDS = 8
"""Parts that can run at the same time."""

SEQUENCES = int(os.environ.get("SEQUENCES", "200"))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_random_sequences_of_faults_with_kills(shard: int, record_property: Any) -> None:
    count = SEQUENCES // SHARDS + (shard < SEQUENCES % SHARDS)
    counts = run_sequences(1_000 * (shard + 1), count=count, shrinks=True)
    record_property("faults", dict(counts))
    assert counts["sequences"] >= count


@pytest.mark.parametrize("seed", range(max(1, SEQUENCES // 20)))
async def test_harvests_into_a_bucket_killed_at_random_requests(
    s3: TestBucket, s3_proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "reader"))
    with killer() as killing:
        await kill_at_random(Machines(s3, s3_proxy, killing, tmp_path / "machines"), 100 + seed, kills=10)


@pytest.mark.usefixtures("tmp_path")
async def test_five_thousand_files_in_a_bucket(s3: TestBucket) -> None:
    world = World()
    workflow = world.project("gh/acme/api").pipeline().workflow("build")
    for number in range(10):
        fill(workflow.job(f"test-{number}"), 500, 100)
    async with FakeCircleCI(world, page_size=500) as fake:
        report = await archive(fake, s3)
        report.raise_for_failures()
        assert len(report.files) == len(gets(fake)) == 5_000
        await check_archive(fake, s3, all_artifacts(world))


LARGE = """
import asyncio, json, sys
import circleci_async as ca
from tests.harvest.peak import peak

async def main(url, host, into):
    async with ca.CircleCI("fake-token", host=url, artifact_hosts=[host], trust_env=False) as circle:
        (await circle.harvest("gh/acme/small", into)).raise_for_failures()
        before = peak()
        (await circle.harvest("gh/acme/api", into)).raise_for_failures()
    print(json.dumps([before, peak()]))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_file_of_300_mib_in_a_bucket(s3: TestBucket, s3_proxy: FaultProxy, tmp_path: Path) -> None:
    world = World()
    small = world.project("gh/acme/small").pipeline().workflow("build").job("test").artifact("small", b"1")
    large = (
        world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=300 * 1024 * 1024)
    )
    async with FakeCircleCI(world) as fake:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", LARGE, fake.url, fake.artifact_host, url_of(s3)), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        before, peak = json.loads(output)
        assert peak - before < 120 * 1024 * 1024
        assert sum("partNumber" in each.query for each in s3_proxy.requests) == 38
        assert finished(s3) == usual_tree([small, large])
        assert (await ca.verify_harvest(url_of(s3), deep=True)).is_intact
