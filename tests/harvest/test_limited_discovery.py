"""`max_files` and `max_bytes` stop discovery; and how much of it is done is known before the first file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest import progress
from circleci_async.harvest.pipeline_count import PipelineCount
from circleci_async.models import Pipeline, PipelineState, PipelineTrigger, TriggerType
from circleci_async.testing import FakeCircleCI
from tests.harvest.harvests import all_artifacts, harvest, small_world, tree, usual_tree

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def lists(fake: FakeCircleCI) -> int:
    """Return the number of lists that were requested."""
    return sum(request.origin == "api" for request in fake.requests)


@pytest.mark.parametrize("max_files", [1, 5, 20])
async def test_max_files_stops_discovery(max_files: int, into: Path) -> None:
    world = small_world(pipelines=40, jobs=1, artifacts=1)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, max_files=max_files)
        assert (len(report.files), report.stopped) == (max_files, f"max_files={max_files} is reached")
        pages = 1 + max_files // 20
        # Of each pipeline the lists of workflows, jobs and artifacts; of those read concurrently, some are not needed.
        assert lists(fake) <= pages + 3 * max_files + 2 * (min(max_files, 24) - 1)
        before = len(tree(into))
        report = await harvest(fake, into, max_files=max_files)
        assert (len(report.files), len(tree(into))) == (max_files, before + max_files)
        report = await harvest(fake, into)
        assert report.is_complete
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_files_left_by_an_earlier_run_need_no_lists(into: Path) -> None:
    async with FakeCircleCI(small_world(pipelines=1, jobs=1, artifacts=9)) as fake:
        await harvest(fake, into, max_files=3)
        before = lists(fake)
        report = await harvest(fake, into, max_files=3)
        assert (len(report.files), report.stopped) == (3, "max_files=3 is reached")
        assert lists(fake) == before


async def test_discovery_continues_for_files_that_failed(into: Path) -> None:
    world = small_world(pipelines=8, jobs=1, artifacts=1)
    newest = list(world.projects["gh/acme/api"].pipelines.all)[-3:]
    async with FakeCircleCI(world) as fake:
        for pipeline in newest:
            fake.fail(pipeline.workflows[0].jobs[0].artifacts[0].location, status=500, times=None)
        report = await harvest(fake, into, attempts=2, max_files=4)
        assert (len(report.files), len(report.failed), report.stopped) == (4, 3, "max_files=4 is reached")


async def test_files_that_fail_at_first_do_not_reach_the_limit(into: Path) -> None:
    async with FakeCircleCI(small_world(pipelines=4)) as fake:
        fake.fail(origin="storage", status=500, times=20)
        report = await harvest(fake, into, attempts=5, max_files=10)
        assert (len(report.files), len(report.failed), report.stopped) == (10, 0, "max_files=10 is reached")


async def test_max_bytes_stops_discovery(into: Path) -> None:
    world = small_world(pipelines=100, jobs=1, artifacts=4)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, max_bytes=60_000)
        assert (len(report.files), report.stopped) == (20, "max_bytes=60000 is reached")
        assert lists(fake) < 180
        report = await harvest(fake, into)
        assert report.is_complete
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_selected_ids_are_not_requested_once_the_limit_is_reached(into: Path) -> None:
    world = small_world(pipelines=30, jobs=1, artifacts=1)
    ids = [pipeline.id for pipeline in world.projects["gh/acme/api"].pipelines.all]
    async with FakeCircleCI(world) as fake:
        select = ca.Selection(pipeline_id=ids)
        report = await harvest(fake, into, select=select, max_files=2)
        assert (len(report.files), report.stopped) == (2, "max_files=2 is reached")
        assert lists(fake) <= 4 * 2 + 3
        report = await harvest(fake, into, select=select)
        assert (len(report.files), report.is_complete) == (28, True)


async def test_the_progress_of_discovery_is_known_before_files(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PROGRESS_INTERVAL", 0.005)
    world = small_world(pipelines=40, jobs=1, artifacts=0)
    events: list[Any] = []

    async def listen(event: ca.HarvestEvent) -> None:
        events.append(event)

    async with FakeCircleCI(world, latency=0.01) as fake:
        await harvest(fake, into, on_progress=listen)
    numbers = [event for event in events if isinstance(event, ca.HarvestProgress)]
    assert {each.pipelines_expected for each in numbers} <= {None, 40}
    assert any(0 < each.pipelines < 40 for each in numbers)
    assert numbers[-1].pipelines == numbers[-1].pipelines_expected == 40
    assert {each.file_bytes for each in numbers} == {0}  # the lists of the API do not count
    assert {each.speed for each in numbers} == {0}
    assert numbers[-1].received > 0


async def test_the_bytes_of_files_are_counted_as_received(into: Path) -> None:
    events: list[Any] = []
    async with FakeCircleCI(small_world()) as fake:
        await harvest(fake, into, on_progress=events.append)
    assert (events[-1].file_bytes, events[-1].bytes) == (24 * 3_000, 24 * 3_000)


def pipeline(number: int, hours: float) -> Pipeline:
    return Pipeline(
        id=str(number),
        number=number,
        project_slug="gh/acme/api",
        state=PipelineState.CREATED,
        created_at=NOW - timedelta(hours=hours),
        trigger=PipelineTrigger(type=TriggerType.WEBHOOK, received_at=NOW),
    )


@pytest.mark.parametrize(
    ("listed", "since", "expected"),
    [
        ([(100, 0)], None, 100),
        ([(100, 0), (99, 1), (81, 2)], None, 15),
        ([(100, 0)], 24, None),
        ([(100, 0), (99, 1)], 24, 48),
        ([(100, 0), (50, 1)], 24, 4),
        ([(0, 0)], None, None),
    ],
    ids=["first", "some selected", "one date", "dates", "numbers end first", "no numbers"],
)
def test_the_number_of_pipelines_is_estimated(
    listed: list[tuple[int, int]], since: int | None, expected: int | None
) -> None:
    count = PipelineCount()
    count.projects = 1
    for number, hours in listed:
        begin = None if since is None else NOW - timedelta(hours=since)
        count.listed("gh/acme/api", pipeline(number, hours), begin, is_selected=True)
    assert count.expected == expected


def test_projects_without_an_estimate_count_as_the_others() -> None:
    count = PipelineCount()
    count.projects = 3
    count.listed("gh/acme/api", pipeline(40, 0), None, is_selected=True)
    assert count.expected == 120
    count.ended("gh/acme/web")
    assert count.expected == 80
    count.listed("gh/acme/app", pipeline(10, 0), None, is_selected=True)
    count.ended("gh/acme/app")
    assert count.expected == 41
