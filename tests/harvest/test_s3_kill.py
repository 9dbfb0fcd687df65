"""Harvests into S3 that are killed and run again: on the same machine, on another one, and with a stale copy."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.archives import (
    PREFIX,
    archive,
    check_archive,
    check_finished,
    expire_lease,
    finished,
    url_of,
)
from tests.harvest.harvests import all_artifacts, fill, gets, small_world, usual_place, usual_tree
from tests.harvest.killer import Killer, killer
from tests.harvest.machines import Machines, keys_of, kill_at_random
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import TestBucket

FILES = r"acme/[^.].*"
"""The names of finished files."""

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def killing() -> Iterator[Killer]:
    """One process for all tests of this module."""
    with killer() as running:
        yield running


@pytest.fixture
def machines(
    s3: TestBucket, s3_proxy: FaultProxy, killing: Killer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Machines:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "reader"))
    return Machines(s3, s3_proxy, killing, tmp_path / "machines")


async def test_a_harvest_killed_at_ten_random_requests(machines: Machines) -> None:
    await kill_at_random(machines, seed=2, kills=10)


@pytest.mark.parametrize("is_lost", [False, True], ids=["same machine", "working folder lost"])
async def test_objects_put_after_the_last_checkpoint_are_not_fetched_again(machines: Machines, is_lost: bool) -> None:
    s3 = machines.s3
    world = small_world()
    async with FakeCircleCI(world) as fake:
        await machines.kill(fake, Fault("PUT", FILES, skip=12, drop="close"), concurrency=2)
        put = check_finished(s3, usual_tree(all_artifacts(world)))
        assert 10 <= len(put) <= 13
        if is_lost:
            shutil.rmtree(machines.cache("a"))
            expire_lease(s3)
        fake.requests.clear()
        await machines.harvest(fake)
        left = len(all_artifacts(world)) - len(put)
        # What was received but not put is a complete partial file in the working folder.
        assert left - 2 <= len(gets(fake)) <= left  # S3 can complete requests of the killed process, too
        assert not set(gets(fake)) & keys_of(all_artifacts(world), put)
        await check_archive(fake, s3, all_artifacts(world))


async def test_objects_of_a_killed_later_run_are_recognized_on_another_machine(machines: Machines) -> None:
    """The ledger in the bucket is that of the first run, which ended."""
    s3 = machines.s3
    world = small_world(pipelines=1)
    async with FakeCircleCI(world) as fake:
        await machines.harvest(fake, "a")
        fill(world.projects["gh/acme/api"].pipeline(branch="main").workflow("build").job("new"), 10)
        before = check_finished(s3, usual_tree(all_artifacts(world)))
        await machines.kill(fake, Fault("PUT", FILES, skip=6, drop="close"), "a", concurrency=2)
        put = check_finished(s3, usual_tree(all_artifacts(world)))
        assert len(put - before) >= 5
        expire_lease(s3)
        status = await ca.harvest_status(url_of(s3))
        assert (status.runs, status.is_complete) == (2, False)
        fake.requests.clear()
        await machines.harvest(fake, "b")
        left = len(all_artifacts(world)) - len(put)
        assert left - 1 <= len(gets(fake)) <= left  # S3 can complete a request of the killed process
        assert not set(gets(fake)) & keys_of(all_artifacts(world), put)
        await check_archive(fake, s3, all_artifacts(world))


async def test_objects_of_a_killed_run_are_recognized_after_a_run_with_another_selection(machines: Machines) -> None:
    s3 = machines.s3
    world = small_world()
    async with FakeCircleCI(world) as fake:
        await machines.kill(fake, Fault("PUT", FILES, skip=12, drop="close"), "a", concurrency=2)
        expire_lease(s3)
        (await archive(fake, s3, select=ca.Selection(path="logs/0.txt"))).raise_for_failures()
        put = check_finished(s3, usual_tree(all_artifacts(world)))
        fake.requests.clear()
        (await archive(fake, s3)).raise_for_failures()
        assert not set(gets(fake)) & keys_of(all_artifacts(world), put)
        await check_archive(fake, s3, all_artifacts(world))


async def test_a_stale_working_folder_is_brought_up_to_date(machines: Machines) -> None:
    """Machine a was killed within large files; b has used other ids for other files since."""
    s3 = machines.s3
    world = World()
    project = world.project("gh/acme/api")
    project.pipeline().workflow("build").job("first").artifact("old.bin", size=6 * MIB)
    async with FakeCircleCI(world) as fake:
        await machines.harvest(fake, "a")
        fill(project.pipeline().workflow("build").job("second"), 4, 400_000)
        await machines.kill(fake, Fault("PUT", FILES, drop="close"), "a", concurrency=4)
        assert any(machines.cache("a").rglob("*.part"))
        expire_lease(s3)
        fill(project.pipeline().workflow("build").job("third"), 6, 400_000)  # listed first: it gets the first ids
        s3_files = Fault("PUT", FILES, skip=2, drop="close")
        await machines.kill(fake, s3_files, "b", checkpoints=0.01, concurrency=1)
        expire_lease(s3)
        await machines.harvest(fake, "a")
        await check_archive(fake, s3, all_artifacts(world))


async def test_a_large_download_is_resumed_and_its_upload_repeated(machines: Machines) -> None:
    s3 = machines.s3
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=17 * MIB)
    async with FakeCircleCI(world) as fake:
        fault = Fault("PUT", query="partNumber", skip=1, cut_request=100_000)
        await machines.kill(fake, fault, checkpoints=0.01)
        assert finished(s3) == {}
        assert s3.unfinished_uploads() == [PREFIX + usual_place(artifact)]
        fake.requests.clear()
        await machines.harvest(fake)
        assert gets(fake) == []  # it was complete on the disk
        await check_archive(fake, s3, [artifact])
