"""The checks of the sequences of faults detect each kind of wrong result."""

import shutil
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World
from tests.harvest.harvests import all_artifacts, harvest, small_world, usual_place
from tests.harvest.truth import Truth


@pytest.fixture
def world() -> World:
    return small_world(pipelines=1, jobs=1, artifacts=3)


async def harvested(world: World, into: Path) -> Truth:
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
    truth = Truth(world)
    for artifact in all_artifacts(world):
        truth.add(artifact)
    truth.check_files(into)
    truth.check_report(report, into, set())
    truth.check_complete(report)
    return truth


async def test_wrong_bytes(world: World, into: Path) -> None:
    truth = await harvested(world, into)
    file = into / usual_place(all_artifacts(world)[0])
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(AssertionError, match="a file is not what the server had"):
        truth.check_files(into)
    truth.altered[usual_place(all_artifacts(world)[0])] = file.read_bytes()
    truth.check_files(into)


async def test_an_unknown_file(world: World, into: Path) -> None:
    truth = await harvested(world, into)
    file = into / usual_place(all_artifacts(world)[0])
    shutil.copy(file, file.with_name("copy"))
    with pytest.raises(AssertionError, match="a file is not in the ledger"):
        truth.check_files(into)


async def test_the_file_of_another_artifact(world: World, into: Path) -> None:
    truth = await harvested(world, into)
    one, two = (into / usual_place(each) for each in all_artifacts(world)[:2])
    shutil.copy(one, two)
    with pytest.raises(AssertionError, match="is another artifact"):
        truth.check_files(into)


async def test_an_artifact_that_is_lost(world: World, into: Path) -> None:
    truth = await harvested(world, into)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
    job = all_artifacts(world)[0].job
    truth.add(job.artifact("lost", b"never listed"))
    with pytest.raises(AssertionError, match="neither on the disk nor a failure"):
        truth.check_report(report, into, set())
    truth.check_report(report, into, {job.artifacts[-1].location})
    with pytest.raises(AssertionError):
        truth.check_complete(report)


async def test_a_file_that_is_deleted_after_the_report(world: World, into: Path) -> None:
    truth = await harvested(world, into)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
    (into / usual_place(all_artifacts(world)[0])).unlink()
    with pytest.raises(FileNotFoundError):
        truth.check_report(report, into, set())
