"""Harvests that are killed and run again: the same files as without interruption, and no file downloaded twice."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.harvest.destination.parts import PARTS_NAME, Part
from circleci_async.harvest.ledger.schema import LEDGER_NAME
from circleci_async.testing import Artifact, FakeCircleCI, World
from tests.harvest.harvests import (
    all_artifacts,
    check_agreement,
    fill,
    gets,
    harvest,
    parts,
    rows,
    small_world,
    states,
    tree,
    usual_place,
    usual_tree,
)
from tests.harvest.killer import Killer, killer
from tests.harvest.snapshots import Snapshots


@pytest.fixture(scope="module")
def killing() -> Iterator[Killer]:
    """One process for all tests of this module."""
    with killer() as running:
        yield running


def check_finished_files(into: Path, expected: dict[str, bytes]) -> set[str]:
    """Check that every finished file is complete, and return their names."""
    files = tree(into) if into.exists() else {}
    assert {name: data for name, data in files.items() if expected[name] != data} == {}
    return set(files)


def recorded_as_done(into: Path) -> set[str]:
    if not (into / LEDGER_NAME).exists() or not rows(into, "SELECT 1 FROM sqlite_schema"):
        return set()
    return {target for (target,) in rows(into, "SELECT target FROM artifacts WHERE state = 'done'")}


def keys_of(artifacts: list[Artifact], targets: set[str]) -> set[str]:
    return {each.key for each in artifacts if usual_place(each) in targets}


async def test_a_harvest_killed_at_random_times(into: Path, killing: Killer) -> None:
    chance = random.Random(1)
    world = World()
    project = world.project("gh/acme/api")
    for _ in range(2):
        workflow = project.pipeline().workflow("build")
        fill(workflow.job("many"), 40, 2_000)
        job = workflow.job("large", parallelism=2)
        job.artifact("core.dump", size=2_200_000)
        job.artifact("video.mp4", size=4_500_000, node=1)
    artifacts = all_artifacts(world)
    expected = usual_tree(artifacts)
    finished: set[str] = set()
    async with FakeCircleCI(world, page_size=10, latency=0.008) as fake:
        for _ in range(8):
            fake.requests.clear()
            await killing.kill(fake, into, seconds=chance.uniform(0.02, 0.12), concurrency=2)
            assert not set(gets(fake)) & keys_of(artifacts, finished)
            finished = check_finished_files(into, expected)
        fake.requests.clear()
        await killing.harvest(fake, into)
        assert not set(gets(fake)) & keys_of(artifacts, finished)
        fake.requests.clear()
        await killing.harvest(fake, into)
        assert gets(fake) == []
    assert tree(into) == expected
    assert parts(into) == []
    await check_agreement(into)


async def test_a_harvest_killed_before_each_step_that_changes_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All commits, writes, renames and deletions of a run: where between two of them it is killed makes no difference.

    What a killed process leaves is what the files contain, so that a copy of them stands for the process.
    """
    world = World()
    workflow = world.project("gh/acme/api").pipeline().workflow("build")
    fill(workflow.job("small"), 3, 2_000)
    workflow.job("large").artifact("core.dump", size=2_200_000)
    artifacts = all_artifacts(world)
    expected = usual_tree(artifacts)
    async with FakeCircleCI(world, page_size=2) as fake:
        with monkeypatch.context() as patch:
            snapshots = Snapshots(patch, tmp_path / "out", tmp_path / "copies")
            await harvest(fake, tmp_path / "out", concurrency=1)
        assert set(snapshots.steps) == {"commit", "mkdir", "replace", "write"}
        assert len(snapshots.copies) > 25
        for into in snapshots.copies:
            finished = check_finished_files(into, expected)
            done = recorded_as_done(into)
            fake.requests.clear()
            (await harvest(fake, into)).raise_for_failures()
            # An artifact that the ledger calls done is not requested again, whether it was renamed or not.
            assert not set(gets(fake)) & keys_of(artifacts, finished | done), into
            assert tree(into) == expected, into
            assert parts(into) == [], into
            assert states(into) == {"done": len(expected)}, into


async def test_a_large_file_is_resumed_after_a_kill(into: Path, killing: Killer) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=12_000_000)
    async with FakeCircleCI(world) as fake:
        await killing.kill(fake, into, written=5_000_000)
        [part] = (into / ".harvest.parts").iterdir()
        size = part.stat().st_size
        assert 1_000_000 < size < 12_000_000
        assert artifact.data.startswith(part.read_bytes())
        fake.requests.clear()
        await killing.harvest(fake, into)
        assert [each.headers.get("Range") for each in fake.requests if each.origin == "storage"] == [f"bytes={size}-"]
    assert tree(into) == usual_tree([artifact])
    await check_agreement(into)


async def test_a_large_file_that_changed_after_a_kill_starts_over(into: Path, killing: Killer) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=12_000_000)
    async with FakeCircleCI(world) as fake:
        await killing.kill(fake, into, written=2_000_000)
        artifact.replace(size=11_000_000)
        fake.requests.clear()
        await killing.harvest(fake, into)
        assert [each.status for each in fake.requests if each.origin == "storage"] == [200]
    assert tree(into) == usual_tree([artifact])
    await check_agreement(into)


async def test_a_large_file_without_etag_starts_over_after_a_kill(into: Path, killing: Killer) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=4_000_000)
    async with FakeCircleCI(world, etags=False) as fake:
        await killing.kill(fake, into, written=2_000_000)
        fake.requests.clear()
        await killing.harvest(fake, into)
        assert [each.status for each in fake.requests if each.origin == "storage"] == [200]
    assert tree(into) == usual_tree([artifact])
    await check_agreement(into)


async def test_a_file_killed_after_its_last_byte_is_not_requested_again(into: Path, killing: Killer) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=3_000_000)
    async with FakeCircleCI(world) as fake:
        await killing.kill(fake, into, written=3_000_000)
        fake.requests.clear()
        await killing.harvest(fake, into)
        assert gets(fake) == []
    assert tree(into) == usual_tree([artifact])
    await check_agreement(into)


@pytest.mark.parametrize(("etags", "sizes"), [(True, (50, 9_000, 200_000)), (False, (200_000, 400_000, 1_500_000))])
async def test_files_that_had_arrived_but_were_not_committed_are_not_requested_again(
    etags: bool, sizes: tuple[int, ...], into: Path, killing: Killer
) -> None:
    world = small_world()
    job = all_artifacts(world)[0].job
    for size in sizes:
        job.artifact(f"{size}.bin", size=size)
    async with FakeCircleCI(world, etags=etags) as fake:
        await killing.kill(fake, into, files=27)
        assert len(gets(fake)) == 27
        assert len(tree(into)) < 10
        fake.requests.clear()
        await killing.harvest(fake, into)
        assert gets(fake) == []
    assert tree(into) == usual_tree(all_artifacts(world))
    assert parts(into) == []
    await check_agreement(into)


async def test_a_file_that_was_cut_off_while_it_was_written_is_requested_again(into: Path, killing: Killer) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        await killing.kill(fake, into, files=24)
        arrived = max((into / PARTS_NAME).iterdir(), key=lambda each: each.stat().st_size)
        whole = arrived.read_bytes()
        for damage in (whole[:-1], whole[:-1] + b"?", b""):
            arrived.write_bytes(damage)
            case = into.with_name(f"out-{len(damage)}-{damage[-1:].hex()}")
            shutil.copytree(into, case)
            fake.requests.clear()
            await killing.harvest(fake, case)
            assert len(gets(fake)) == 1
            assert tree(case) == usual_tree(all_artifacts(world))
            assert parts(case) == []
        await killing.harvest(fake, into)
    assert tree(into) == usual_tree(all_artifacts(world))
    assert parts(into) == []
    await check_agreement(into)


async def test_complete_files_of_a_killed_run_belong_to_the_run_that_selects_them(into: Path, killing: Killer) -> None:
    world = small_world()
    async with FakeCircleCI(world) as fake:
        await killing.kill(fake, into, files=24)
        fake.requests.clear()
        report = await harvest(fake, into, select=ca.Selection(path="logs/3.txt"))
        assert sorted(each.artifact for each in (*report.files, *report.skipped)) == ["logs/3.txt"] * 6
        assert len(tree(into)) <= 7
        report = await harvest(fake, into)
        report.raise_for_failures()
        assert len(report.files) + len(report.skipped) == 24
        assert gets(fake) == []
    assert tree(into) == usual_tree(all_artifacts(world))
    assert parts(into) == []


async def test_unknown_partial_files_are_deleted(into: Path, killing: Killer) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("a", b"a")
    folder = into / ".harvest.parts"
    folder.mkdir(parents=True)
    for name in (".7.part", ".7.part.link", "stray", ".x.part"):
        (folder / name).write_bytes(b"?")
    async with FakeCircleCI(world) as fake:
        await killing.harvest(fake, into)
    assert parts(into) == []
    assert tree(into) == usual_tree([artifact])


async def test_a_committed_file_that_was_damaged_before_its_rename_is_downloaded_again(into: Path) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("a", b"abc")
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        [(id, sha256, target)] = rows(into, "SELECT id, sha256, target FROM artifacts")
        (into / target).unlink()
        (into / PARTS_NAME / Part(id, sha256).name).write_bytes(b"ab\0")  # as after a power failure before the rename
        (await harvest(fake, into)).raise_for_failures()
    assert tree(into) == usual_tree([artifact])
    assert parts(into) == []
    await check_agreement(into)
