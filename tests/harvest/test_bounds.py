"""`max_files`, `max_bytes`, `min_free`, and disks that are full or read-only."""

import asyncio
import errno
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import circleci_async as ca
from circleci_async.downloads.part_file import PartFile
from circleci_async.harvest import committer
from circleci_async.harvest.destination.parts import Part, PartialFiles
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.disks import MIB, small_disk, unprivileged
from tests.harvest.harvests import (
    QUICK,
    all_artifacts,
    change_list,
    check_agreement,
    fill,
    gets,
    harvest,
    parts,
    small_world,
    spoil,
    states,
    tree,
    usual_tree,
)
from tests.leftovers import tasks_of_the_package
from tests.raw_server import raw, raw_server


async def test_max_files_ends_the_run_and_the_next_run_continues(into: Path) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        for done in (7, 14, 21):
            report = await harvest(fake, into, max_files=7)
            assert (len(report.files), report.stopped, report.error) == (7, "max_files=7 is reached", None)
            assert len(tree(into)) == done
            report.raise_for_failures()
            assert not report.is_complete
            assert not (await ca.harvest_status(into)).is_complete
        report = await harvest(fake, into, max_files=7)
        assert (len(report.files), report.stopped, report.is_complete) == (3, None, True)
        report = await harvest(fake, into, max_files=0)
        assert (len(report.files), report.stopped) == (0, None)
        assert len(gets(fake)) == 24
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_the_status_has_the_files_of_all_runs(into: Path) -> None:
    async with FakeCircleCI(small_world()) as fake:
        first = await harvest(fake, into, max_files=7)
        assert list((await ca.harvest_status(into)).files) == list(first.files)
        second = await harvest(fake, into)
        status = await ca.harvest_status(into)
    assert len(status.files) == status.done == 24
    assert {each.path for each in status.files} == {each.path for each in (*first.files, *second.files)}


async def test_max_bytes_ends_the_run_before_it_is_exceeded(into: Path) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, max_bytes=10_000)
        assert (report.bytes, len(report.files), report.stopped) == (9_000, 3, "max_bytes=10000 is reached")
        report = await harvest(fake, into, max_bytes=63_000)
        assert (report.bytes, report.stopped) == (63_000, None)
    assert tree(into) == usual_tree(all_artifacts(world))


@pytest.mark.parametrize("lengths", [True, False])
async def test_a_file_larger_than_max_bytes_is_not_downloaded(lengths: bool, into: Path) -> None:
    world = World()
    world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=5_000_000)
    async with FakeCircleCI(world, lengths=lengths) as fake:
        report = await harvest(fake, into, max_bytes=4_000_000)
        assert (report.bytes, report.stopped, states(into)) == (0, "max_bytes=4000000 is reached", {"found": 1})
        report = await harvest(fake, into)
        assert report.bytes == 5_000_000
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_failed_downloads_do_not_count_towards_the_bounds(into: Path) -> None:
    world = small_world(pipelines=1)
    async with FakeCircleCI(world) as fake:
        fake.fail(origin="storage", cut=1_000, times=20)
        report = await harvest(fake, into, max_files=8, max_bytes=8 * 3_000)
        assert (len(report.files), report.stopped) == (8, None)


class Usage(NamedTuple):
    free: int


async def test_min_free_ends_the_run_before_the_disk_is_full(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = small_world()

    def usage(path: Path) -> Usage:
        return Usage(1_000_000 - sum(len(data) for data in tree(into).values()))

    async with FakeCircleCI(world) as fake:
        monkeypatch.setattr(shutil, "disk_usage", usage)
        report = await harvest(fake, into, min_free=970_000)
        assert report.stopped == "the disk is almost full: less than 970,000 bytes would stay free"
        assert report.error is None
        assert 1 <= len(report.files) <= 10
        report = await harvest(fake, into, min_free=0)
        assert report.stopped is None
    assert tree(into) == usual_tree(all_artifacts(world))


def simulate_small_disk(monkeypatch: pytest.MonkeyPatch, into: Path, size: int) -> None:
    def usage(path: Path) -> Usage:
        sizes: list[int] = []
        for file in into.rglob("*"):
            with suppress(FileNotFoundError):  # renamed meanwhile, in the thread of the ledger
                if file.is_file() and not file.name.startswith(".harvest."):
                    sizes.append(file.stat().st_size)
        return Usage(size - sum(sizes))

    monkeypatch.setattr(shutil, "disk_usage", usage)


@pytest.mark.parametrize("lengths", [True, False])
async def test_a_file_larger_than_the_free_space_fails_and_the_others_arrive(
    lengths: bool, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_world(artifacts=10)
    good = all_artifacts(world)
    big = good[5].job.artifact("big", size=50_000_000)
    simulate_small_disk(monkeypatch, into, 20_000_000)
    async with FakeCircleCI(world, lengths=lengths) as fake:
        for skipped in (0, 60):
            report = await harvest(fake, into, min_free=1_000_000, concurrency=4)
            [failure] = report.failed
            assert (failure.name, failure.number) == ("big", big.job.number)
            assert re.search(
                r"needs [0-9,]+ bytes, and [0-9,]+ bytes of the disk are free beside min_free=1000000", failure.error
            )
            assert (report.stopped, report.error, len(report.skipped), parts(into)) == (None, None, skipped, [])
    assert tree(into) == usual_tree(good)


async def test_a_lying_content_length_fails_one_file(into: Path) -> None:
    world = small_world()
    odd, *others = all_artifacts(world)
    lie = raw(b"HTTP/1.1 200 X\r\nContent-Length: 999999999999999\r\n\r\nfew bytes")
    async with FakeCircleCI(world) as fake, raw_server(lie) as server:
        path = f"/project/gh/acme/api/{odd.job.number}/artifacts"
        await change_list(fake, path, spoil("url", f"{server.url}/lie", path=odd.path))
        async with fake.client(retry=QUICK, artifact_hosts=[server.host]) as circle:
            report = await circle.harvest("gh/acme/api", into)
        [failure] = report.failed
        assert failure.name == odd.path
        assert "needs 999,999,999,999,999 bytes" in failure.error
        assert report.stopped is None
    assert tree(into) == usual_tree(others)


async def test_a_large_file_does_not_count_twice_while_it_is_written(
    into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The written bytes reduce the free space: they must not be reserved any more."""
    world = small_world(artifacts=10)
    all_artifacts(world)[0].job.artifact("big", size=12_000_000)
    simulate_small_disk(monkeypatch, into, 20_000_000)
    async with FakeCircleCI(world) as fake:
        fake.fail("*/logs/*", origin="storage", delay=0.05, times=None)
        fake.fail("*/big", origin="storage", cut=11_500_000)
        fake.fail("*/big", origin="artifacts", after=1, delay=0.3)
        report = await harvest(fake, into, min_free=1_000_000, concurrency=4)
    report.raise_for_failures()
    assert report.stopped is None
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_file_larger_than_max_bytes_does_not_keep_others_from_being_downloaded(into: Path) -> None:
    world = small_world()
    good = all_artifacts(world)
    good[0].job.artifact("big", size=5_000_000)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, max_bytes=4_000_000)
        assert (len(report.files), len(report.failed)) == (24, 0)
        assert (report.stopped, report.is_complete) == ("max_bytes=4000000 is reached", False)
        assert tree(into) == usual_tree(good)
        report = await harvest(fake, into)
        assert (len(report.files), report.is_complete) == (1, True)


# Full disks


@pytest.mark.parametrize("size", [20_000, 3_000_000])
async def test_a_full_disk_ends_the_run_and_the_next_run_continues(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process fills the disk, so that `min_free` does not help."""
    world = World()
    workflow = world.project("gh/acme/api").pipeline().workflow("build")
    for _ in range(3):
        job = workflow.job("test")
        for number in range(max(2, 600_000 // size)):
            job.artifact(f"{number}", size=size)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12))
    disk = tmp_path / "disk"
    with small_disk(disk, 12 * MIB) as is_real:
        into = disk / "out"
        into.mkdir()
        free: Callable[[], None]
        if is_real:
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(10 * MIB))
            free = partial(ballast.unlink, missing_ok=True)
        else:
            free = simulate_full_disk(monkeypatch, 1 * MIB)
        async with FakeCircleCI(world) as fake:
            report = await harvest(fake, into, concurrency=4)
            assert isinstance(report.error, ca.LedgerError), report
            assert "disk is full" in str(report.stopped)
            with pytest.raises(
                ca.LedgerError, match="free space or choose another folder, then run the same command again"
            ):
                report.raise_for_failures()
            assert len(report.failed) == 0
            assert states(into).keys() <= {"done", "found"}
            free()
            fake.requests.clear()
            done = len(tree(into))
            if size < 1_000_000:
                report = await harvest(fake, into)
                report.raise_for_failures()
                assert (len(report.files), len(report.skipped)) == (90 - done, done)
    if size < 1_000_000:
        assert parts(into) == [] if not is_real else True


def simulate_full_disk(monkeypatch: pytest.MonkeyPatch, size: int) -> Callable[[], None]:
    """Let writes fail after `size` bytes, until the returned function is called, where no disk can be mounted."""
    left = [size]

    def refuse(count: int) -> None:
        left[0] -= count
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    write_small = PartialFiles.write
    write_part = PartFile.write

    def small(self: Any, id: int, content: bytes) -> Part:
        refuse(len(content))
        return write_small(self, id, content)

    def part(self: Any, pieces: list[bytes]) -> None:
        refuse(sum(map(len, pieces)))
        write_part(self, pieces)

    monkeypatch.setattr(PartialFiles, "write", small)
    monkeypatch.setattr(PartFile, "write", part)

    def make_room() -> None:
        left[0] = 10**12

    return make_room


async def test_the_simulated_full_disk_behaves_like_a_real_one(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = small_world(size=5_000)
    all_artifacts(world)[0].job.artifact("large", size=3_000_000)
    free = simulate_full_disk(monkeypatch, 50_000)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, concurrency=2)
        assert isinstance(report.error, ca.LedgerError)
        assert 0 < len(report.files) < 24
        free()
        report = await harvest(fake, into)
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_full_disk_when_a_folder_is_created_leaves_the_file_pending(
    into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_world()
    mkdir = os.mkdir

    def full(path: Any, *args: Any, **kwargs: Any) -> None:
        if str(path).endswith(("-2", "-4")):
            raise OSError(errno.ENOSPC, "No space left on device")
        mkdir(path, *args, **kwargs)

    async with FakeCircleCI(world) as fake:
        with monkeypatch.context() as patch:
            patch.setattr(os, "mkdir", full)
            report = await harvest(fake, into)
        assert str(report.stopped) == "the destination disk is full"
        assert states(into).keys() <= {"done", "found"}
        report = await harvest(fake, into)
        report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


# A disk that is read-only


async def test_a_read_only_destination_raises_ledger_error() -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake, fake.client(retry=QUICK) as circle:
        await circle.projects.get("gh/acme/api")
        with unprivileged() as folder:
            await harvest(fake, folder / "before")  # imports all modules
            folder.chmod(0o555)
            with pytest.raises(ca.LedgerError, match=r"cannot create .*out: Permission denied"):
                await circle.harvest("gh/acme/api", folder / "out")
            with pytest.raises(ca.LedgerError, match=r"cannot write to .*: Permission denied"):
                await circle.harvest("gh/acme/api", folder)
            assert tasks_of_the_package() == []
            into = folder / "before"
            whole = tree(into)
            for path in (into, into / ".harvest.parts"):
                path.chmod(0o555)
            (into / ".harvest.sqlite").chmod(0o444)
            with pytest.raises(ca.LedgerError, match=r"cannot write .*: check the permissions"):
                await circle.harvest("gh/acme/api", into)
            for path in into.glob(".harvest.sqlite-*"):
                path.chmod(0o444)
            assert (await ca.harvest_status(into)).done == 24
            (await ca.verify_harvest(into)).raise_for_differences()
            assert tree(into) == whole == usual_tree(all_artifacts(world))


async def test_files_in_a_read_only_folder_fail_until_it_becomes_writable() -> None:
    world = small_world(pipelines=1)
    async with FakeCircleCI(world) as fake:
        with unprivileged() as into:
            await harvest(fake, into)
            fill(world.projects["gh/acme/api"].pipelines.all[0].workflow("build").job("new"), 3)
            folder = into / "gh/acme/api/1/build"
            folder.chmod(0o555)
            report = await harvest(fake, into)
            assert (len(report.files), len(report.skipped), len(report.failed)) == (0, 8, 3)
            assert all("Permission denied" in str(failure) for failure in report.failed)
            folder.chmod(0o755)
            report = await harvest(fake, into)
            report.raise_for_failures()
            assert tree(into) == usual_tree(all_artifacts(world))


# Not too much at once


async def test_downloads_wait_while_too_many_are_to_be_committed(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "MAX_PENDING_FILES", 2)
    world = small_world()
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
    assert len(report.files) == 24
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_open_files_and_connections_are_bounded(into: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("/proc/self/fd does not exist")
    world = World()
    workflow = world.project("gh/acme/api").pipeline().workflow("build")
    for _ in range(6):
        job = workflow.job("test")
        fill(job, 30)
        for number in range(4):
            job.artifact(f"{number}.bin", size=2_000_000)
    peak = 0

    async def count() -> None:
        nonlocal peak
        while True:
            peak = max(peak, len(list(Path("/proc/self/fd").iterdir())))
            await asyncio.sleep(0.002)

    async with FakeCircleCI(world) as fake, fake.client(concurrency=8) as circle:
        before = len(list(Path("/proc/self/fd").iterdir()))
        counting = asyncio.create_task(count())
        report = await circle.harvest("gh/acme/api", into, concurrency=8)
        counting.cancel()
        report.raise_for_failures()
    # This process holds both ends of each connection: 8 + 8 for each of three hosts; 8 partial files, and the ledger.
    assert peak - before < 2 * 3 * 8 + 8 + 8
    await check_agreement(into)
