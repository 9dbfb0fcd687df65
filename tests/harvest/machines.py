"""Machines that share a bucket, whose harvests are killed."""

import asyncio
import random
import shutil
from pathlib import Path
from typing import Any

from circleci_async.testing import Artifact, FakeCircleCI, World
from tests.harvest.archives import check_archive, check_finished, expire_lease, url_of
from tests.harvest.harvests import all_artifacts, fill, gets, usual_place, usual_tree
from tests.harvest.killer import Killer
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import TestBucket

MIB = 1024 * 1024


class Machines:
    """Machines that share a bucket, each with its own cache folder."""

    def __init__(self, s3: TestBucket, proxy: FaultProxy, killing: Killer, root: Path) -> None:
        self.s3 = s3
        self.proxy = proxy
        self.killing = killing
        self.root = root

    def cache(self, name: str) -> Path:
        return self.root / name

    async def kill(
        self, fake: FakeCircleCI, fault: Fault, machine: str = "a", *, checkpoints: float | None = None, **options: Any
    ) -> None:
        """Harvest on a machine, and kill the process when the fault happens."""
        fault.then = self.killing.die
        self.proxy.add(fault)
        env = {**self.s3.env, "XDG_CACHE_HOME": str(self.cache(machine))}
        was_killed = await self.killing.harvest_until_killed(
            fake, url_of(self.s3), env, checkpoints=checkpoints, **options
        )
        assert was_killed
        self.proxy.faults.clear()
        await asyncio.sleep(0.3)  # S3 completes requests of the killed process, such as one for its lease

    async def harvest(self, fake: FakeCircleCI, machine: str = "a", **options: Any) -> None:
        """Harvest on a machine to the end."""
        env = {**self.s3.env, "XDG_CACHE_HOME": str(self.cache(machine))}
        assert not await self.killing.harvest_until_killed(fake, url_of(self.s3), env, **options)


def keys_of(artifacts: list[Artifact], targets: set[str]) -> set[str]:
    return {each.key for each in artifacts if usual_place(each) in targets}


async def kill_at_random(machines: Machines, seed: int, kills: int) -> None:
    """Kill harvests at random requests, on machines that lose their folders; one more must complete the archive."""
    chance = random.Random(seed)
    s3 = machines.s3
    world = World()
    project = world.project("gh/acme/api")
    for _ in range(3):
        fill(project.pipeline().workflow("build").job("many"), 50, 2_000)
    project.pipeline().workflow("build").job("large").artifact("core.dump", size=17 * MIB)
    artifacts = all_artifacts(world)
    expected = usual_tree(artifacts)
    ways: list[dict[str, Any]] = [{"drop": "close"}, {"cut_request": 1_000}, {"cut_response": 1}]
    machine = "a"
    async with FakeCircleCI(world, page_size=10) as fake:
        for number in range(kills):
            before = check_finished(s3, expected)
            fake.requests.clear()
            checkpoints = chance.choice((None, 0.02))
            fault = Fault(method=chance.choice((".*", "PUT|POST")), skip=chance.randrange(25), **chance.choice(ways))
            await machines.kill(fake, fault, machine, checkpoints=checkpoints, concurrency=4)
            assert not set(gets(fake)) & keys_of(artifacts, before), f"kill {number}"
            if chance.random() < 0.4:
                machine = chance.choice("abc")
                expire_lease(s3)
            if chance.random() < 0.2:
                shutil.rmtree(machines.cache(machine), ignore_errors=True)
                expire_lease(s3)
        before = check_finished(s3, expected)
        fake.requests.clear()
        s3.abort_uploads()
        await machines.harvest(fake, machine)
        assert not set(gets(fake)) & keys_of(artifacts, before)
        await check_archive(fake, s3, artifacts)
