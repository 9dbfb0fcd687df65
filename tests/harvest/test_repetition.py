"""A repeated harvest requests no list that cannot have changed, and misses nothing."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest import discovery
from circleci_async.harvest.ledger.schema import LEDGER_NAME, VERSION
from circleci_async.testing import FakeCircleCI, Pipeline, Project, World
from tests.harvest.harvests import all_artifacts, fill, harvest, rows, tree, usual_tree
from tests.harvest.killer import killer

NOW = datetime.now(UTC)
OLD = timedelta(days=20)
"""Older than `recheck`."""
YOUNG = timedelta(days=2)


def project_of(world: World) -> Project:
    return world.projects.get("gh/acme/api") or world.project("gh/acme/api")


def build(world: World, age: timedelta, *, status: str = "success", name: str = "build") -> Pipeline:
    """Add a pipeline with one workflow of one job."""
    pipeline = project_of(world).pipeline(branch="main", created_at=NOW - age)
    fill(pipeline.workflow(name, status=status).job("test", status=status), 1)
    return pipeline


def pipelines_of(*ages: timedelta) -> World:
    world = World()
    for age in ages:
        build(world, age)
    return world


@pytest.fixture
async def old() -> AsyncIterator[FakeCircleCI]:
    """Two old pipelines."""
    async with FakeCircleCI(pipelines_of(OLD, OLD)) as fake:
        yield fake


def last(fake: FakeCircleCI) -> dict[str, int]:
    """Return how many lists of each kind were requested since the last call."""
    kinds = Counter(each.path.rpartition("/")[2] for each in fake.requests if each.origin == "api")
    fake.requests.clear()
    return dict(kinds)


def change_ledger(into: Path, statement: str) -> None:
    with closing(sqlite3.connect(into / LEDGER_NAME)) as sql:
        sql.execute(statement)
        sql.commit()


def files(report: ca.HarvestReport) -> tuple[int, int, int]:
    return len(report.files), len(report.skipped), len(report.failed)


async def test_a_second_harvest_requests_only_pipelines_and_the_workflows_of_young_ones(into: Path) -> None:
    world = World()
    for number in range(30):
        pipeline = build(world, timedelta(hours=number))
        if number % 5 < 3:
            fill(pipeline.workflow("deploy").job("push"), 1)
    async with FakeCircleCI(world) as fake:
        first = await harvest(fake, into)
        assert first.requests == len(fake.requests)
        assert last(fake) == {"pipeline": 2, "workflow": 30, "job": 48, "artifacts": 48}
        report = await harvest(fake, into)
        assert (report.requests, report.requests_saved) == (len(fake.requests), 96)
        assert last(fake) == {"pipeline": 2, "workflow": 30}
        assert files(report) == (0, 48, 0)
        report = await harvest(fake, into, recheck="12h")
        assert last(fake) == {"pipeline": 2, "workflow": 12}
        assert (report.requests, report.requests_saved) == (14, 114)
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_of_pipelines_older_than_recheck_nothing_is_requested(old: FakeCircleCI, into: Path) -> None:
    await harvest(old, into)
    last(old)
    report = await harvest(old, into)
    assert last(old) == {"pipeline": 1}
    assert (report.requests, report.requests_saved, files(report)) == (1, 6, (0, 2, 0))


@pytest.mark.parametrize("recheck", ["30d", timedelta(weeks=4), NOW - timedelta(days=30), "9999w"])
async def test_recheck_accepts_times(recheck: str | timedelta | datetime, old: FakeCircleCI, into: Path) -> None:
    for _ in range(2):
        last(old)
        await harvest(old, into, recheck=recheck)
    assert last(old) == {"pipeline": 1, "workflow": 2}


@pytest.mark.parametrize("recheck", ["soon", 14, timedelta(0), ""])
async def test_other_values_of_recheck_are_refused(recheck: Any, old: FakeCircleCI, into: Path) -> None:
    with pytest.raises(ca.InvalidArgument, match=r"recheck must be a datetime, .*, got "):
        await harvest(old, into, recheck=recheck)
    assert (last(old), into.exists()) == ({}, False)


async def test_a_new_pipeline_is_harvested(old: FakeCircleCI, into: Path) -> None:
    await harvest(old, into)
    last(old)
    build(old.world, timedelta(0))
    report = await harvest(old, into)
    assert last(old) == {"pipeline": 1, "workflow": 1, "job": 1, "artifacts": 1}
    assert files(report) == (1, 2, 0)


async def test_a_rerun_of_a_young_pipeline_is_harvested(into: Path) -> None:
    world = pipelines_of(OLD, YOUNG)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        young = world.projects["gh/acme/api"].pipelines.all[-1]
        rerun = young.workflow("build", status="running")
        rerun.jobs += young.workflows[0].jobs
        job = rerun.job("again", status="running")
        last(fake)
        await harvest(fake, into)
        assert last(fake) == {"pipeline": 1, "workflow": 1, "job": 1, "artifacts": 1}
        fill(job, 3)
        job.end("success", NOW)
        rerun.status = "success"
        report = await harvest(fake, into)
        assert last(fake) == {"pipeline": 1, "workflow": 1, "job": 1, "artifacts": 1}
        assert files(report) == (3, 2, 0)
        await harvest(fake, into)
        assert last(fake) == {"pipeline": 1, "workflow": 1}
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_rerun_before_the_pipeline_reached_the_age_is_found_afterwards(
    into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The harvests between the rerun and that age can have failed or been off."""
    world = pipelines_of(timedelta(days=13))
    [pipeline] = world.projects["gh/acme/api"].pipelines.all
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        fill(pipeline.workflow("build").job("again"), 1)
        monkeypatch.setattr(discovery, "utc_now", lambda: datetime.now(UTC) + timedelta(days=2))
        assert files(await harvest(fake, into)) == (1, 1, 0)
        last(fake)
        await harvest(fake, into)
        assert last(fake) == {"pipeline": 1}


@pytest.mark.parametrize("status", ["on_hold", "running", "failing"])
async def test_unfinished_workflows_are_requested_again_however_old(status: str, into: Path) -> None:
    world = pipelines_of(OLD)
    pipeline = build(world, OLD)
    waiting = pipeline.workflow("deploy", status=status)
    hold = waiting.job("hold", approval=True)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        last(fake)
        await harvest(fake, into)
        assert last(fake) == {"pipeline": 1, "workflow": 1, "job": 1}
        fill(waiting.job("push"), 2)
        hold.end("success", NOW)
        waiting.status = "success"
        assert files(await harvest(fake, into)) == (2, 2, 0)
        last(fake)
        await harvest(fake, into)
        assert last(fake) == {"pipeline": 1}


@pytest.mark.parametrize("age", [YOUNG, OLD])
@pytest.mark.parametrize("select", [None, ca.Selection(since=NOW - OLD - timedelta(days=1))])
async def test_an_approval_in_a_failed_workflow_is_not_missed(
    select: ca.Selection | None, age: timedelta, into: Path
) -> None:
    """A workflow with a failed job can have an approval on hold, and continues when it is approved."""
    world = World()
    workflow = build(world, age, status="failed").workflows[0]
    hold = workflow.job("hold", status="on_hold", approval=True)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, select=select)
        fill(workflow.job("push"), 2)
        hold.end("success", NOW)
        assert files(await harvest(fake, into, select=select)) == (2, 1, 0)
        last(fake)
        await harvest(fake, into, select=select)
        assert last(fake) == {"pipeline": 1} if age == OLD else {"pipeline": 1, "workflow": 1}


@pytest.mark.parametrize("state", ["setup", "setup-pending", "pending"])
async def test_pipelines_in_creation_are_requested_again(state: Any, into: Path) -> None:
    world = pipelines_of(OLD)
    [pipeline] = world.projects["gh/acme/api"].pipelines.all
    pipeline.state = state
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        fill(pipeline.workflow("continuation").job("late"), 1)
        pipeline.state = "created"
        assert files(await harvest(fake, into)) == (1, 1, 0)
        last(fake)
        await harvest(fake, into)
        assert last(fake) == {"pipeline": 1}


async def test_a_job_that_runs_in_an_ended_workflow_is_requested_again(into: Path) -> None:
    """The status of a workflow can be ahead of those of its jobs."""
    world = World()
    workflow = build(world, OLD).workflows[0]
    job = workflow.job("slow", status="running")
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        fill(job, 2)
        job.end("success", NOW)
        assert files(await harvest(fake, into)) == (2, 1, 0)
        last(fake)
        await harvest(fake, into)
        assert last(fake) == {"pipeline": 1}


@pytest.mark.parametrize(
    ("path", "again"),
    [
        ("*/{0}/workflow", {"pipeline": 1, "workflow": 1, "job": 1, "artifacts": 1}),
        ("*/{1}/job", {"pipeline": 1, "job": 1, "artifacts": 1}),
        ("*/{2}/artifacts", {"pipeline": 1, "artifacts": 1}),
    ],
)
@pytest.mark.parametrize("status", [500, 400])
async def test_only_a_list_that_failed_is_requested_again(
    path: str, again: dict[str, int], status: int, old: FakeCircleCI, into: Path
) -> None:
    workflow = old.world.projects["gh/acme/api"].pipelines.all[0].workflows[0]
    address = path.format(workflow.pipeline.id, workflow.id, workflow.jobs[0].number)
    fault = old.fail(address, origin="api", status=status, times=None)
    assert files(await harvest(old, into, attempts=1)) == (1, 0, 1)
    fault.stop()
    last(old)
    assert files(await harvest(old, into)) == (1, 1, 0)
    assert last(old) == again
    assert files(await harvest(old, into)) == (0, 2, 0)
    assert last(old) == {"pipeline": 1}


async def test_a_list_of_workflows_that_failed_is_requested_again_with_a_smaller_recheck(into: Path) -> None:
    world = pipelines_of(YOUNG)
    [pipeline] = world.projects["gh/acme/api"].pipelines.all
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
        fill(pipeline.workflow("build").job("again"), 1)
        fake.fail("*/workflow", origin="api", status=400)
        assert files(await harvest(fake, into)) == (0, 0, 1)
        assert files(await harvest(fake, into, recheck="1d")) == (1, 1, 0)


@pytest.mark.parametrize("path", ["*/workflow", "*/job"])
async def test_a_list_that_answered_404_is_requested_again(path: str, old: FakeCircleCI, into: Path) -> None:
    old.fail(path, origin="api", status=404)
    assert files(await harvest(old, into)) == (1, 0, 0)
    assert files(await harvest(old, into)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("/pipeline/{0}/workflow", "name", "half \ud800"),
        ("/pipeline/{0}/workflow", "id", "../.."),
        ("/pipeline/{0}/workflow", "status", None),
        ("/workflow/{1}/job", "name", "half \ud800"),
        ("/workflow/{1}/job", "job_number", -7),
        ("/workflow/{1}/job", "status", "new status"),
    ],
)
async def test_a_list_of_an_old_pipeline_that_is_corrected_is_requested_again(
    path: str, field: str, value: object, old: FakeCircleCI, into: Path
) -> None:
    pipeline = old.world.projects["gh/acme/api"].pipelines.all[0]
    address = path.format(pipeline.id, pipeline.workflows[0].id)
    async with old.client() as circle:
        page = await circle.request("GET", address)
    page["items"][0][field] = value
    fault = old.fail(f"/api/v2{address}", origin="api", body=page, times=None)
    await harvest(old, into)
    await harvest(old, into)
    fault.stop()
    report = await harvest(old, into)
    report.raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(old.world))
    last(old)
    await harvest(old, into)
    assert last(old) == {"pipeline": 1}


def varied_world() -> World:
    """Old pipelines whose workflows, jobs, statuses and artifacts have two names each."""
    world = World()
    for _ in range(2):
        pipeline = project_of(world).pipeline(branch="main", created_at=NOW - OLD)
        for name in ("build", "deploy"):
            workflow = pipeline.workflow(name)
            for job, status in (("test", "success"), ("lint", "failed")):
                made = workflow.job(job, status=status)
                made.artifact("a.xml", f"{made.id} xml".encode())
                made.artifact("a.log", f"{made.id} log".encode())
    return world


@pytest.mark.parametrize(
    ("first", "requests"),
    [
        ({"workflow": "build"}, {"pipeline": 1, "job": 2, "artifacts": 4}),
        ({"job": "test"}, {"pipeline": 1, "artifacts": 4}),
        ({"status": "failed"}, {"pipeline": 1, "artifacts": 4}),
        ({"path": "*.xml"}, {"pipeline": 1}),
        ({"branch": "other"}, {"pipeline": 1, "workflow": 2, "job": 4, "artifacts": 8}),
        ({"since": "2d"}, {"pipeline": 1, "workflow": 2, "job": 4, "artifacts": 8}),
        ({"workflow": "x"}, {"pipeline": 1, "job": 4, "artifacts": 8}),
        ({"latest": True, "workflow": "build"}, {"pipeline": 1, "workflow": 1, "job": 3, "artifacts": 6}),
    ],
)
async def test_another_selection_finds_what_the_earlier_one_left_out(
    first: dict[str, Any], requests: dict[str, int], into: Path
) -> None:
    world = varied_world()
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, select=ca.Selection(**first))
        last(fake)
        (await harvest(fake, into)).raise_for_failures()
        assert last(fake) == requests
        assert tree(into) == usual_tree(all_artifacts(world))
        for select in (None, ca.Selection(**first), ca.Selection(workflow="deploy", job="l*")):
            assert (await harvest(fake, into, select=select)).is_complete
            assert last(fake) == {"pipeline": 1}


async def test_the_latest_pipeline_that_succeeded_is_found_without_lists(into: Path) -> None:
    world = pipelines_of(OLD, OLD)
    build(world, OLD, status="failed")
    select = ca.Selection(latest=True)
    async with FakeCircleCI(world) as fake:
        assert [file.pipeline for file in (await harvest(fake, into, select=select)).files] == [2]
        assert last(fake) == {"pipeline": 1, "workflow": 2, "job": 1, "artifacts": 1}
        report = await harvest(fake, into, select=select)
        assert (last(fake), files(report)) == ({"pipeline": 1}, (0, 1, 0))
        shutil.rmtree(into / "gh")
        report = await harvest(fake, into, select=select)
        assert (last(fake), files(report)) == ({"pipeline": 1}, (1, 0, 0))


async def test_files_that_are_missing_are_downloaded_without_lists(old: FakeCircleCI, into: Path) -> None:
    await harvest(old, into, max_files=1)
    await harvest(old, into)
    shutil.rmtree(into / "gh")
    last(old)
    report = await harvest(old, into)
    assert (last(old), files(report)) == ({"pipeline": 1}, (2, 0, 0))


@pytest.mark.parametrize(("workflows", "jobs"), [(3, 1), (1, 3)])
async def test_a_list_that_a_limit_ended_early_is_requested_again(workflows: int, jobs: int, into: Path) -> None:
    world = World()
    pipeline = project_of(world).pipeline(created_at=NOW - OLD)
    for _ in range(workflows):
        workflow = pipeline.workflow("build")
        for _ in range(jobs):
            fill(workflow.job("test"), 1)
    async with FakeCircleCI(world, page_size=1) as fake:
        report = await harvest(fake, into, max_files=1)
        assert report.stopped == "max_files=1 is reached"
        assert last(fake) == {"pipeline": 1, "workflow": 1, "job": 1, "artifacts": 1}
        (await harvest(fake, into)).raise_for_failures()
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_killed_harvest_keeps_the_lists_it_has_read(old: FakeCircleCI, into: Path) -> None:
    with killer() as killing:
        await killing.kill(old, into, files=2)
    last(old)
    (await harvest(old, into)).raise_for_failures()
    assert last(old) == {"pipeline": 1}
    assert tree(into) == usual_tree(all_artifacts(old.world))


@pytest.mark.parametrize("change", ["items = '[['", "items = '[1]'", "read = 'soon'"])
async def test_records_that_cannot_be_read_are_requested_again(change: str, old: FakeCircleCI, into: Path) -> None:
    await harvest(old, into)
    change_ledger(into, f"UPDATE ended SET {change}")
    last(old)
    (await harvest(old, into)).raise_for_failures()
    assert last(old) == {"pipeline": 1, "workflow": 2, "job": 2}
    assert len(rows(into, "SELECT 1 FROM ended")) == 4


# Ledgers of earlier versions


async def test_a_ledger_without_lists_is_upgraded(old: FakeCircleCI, into: Path) -> None:
    await harvest(old, into)
    for table in ("ended", "pipelines", "calls"):
        change_ledger(into, f"DROP TABLE {table}")
    change_ledger(into, "PRAGMA user_version = 1")
    for folder_mode in (0o755, 0o555):
        into.chmod(folder_mode)
        status = await ca.harvest_status(into)
        assert (status.done, status.runs, len(status.failures), status.is_complete) == (2, 1, 0, True)
        (await ca.verify_harvest(into)).raise_for_differences()
        assert rows(into, "PRAGMA user_version") == [(1,)]
    into.chmod(0o755)
    last(old)
    report = await harvest(old, into)
    assert (last(old), report.requests_saved) == ({"pipeline": 1, "workflow": 2, "job": 2}, 2)
    await harvest(old, into)
    assert last(old) == {"pipeline": 1}
    assert rows(into, "PRAGMA user_version") == [(VERSION,)]
