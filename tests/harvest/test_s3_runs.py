"""Hooks, limits, cancellation, prunes, names and large files of harvests into S3."""

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.harvest.ledger.remote import remote_ledger
from circleci_async.testing import FakeCircleCI, World
from tests.downloads.range_server import use_small_pieces
from tests.harvest.archives import archive, check_archive, check_finished, expire_lease, finished, url_of
from tests.harvest.harvests import QUICK, all_artifacts, fill, gets, small_world, tree, usual_tree
from tests.harvest.hostile import REFUSED_PATHS, SAFE_PATHS
from tests.harvest.killer import Killer, killer
from tests.harvest.test_prune import aged_world, recent
from tests.leftovers import tasks_of_the_package
from tests.s3.proxy import Fault, FaultProxy
from tests.s3.server import TestBucket

FILES = r"acme/[^.].*"
"""The names of finished files."""

MIB = 1024 * 1024

pytestmark = pytest.mark.usefixtures("tmp_path")


@pytest.fixture(scope="module")
def killing() -> Iterator[Killer]:
    """One process for all tests of this module."""
    with killer() as running:
        yield running


async def test_on_file_is_called_once_and_again_after_a_kill(
    s3: TestBucket, s3_proxy: FaultProxy, killing: Killer, tmp_path: Path
) -> None:
    world = small_world()
    calls = tmp_path / "calls"
    env = {**s3.env, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    async with FakeCircleCI(world) as fake:
        s3_proxy.add(Fault("PUT", FILES, skip=10, drop="close", then=killing.die))
        assert await killing.harvest_until_killed(fake, url_of(s3), env, calls=str(calls), concurrency=2)
        s3_proxy.faults.clear()
        assert set(calls.read_text().splitlines()) <= check_finished(s3, usual_tree(all_artifacts(world)))
        calls.unlink()
        assert not await killing.harvest_until_killed(fake, url_of(s3), env, calls=str(calls))
        # The ledger was not stored before the kill: what was called then is not known.
        expected = Counter(usual_tree(all_artifacts(world)))
        assert Counter(calls.read_text().splitlines()).keys() == expected.keys()
        assert max(Counter(calls.read_text().splitlines()).values()) == 1
        calls.unlink()
        assert not await killing.harvest_until_killed(fake, url_of(s3), env, calls=str(calls))
        assert not calls.exists()
        expire_lease(s3)
        await check_archive(fake, s3, all_artifacts(world))


async def test_limits_with_a_bucket(s3: TestBucket) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        report = await archive(fake, s3, max_files=5)
        assert (len(report.files), report.stopped) == (5, "max_files=5 is reached")
        assert len(finished(s3)) == 5
        report = await archive(fake, s3, max_bytes=10_000)
        assert (len(report.files), report.stopped) == (3, "max_bytes=10000 is reached")
        report = await archive(fake, s3, min_free=10**18)
        assert len(report.files) == 0
        assert report.stopped is not None
        assert report.stopped.startswith(f"the disk of {Path.home()}/")  # of the working folder
        assert "is almost full: less than" in report.stopped
        (await archive(fake, s3)).raise_for_failures()
        await check_archive(fake, s3, all_artifacts(world))


def store_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("circleci-async-store")]


async def test_a_cancelled_harvest_releases_its_lease(
    s3: TestBucket, s3_proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_world()
    world.projects["gh/acme/api"].pipeline().workflow("build").job("large").artifact("big", size=9 * MIB)
    fault = s3_proxy.add(Fault("PUT", FILES, skip=7, delay=0.3))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a"))
    async with FakeCircleCI(world) as fake:
        async with fake.client(retry=QUICK) as circle:
            running = asyncio.create_task(circle.harvest("gh/acme/api", url_of(s3), concurrency=4))
            while not fault.happened:
                await asyncio.sleep(0.005)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        assert tasks_of_the_package() == []
        s3_proxy.faults.clear()
        put = check_finished(s3, usual_tree(all_artifacts(world)))
        assert len(put) >= 4  # the others of the first seven can be on their way
        status = await ca.harvest_status(url_of(s3))
        assert (status.is_running, status.is_complete) == (False, False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
        (await archive(fake, s3)).raise_for_failures()  # at once, from another machine
        await check_archive(fake, s3, all_artifacts(world))
        for _ in range(400):
            if not store_threads():
                break
            await asyncio.sleep(0.01)
        assert store_threads() == []


async def test_a_prune_of_a_bucket(s3: TestBucket) -> None:
    world = aged_world(0, 10, 400, 500)
    async with FakeCircleCI(world) as fake:
        (await archive(fake, s3)).raise_for_failures()
        before = finished(s3)
        dry = await ca.prune_harvest(url_of(s3), older_than="365d", dry_run=True)
        assert (dry.files, dry.bytes, dry.dry_run) == (8, 800, True)
        assert finished(s3) == before
        report = await ca.prune_harvest(url_of(s3), older_than="365d")
        assert (report.files, report.bytes, report.failures) == (8, 800, 0)
        assert finished(s3) == recent(world, 365)
        again = await ca.prune_harvest(url_of(s3), older_than="365d")
        assert (again.files, again.bytes, again.failures) == (0, 0, 0)
        fake.requests.clear()
        (await archive(fake, s3)).raise_for_failures()
        assert gets(fake) == []
    assert (await ca.verify_harvest(url_of(s3), deep=True)).is_intact
    status = await ca.harvest_status(url_of(s3))
    assert (status.done, status.pruned, status.is_complete) == (8, 8, True)


async def test_a_prune_that_cannot_delete_is_repeated(
    s3: TestBucket, s3_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = aged_world(0, 400)
    async with FakeCircleCI(world) as fake:
        (await archive(fake, s3)).raise_for_failures()
        s3_proxy.add(Fault("POST", query="delete", status=403, code="AccessDenied"))
        report = await ca.prune_harvest(url_of(s3), older_than="365d")
        assert (report.files, report.failures) == (0, 4)
        assert "403 Forbidden: AccessDenied" in report.failed[0]
        assert (await ca.verify_harvest(url_of(s3))).is_intact
        s3_proxy.faults.clear()
        assert (await ca.prune_harvest(url_of(s3), older_than="365d")).files == 4
    assert finished(s3) == recent(world, 365)


PRUNE = """
import asyncio, sys
import circleci_async as ca
from circleci_async.harvest import prune
prune.BATCH_SIZE = 3
asyncio.run(ca.prune_harvest(sys.argv[1], older_than="365d"))
"""


@pytest.mark.parametrize(
    "fault", [Fault("POST", query="delete", skip=1, cut_response=1), Fault("PUT", skip=5, drop="close")], ids=str
)
async def test_a_killed_prune_is_finished_by_the_next_one(
    s3: TestBucket, s3_proxy: FaultProxy, tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = aged_world(0, 400, 500)
    async with FakeCircleCI(world) as fake:
        (await archive(fake, s3)).raise_for_failures()
        env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "other")}
        process = subprocess.Popen([sys.executable, "-c", PRUNE, url_of(s3)], env=env)
        fault.then = process.kill
        s3_proxy.add(fault)
        assert await asyncio.to_thread(process.wait) == -9
        s3_proxy.faults.clear()
        assert recent(world, 365).items() <= check_and_get(s3, world).items()
        expire_lease(s3)
        verified = await ca.verify_harvest(url_of(s3))  # what is deleted is recorded as such
        assert (verified.missing, verified.changed, verified.unknown) == ((), (), ())
        fake.requests.clear()
        (await archive(fake, s3)).raise_for_failures()
        assert gets(fake) == []
        report = await ca.prune_harvest(url_of(s3), older_than="365d")
        assert report.failures == 0
        assert finished(s3) == recent(world, 365)
        assert (await ca.harvest_status(url_of(s3))).pruned == 8


def check_and_get(s3: TestBucket, world: World) -> dict[str, bytes]:
    check_finished(s3, usual_tree(all_artifacts(world)))
    return finished(s3)


async def test_hostile_names_are_the_same_as_in_a_folder(s3: TestBucket, tmp_path: Path) -> None:
    world = World()
    project = world.project("gh/acme/api")
    for workflow, name in (("build", "test"), ("a/b", ".."), ("\u00e9" * 90, "CON"), (" ", "new\nline"), ("%2F", "~")):
        job = project.pipeline(branch="main").workflow(workflow).job(name, parallelism=2)
        for number, path in enumerate((*SAFE_PATHS, *REFUSED_PATHS)):
            if job.artifact_at(number % 2, path) is None:
                job.artifact(path, f"{number} of {name}".encode(), node=number % 2)
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        in_folder = await circle.harvest("gh/acme/api", tmp_path / "out")
        in_bucket = await circle.harvest("gh/acme/api", url_of(s3))
    stored, expected = finished(s3), tree(tmp_path / "out")
    assert stored.keys() ^ expected.keys() == set()
    assert {name for name, data in expected.items() if stored[name] != data} == set()
    assert len(in_bucket.files) == len(in_folder.files)
    assert sorted(each.name for each in in_bucket.failed) == sorted(each.name for each in in_folder.failed)
    assert (await ca.verify_harvest(url_of(s3), deep=True)).is_intact


async def test_a_large_file_in_parallel_ranges_and_parts(
    s3: TestBucket, s3_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_small_pieces(monkeypatch.setattr)
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=17 * MIB)
    async with FakeCircleCI(world) as fake:
        (await archive(fake, s3)).raise_for_failures()
        ranges = [each.headers.get("Range") for each in fake.requests if each.origin == "storage"]
        assert len([each for each in ranges if each]) > 40
        parts = [len(each.body) for each in s3_proxy.requests if "partNumber" in each.query]
        assert sorted(parts) == [MIB, 8 * MIB, 8 * MIB]
        assert finished(s3) == usual_tree([artifact])


async def test_many_small_files(s3: TestBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_ledger, "CHECKPOINT_INTERVAL", 0.1)
    world = World()
    workflow = world.project("gh/acme/api").pipeline().workflow("build")
    for number in range(4):
        fill(workflow.job(f"test-{number}"), 60, 10)
    async with FakeCircleCI(world, page_size=50) as fake:
        report = await archive(fake, s3)
        report.raise_for_failures()
        assert len(report.files) == 240
        assert finished(s3) == usual_tree(all_artifacts(world))
        assert len((await archive(fake, s3)).files) == 0
        assert len(gets(fake)) == 240
