"""Killed at any moment, and harvested again: the same tree as without interruption, and no file fetched twice."""

import random
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World
from circleci_async.testing.jobs import Artifact
from tests.harvest.harvests import (
    all_artifacts,
    check_agreement,
    fill,
    gets,
    parts,
    rows,
    states,
    tree,
    usual_place,
    usual_tree,
)
from tests.harvest.killer import killer


def world_to_kill(*, pipelines: int = 2, smalls: int = 40) -> World:
    """Small files and large ones, in several jobs, one of them with a long list."""
    world = World()
    project = world.project("gh/acme/api")
    for _ in range(pipelines):
        workflow = project.pipeline().workflow("build")
        fill(workflow.job("many"), smalls, 2_000)
        job = workflow.job("large", parallelism=2)
        job.artifact("core.dump", size=2_200_000)
        job.artifact("video.mp4", size=4_500_000, node=1)
    return world


def check_what_is_there(into: Path, whole: dict[str, bytes]) -> set[str]:
    """Check that no finished file is anything but whole, and return which there are."""
    there = tree(into) if into.exists() else {}
    assert {name: data for name, data in there.items() if whole[name] != data} == {}
    return set(there)


def keys_of(artifacts: list[Artifact], places: set[str]) -> set[str]:
    return {each.key for each in artifacts if usual_place(each) in places}


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_ten_random_moments(seed: int, into: Path) -> None:
    chance = random.Random(seed)
    world = world_to_kill()
    artifacts = all_artifacts(world)
    whole = usual_tree(artifacts)
    finished: set[str] = set()
    async with FakeCircleCI(world, page_size=10, latency=0.008) as fake, killer() as killing:
        for _ in range(10):
            fake.requests.clear()
            after = chance.uniform(0.02, 0.12)
            assert await killing.harvest(fake, into, after=after, options={"concurrency": 2}) == "killed"
            assert not set(gets(fake)) & keys_of(artifacts, finished)
            finished = check_what_is_there(into, whole)
        fake.requests.clear()
        assert await killing.harvest(fake, into) == "0"
        assert not set(gets(fake)) & keys_of(artifacts, finished)
        fake.requests.clear()
        assert await killing.harvest(fake, into) == "0"
        assert gets(fake) == []
    assert tree(into) == whole
    assert parts(into) == []
    await check_agreement(into)


MOMENTS = [
    ("Register.begin", "before", 1),
    ("Register.begin", "after", 1),
    ("Register.visit", "after", 2),
    ("Register.add", "before", 1),
    ("Register.add", "after", 3),
    ("Register.complete", "before", 1),
    ("Register.complete", "after", 2),
    ("Register._place", "after", 1),
    ("Register.settle", "before", 1),
    ("Register.settle", "after", 1),
    ("Register.take", "after", 1),
    ("Register.finish", "before", 1),
    ("Register.finish", "after", 1),
    ("Store._write", "before", 7),
    ("Store._write", "after", 7),
    ("Store._settle", "before", 1),
    ("Store._settle", "after", 5),
    ("Tree.settle", "before", 1),
    ("Tree.settle", "before", 9),
    ("Tree.settle", "after", 9),
    ("Tree._make_folder", "after", 1),
    ("Store.note_part", "before", 1),
    ("Store.note_part", "after", 1),
    ("PartFile.write", "before", 1),
    ("PartFile.write", "after", 2),
    ("PartFile.close", "before", 1),
    ("Register.end", "before", 1),
    ("Register.end", "after", 1),
    ("Register.close", "after", 1),
]


async def test_killed_at_the_worst_moments(tmp_path: Path) -> None:
    world = world_to_kill(pipelines=1, smalls=15)
    artifacts = all_artifacts(world)
    whole = usual_tree(artifacts)
    async with FakeCircleCI(world, page_size=5) as fake, killer() as killing:
        for number, moment in enumerate(MOMENTS):
            into = tmp_path / f"{number}"
            assert await killing.harvest(fake, into, at=moment) == "killed", moment
            finished = check_what_is_there(into, whole)
            done = {target for (target,) in rows(into, "SELECT target FROM artifacts WHERE state = 'done'")}
            fake.requests.clear()
            assert await killing.harvest(fake, into) == "0", moment
            # What the ledger calls done is not asked for again, whether it had its name already or not.
            assert not set(gets(fake)) & keys_of(artifacts, finished | done), moment
            assert tree(into) == whole, moment
            assert parts(into) == [], moment
            assert states(into) == {"done": len(whole)}, moment
            await check_agreement(into)


async def test_killed_in_the_middle_of_a_large_file_which_is_then_resumed(into: Path) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=12_000_000)
    async with FakeCircleCI(world) as fake, killer() as killing:
        assert await killing.harvest(fake, into, at=("PartFile.write", "after", 3)) == "killed"
        [part] = (into / ".harvest.parts").iterdir()
        size = part.stat().st_size
        assert 1_000_000 < size < 12_000_000
        assert artifact.data.startswith(part.read_bytes())
        fake.requests.clear()
        assert await killing.harvest(fake, into) == "0"
        assert [each.headers.get("Range") for each in fake.requests if each.origin == "storage"] == [f"bytes={size}-"]
    assert tree(into) == usual_tree([artifact])
    await check_agreement(into)


async def test_killed_in_the_middle_of_a_file_that_changes_before_the_next_harvest(into: Path) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=12_000_000)
    async with FakeCircleCI(world) as fake, killer() as killing:
        assert await killing.harvest(fake, into, at=("PartFile.write", "after", 2)) == "killed"
        artifact.replace(size=11_000_000)
        fake.requests.clear()
        assert await killing.harvest(fake, into) == "0"
        assert [each.status for each in fake.requests if each.origin == "storage"] == [200]
    assert tree(into) == usual_tree([artifact])
    await check_agreement(into)


async def test_killed_with_the_last_byte_written_nothing_is_asked_for_again(into: Path) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("big", size=3_000_000)
    async with FakeCircleCI(world) as fake, killer() as killing:
        assert await killing.harvest(fake, into, at=("PartFile.close", "before", 1)) == "killed"
        fake.requests.clear()
        assert await killing.harvest(fake, into) == "0"
        assert gets(fake) == []
    assert tree(into) == usual_tree([artifact])
    await check_agreement(into)


async def test_what_no_ledger_knows_is_removed_from_the_partial_files(into: Path) -> None:
    world = World()
    artifact = world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("a", b"a")
    folder = into / ".harvest.parts"
    folder.mkdir(parents=True)
    for name in (".7.part", ".7.part.link", "stray", ".x.part"):
        (folder / name).write_bytes(b"?")
    async with FakeCircleCI(world) as fake, killer() as killing:
        assert await killing.harvest(fake, into) == "0"
    assert parts(into) == []
    assert tree(into) == usual_tree([artifact])
