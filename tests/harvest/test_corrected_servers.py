"""A server that was faulty and is corrected: the next harvest is complete, and nothing of the faults is left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from circleci_async.harvest.destination.parts import PARTS_NAME
from circleci_async.testing import FakeCircleCI, World
from tests.harvest.harvests import (
    Items,
    all_artifacts,
    change_list,
    harvest,
    parts,
    rows,
    small_world,
    spoil,
    states,
    tree,
    usual_place,
    usual_tree,
)
from tests.harvest.killer import killer

HUGE = 2**63
HALF = "half \ud800"


async def check_corrected(world: World, path: str, change: Callable[[Items], None], into: Path) -> None:
    """Harvest while a list is faulty, then twice from the corrected server."""
    async with FakeCircleCI(world) as fake:
        await change_list(fake, path, change)
        assert not (await harvest(fake, into)).is_complete
        assert not (await harvest(fake, into)).is_complete
        fake._faults._planned.clear()
        report = await harvest(fake, into)
        report.raise_for_failures()
        assert report.is_complete
        assert tree(into) == usual_tree(all_artifacts(world))
        report = await harvest(fake, into)
        assert (len(report.files), len(report.skipped)) == (0, len(all_artifacts(world)))
        assert rows(into, "SELECT * FROM listings") == []


@pytest.mark.parametrize(("field", "value"), [("number", HUGE), ("id", HALF), ("id", ".."), ("id", "nul\0")])
async def test_a_corrected_pipeline(field: str, value: object, into: Path) -> None:
    world = small_world(pipelines=2)
    await check_corrected(world, "/project/gh/acme/api/pipeline", spoil(field, value), into)


@pytest.mark.parametrize(("field", "value"), [("name", HALF), ("id", HALF), ("id", "../.."), ("id", "")])
async def test_a_corrected_workflow(field: str, value: object, into: Path) -> None:
    world = small_world(pipelines=2)
    pipeline = world.projects["gh/acme/api"].pipelines.all[0]
    await check_corrected(world, f"/pipeline/{pipeline.id}/workflow", spoil(field, value), into)


@pytest.mark.parametrize(("field", "value"), [("job_number", HUGE), ("job_number", -7), ("name", HALF)])
async def test_a_corrected_job(field: str, value: object, into: Path) -> None:
    world = small_world(pipelines=2)
    job = next(iter(world.jobs.values()))
    await check_corrected(world, f"/workflow/{job.workflow.id}/job", spoil(field, value, id=job.id), into)


@pytest.mark.parametrize(
    ("field", "value"),
    [("path", HALF), ("path", "../x"), ("node_index", HUGE), ("url", "http://[::1"), ("url", "http://127.0.0.1:1/x")],
)
async def test_a_corrected_artifact(field: str, value: object, into: Path) -> None:
    world = small_world(pipelines=2)
    artifact = all_artifacts(world)[0]
    path = f"/project/gh/acme/api/{artifact.job.number}/artifacts"
    await check_corrected(world, path, spoil(field, value, path=artifact.path), into)


@pytest.mark.parametrize("delay", [0.0, 0.1])
async def test_an_artifact_that_is_deleted_before_it_is_downloaded_is_gone(delay: float, into: Path) -> None:
    """With a delay its job is listed again before the server answers that it does not exist."""
    world = small_world(pipelines=1)
    artifact, *others = all_artifacts(world)
    async with FakeCircleCI(world) as fake:
        fake.fail(artifact.location, status=404, times=1)
        assert [failure.name for failure in (await harvest(fake, into)).failed] == [artifact.path]
        location = artifact.location
        artifact.delete()
        fake.fail(location, status=404, delay=delay)
        report = await harvest(fake, into)
        assert report.is_complete
    assert states(into) == {"done": len(others), "gone": 1}
    assert tree(into) == usual_tree(others)


async def test_the_partial_file_of_an_artifact_that_is_gone_is_deleted(into: Path) -> None:
    world = small_world(pipelines=1)
    artifact, *others = all_artifacts(world)
    artifact.replace(size=3_000_000)
    async with FakeCircleCI(world) as fake:
        faults: list[Any] = [{"cut": 2_500_000}, *[{"status": 500} for _ in range(20)]]
        for fault in faults:
            fake.fail(artifact.key, origin="storage", **fault)
        assert not (await harvest(fake, into, attempts=2)).is_complete
        assert len(parts(into)) == 1
        artifact.delete()
        for _ in range(2):
            assert (await harvest(fake, into)).is_complete
    assert parts(into) == []
    assert tree(into) == usual_tree(others)


async def test_a_harvest_into_a_full_disk_leaves_no_lock(into: Path) -> None:
    """The system refuses every byte, also of the lock, which names the process for the message of another one."""
    world = small_world(pipelines=1)
    async with FakeCircleCI(world) as fake:
        with killer() as killing:
            assert not await killing.try_to_kill(fake, into, host=fake.url, file_size=0)
        assert not (into / PARTS_NAME).exists()
        assert (await harvest(fake, into)).is_complete
    assert tree(into) == usual_tree(all_artifacts(world))
    assert usual_place(all_artifacts(world)[0]) in tree(into)
