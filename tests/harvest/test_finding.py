"""What is found: what a selection asks for, each job once, and nothing asked for in vain."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.harvest import finding
from circleci_async.testing import FakeCircleCI, World
from circleci_async.testing.builds import Pipeline
from circleci_async.testing.jobs import Job
from tests.harvest.harvests import (
    all_artifacts,
    fill,
    harvest,
    rows,
    small_world,
    states,
    tree,
    usual_place,
    usual_tree,
)

NOW = datetime.now(UTC)


def varied_world() -> World:
    """Pipelines of several branches, tags and ages, with workflows and jobs of several names and ends."""
    world = World()
    project = world.project("gh/acme/api")

    def build(pipeline: Pipeline) -> None:
        for name in ("build", "deploy"):
            workflow = pipeline.workflow(name)
            for job, status in (("test-a", "success"), ("test-b", "failed"), ("lint", "success")):
                made = workflow.job(job, status=status)
                made.artifact("junit.xml", f"{made.id} xml".encode())
                made.artifact("logs/deep/app.log", f"{made.id} log".encode())

    build(project.pipeline(branch="main", created_at=NOW - timedelta(days=30)))
    build(project.pipeline(branch="release/1", created_at=NOW - timedelta(days=6)))
    build(project.pipeline(tag="v1.0", created_at=NOW - timedelta(days=5)))
    build(project.pipeline(branch="main", created_at=NOW - timedelta(hours=1)))
    return world


@pytest.mark.parametrize(
    ("select", "wanted"),
    [
        (None, lambda a: True),
        (ca.Selection(), lambda a: True),
        (ca.Selection(branch="main"), lambda a: pipeline_of(a).branch == "main"),
        (ca.Selection(branch="re*"), lambda a: pipeline_of(a).branch == "release/1"),
        (ca.Selection(tag="v*"), lambda a: pipeline_of(a).tag == "v1.0"),
        (ca.Selection(since="7d"), lambda a: pipeline_of(a).number > 1),
        (ca.Selection(until=timedelta(hours=2)), lambda a: pipeline_of(a).number < 4),
        (ca.Selection(since="7d", until="2h"), lambda a: pipeline_of(a).number in {2, 3}),
        (ca.Selection(workflow="build"), lambda a: a.job.workflow.name == "build"),
        (ca.Selection(job="test-*"), lambda a: a.job.name != "lint"),
        (ca.Selection(job="test"), lambda a: False),
        (ca.Selection(status="failed"), lambda a: a.job.name == "test-b"),
        (ca.Selection(path="**/*.log"), lambda a: a.path.endswith("log")),
        (ca.Selection(path="*"), lambda a: a.path == "junit.xml"),
        (
            ca.Selection(branch="main", since="7d", workflow="b*", job="test-*", status="success", path="**/*.xml"),
            lambda a: usual_place(a) == "gh/acme/api/4/build/test-a-19/junit.xml",
        ),
    ],
    ids=lambda value: value.key if isinstance(value, ca.Selection) else "everything" if value is None else "",
)
async def test_a_selection_brings_what_it_asks_for(
    select: ca.Selection | None, wanted: Callable[[Any], bool], into: Path
) -> None:
    world = varied_world()
    async with FakeCircleCI(world, page_size=2) as fake:
        report = await harvest(fake, into, select=select)
    report.raise_for_failures()
    assert tree(into) == usual_tree(filter(wanted, all_artifacts(world)))


def pipeline_of(artifact: Any) -> Pipeline:
    pipeline: Pipeline = artifact.job.workflow.pipeline
    return pipeline


async def test_what_is_too_old_is_not_even_looked_at(into: Path) -> None:
    world = World()
    project = world.project("gh/acme/api")
    for age in range(100, 0, -1):
        fill(project.pipeline(created_at=NOW - timedelta(days=age)).workflow("build").job("test"), 1)
    async with FakeCircleCI(world, page_size=10) as fake:
        report = await harvest(fake, into, select=ca.Selection(since="15d"))
        assert len(report.files) == 14
        asked = [each.path for each in fake.requests]
    assert len([path for path in asked if path.endswith("/project/gh/acme/api/pipeline")]) == 2
    assert len([path for path in asked if path.endswith("/workflow")]) == 14


async def test_a_branch_that_is_no_glob_is_asked_for(into: Path) -> None:
    async with FakeCircleCI(varied_world()) as fake:
        await harvest(fake, into, select=ca.Selection(branch="main"))
        assert [each.query.get("branch") for each in fake.requests if each.path.endswith("/pipeline")] == ["main"]


async def test_a_project_of_the_github_app_tells_its_branch_in_other_words(into: Path) -> None:
    world = World()
    slug = f"circleci/{'a' * 22}/{'B' * 22}"
    project = world.project(slug)
    for pipeline in (project.pipeline(branch="main"), project.pipeline(branch="other"), project.pipeline(tag="v1")):
        fill(pipeline.workflow("build").job("test"), 1)
    for select, number in [
        (ca.Selection(branch="m*"), 1),
        (ca.Selection(branch="main"), 1),
        (ca.Selection(tag="v?"), 3),
    ]:
        async with FakeCircleCI(world) as fake:
            report = await harvest(fake, into / select.key.replace("/", ""), projects=slug, select=select)
            assert [file.pipeline for file in report.files] == [number]


async def test_a_job_that_a_rerun_takes_over_is_harvested_once(into: Path) -> None:
    world = small_world(pipelines=1)
    [pipeline] = world.projects["gh/acme/api"].pipelines.all
    [first] = pipeline.workflows
    again = pipeline.workflow("build")
    again.jobs += first.jobs[:1]
    again.taken_over |= {first.jobs[0].id}
    fill(again.job("test-1"), 2)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
        listed = [each.path for each in fake.requests if each.path.endswith("/artifacts")]
    assert len(listed) == len(set(listed)) == 3
    assert (len(report.files), len(report.skipped)) == (10, 0)
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_approvals_and_jobs_without_a_number_are_passed_over(into: Path) -> None:
    world = small_world(pipelines=1, jobs=1)
    [pipeline] = world.projects["gh/acme/api"].pipelines.all
    workflow = pipeline.workflow("deploy", status="on_hold")
    hold = workflow.job("hold", approval=True)
    workflow.job("deploy", status="blocked", requires=[hold])
    pipeline.workflow("empty")
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into)
        assert len([each for each in fake.requests if each.path.endswith("/artifacts")]) == 1
    report.raise_for_failures()
    assert len(report.files) == 4


@pytest.mark.parametrize("path", ["*/workflow", "*/job", "*/1/artifacts"])
async def test_a_list_of_something_that_is_not_there_is_empty(path: str, into: Path) -> None:
    world = small_world(pipelines=1)
    async with FakeCircleCI(world) as fake:
        fake.fail(path, origin="api", status=404)
        report = await harvest(fake, into)
    report.raise_for_failures()
    assert len(report.files) == (4 if "1" in path else 0)


async def test_a_project_that_is_not_there_is_a_failure_and_the_others_are_harvested(into: Path) -> None:
    async with FakeCircleCI(small_world()) as fake:
        report = await harvest(fake, into, projects=["gh/acme/nothing", "gh/acme/api"])
    assert len(report.files) == 24
    [failure] = report.failed
    assert (failure.kind, failure.project) == ("pipelines", "gh/acme/nothing")
    assert str(failure).startswith("pipelines of gh/acme/nothing: 404 Not Found: Project not found")
    assert not report.is_complete
    with pytest.raises(ca.DownloadError, match="1 of 25 failed"):
        report.raise_for_failures()


async def test_artifacts_of_parallel_nodes_have_folders_of_their_own(into: Path) -> None:
    world = World()
    workflow = world.project("gh/acme/api").pipeline().workflow("build")
    job, single = workflow.job("test", parallelism=12), workflow.job("lint", parallelism=2)
    for node in (0, 2, 11):
        fill(job, 2, node=node)
    fill(single, 1, node=1)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into)
    assert tree(into) == usual_tree(all_artifacts(world))
    assert {"gh/acme/api/1/build/test-1/11/logs/1.txt", "gh/acme/api/1/build/lint-2/logs/0.txt"} <= set(tree(into))


async def test_folders_of_nodes_do_not_depend_on_what_was_selected(into: Path) -> None:
    world = World()
    job = world.project("gh/acme/api").pipeline().workflow("build").job("test", parallelism=2)
    job.artifact("a.xml", b"a")
    job.artifact("b.txt", b"b", node=1)
    async with FakeCircleCI(world) as fake:
        await harvest(fake, into, select=ca.Selection(path="*.xml"))
        assert list(tree(into)) == ["gh/acme/api/1/build/test-1/0/a.xml"]
        assert states(into) == {"done": 1, "listed": 1}
        fake.requests.clear()
        report = await harvest(fake, into, select=ca.Selection(path="*.txt"))
        assert (len(report.files), len(report.skipped)) == (1, 0)
        assert not any(each.path.endswith("/artifacts") for each in fake.requests)
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_a_job_that_still_runs_is_listed_again_the_next_time(into: Path) -> None:
    world = World()
    workflow = world.project("gh/acme/api").pipeline().workflow("build", status="running")
    job = workflow.job("test", status="running", parallelism=2)
    fill(job, 1)
    async with FakeCircleCI(world) as fake:
        assert len((await harvest(fake, into)).files) == 1
        fill(job, 1, node=1)
        job.end("success", NOW)
        report = await harvest(fake, into)
        assert (len(report.files), len(report.skipped)) == (1, 1)
        fake.requests.clear()
        await harvest(fake, into)
        assert not any(each.path.endswith("/artifacts") for each in fake.requests)
    assert set(tree(into)) == {"gh/acme/api/1/build/test-1/logs/0.txt", "gh/acme/api/1/build/test-1/1/logs/0.txt"}


async def test_a_list_that_names_an_artifact_twice_brings_it_once(into: Path) -> None:
    world = small_world(pipelines=1, jobs=1)
    job = world.jobs[all_artifacts(world)[0].job.id]
    job.artifacts.append(job.artifacts[0])
    async with FakeCircleCI(world, page_size=2) as fake:
        report = await harvest(fake, into)
    assert len(report.files) == 4


# By the ids that a webhook brings


async def test_pipelines_by_their_ids(into: Path) -> None:
    world = varied_world()
    one, _, three, _ = world.projects["gh/acme/api"].pipelines.all
    async with FakeCircleCI(world) as fake:
        select = ca.Selection(pipeline_id=[one.id, three.id], job="lint")
        report = await harvest(fake, into, select=select)
        assert not any(each.path.endswith("/project/gh/acme/api/pipeline") for each in fake.requests)
    assert {(file.pipeline, file.job) for file in report.files} == {(1, "lint"), (3, "lint")}
    assert tree(into) == usual_tree(
        a for a in all_artifacts(world) if pipeline_of(a) in {one, three} and a.job.name == "lint"
    )


async def test_a_workflow_by_its_id(into: Path) -> None:
    world = varied_world()
    workflow = world.projects["gh/acme/api"].pipelines.all[2].workflows[1]
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, select=ca.Selection(workflow_id=workflow.id))
        assert tree(into) == usual_tree(a for a in all_artifacts(world) if a.job.workflow is workflow)
        assert len(report.files) == 6
        for select in (
            ca.Selection(workflow_id=workflow.id, workflow="other"),
            ca.Selection(workflow_id=workflow.id, branch="main"),
            ca.Selection(workflow_id=workflow.id, pipeline_id=world.new_id()),
        ):
            report = await harvest(fake, into, select=select)
            assert (len(report.files), len(report.skipped), len(report.failed)) == (0, 0, 0)


async def test_an_id_of_another_project_or_of_nothing_is_a_failure(into: Path) -> None:
    world = small_world(pipelines=1)
    strange = world.project("gh/acme/web").pipeline()
    [mine] = world.projects["gh/acme/api"].pipelines.all
    missing = world.new_id()
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, select=ca.Selection(pipeline_id=[strange.id, mine.id, missing]))
        assert len(report.files) == 8
        said = sorted(map(str, report.failed))
        assert len(said) == 2
        assert any(f"pipelines of pipeline {missing}: 404 Not Found" in each for each in said)
        assert any("is one of gh/acme/web, which is not among the projects asked for" in each for each in said)
        report = await harvest(fake, into, select=ca.Selection(workflow_id=missing))
        assert len(report.failed) == 1
        both = ["gh/acme/web", "gh/acme/api"]
        select = ca.Selection(pipeline_id=[strange.id, mine.id])
        fake.fail(f"*/pipeline/{mine.id}", origin="api", status=400)
        report = await harvest(fake, into, projects=both, select=select)
        assert len(report.failed) == 1
        report = await harvest(fake, into, projects=both, select=select)
        report.raise_for_failures()
        assert rows(into, "SELECT 1 FROM listings WHERE selection = ?", select.key) == []


# The newest that succeeded


def latest_world(*pipelines: list[tuple[str, str, str]]) -> World:
    """Pipelines, oldest first: of each the workflows as (name, status, artifact of its one job, or "")."""
    world = World()
    project = world.project("gh/acme/api")
    for workflows in pipelines:
        pipeline = project.pipeline()
        for age, (name, status, artifact) in enumerate(workflows):
            at = pipeline.created_at + timedelta(minutes=age)
            job = pipeline.workflow(name, status=status, created_at=at).job("job")
            if artifact:
                job.artifact(artifact, f"{job.id}".encode())
    return world


@pytest.mark.parametrize(
    ("world", "select", "numbers"),
    [
        (latest_world([("build", "success", "a")], [("build", "success", "a")]), ca.Selection(latest=True), [2]),
        (latest_world([("build", "success", "a")], [("build", "failed", "a")]), ca.Selection(latest=True), [1]),
        (latest_world([("build", "success", "a")], [("build", "success", "")]), ca.Selection(latest=True), [1]),
        (latest_world([("build", "success", "a")], []), ca.Selection(latest=True), [1]),
        (latest_world([("build", "running", "a")]), ca.Selection(latest=True), []),
        (  # run again, and well in the end
            latest_world([("build", "failed", "a"), ("build", "success", "a")]),
            ca.Selection(latest=True),
            [1],
        ),
        (  # run again, and badly in the end
            latest_world([("build", "success", "a")], [("build", "success", "a"), ("build", "failed", "a")]),
            ca.Selection(latest=True),
            [1],
        ),
        (  # another workflow failed
            latest_world([("build", "success", "a")], [("build", "success", "a"), ("deploy", "failed", "")]),
            ca.Selection(latest=True),
            [1],
        ),
        (
            latest_world([("build", "success", "a")], [("build", "success", "a"), ("deploy", "failed", "")]),
            ca.Selection(latest=True, workflow="build"),
            [2],
        ),
        (
            latest_world([("build", "success", "a.xml")], [("build", "success", "a.txt")]),
            ca.Selection(latest=True, path="*.xml"),
            [1],
        ),
        (latest_world([("build", "success", "a")]), ca.Selection(latest=True, branch="other"), []),
    ],
)
async def test_the_latest_is_the_newest_that_succeeded_and_has_what_was_asked_for(
    world: World, select: ca.Selection, numbers: list[int], into: Path
) -> None:
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, select=select)
        report.raise_for_failures()
        assert [file.pipeline for file in report.files] == numbers
        again = await harvest(fake, into, select=select)
        assert [file.pipeline for file in again.skipped] == numbers
        assert not again.files


async def test_the_latest_takes_only_the_last_run_of_a_workflow(into: Path) -> None:
    world = latest_world([("build", "failed", "a"), ("build", "success", "a")])
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, select=ca.Selection(latest=True))
    assert [file.number for file in report.files] == [2]


async def test_the_latest_has_had_more_than_its_setup_and_no_error(into: Path) -> None:
    world = latest_world([("build", "success", "a")])
    project = world.projects["gh/acme/api"]
    for pipeline in (project.pipeline(setup=True), project.pipeline(errors=[("config", "no such job")])):
        pipeline.workflow("setup").job("generate").artifact("a", b"a")
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, select=ca.Selection(latest=True))
        assert [file.pipeline for file in report.files] == [1]
        report = await harvest(fake, into, select=ca.Selection(latest=True, workflow="setup"))
        assert [file.pipeline for file in report.files] == [3]


async def test_the_latest_is_one_of_each_project(into: Path) -> None:
    world = small_world(pipelines=5, jobs=1)
    fill(world.project("gh/acme/web").pipeline().workflow("x").job("test"), 2)
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, projects=["gh/acme/api", "gh/acme/web"], select=ca.Selection(latest=True))
        assert {(file.project, file.pipeline) for file in report.files} == {("gh/acme/api", 5), ("gh/acme/web", 1)}
        assert len([each for each in fake.requests if each.path.endswith("/workflow")]) == 2


# What an earlier run left


@pytest.fixture
def hours_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass for those who look for pipelines."""

    def pass_by(hours: float) -> None:
        monkeypatch.setattr(finding, "_now", lambda: datetime.now(UTC) + timedelta(hours=hours))

    return pass_by


async def test_a_list_that_failed_is_walked_again_even_if_it_is_too_old_by_then(
    hours_later: Callable[[float], None], into: Path
) -> None:
    world = World()
    project = world.project("gh/acme/api")
    jobs: list[Job] = []
    for minutes in (50, 40, 30):
        jobs.append(project.pipeline(created_at=NOW - timedelta(minutes=minutes)).workflow("build").job("test"))
        fill(jobs[-1], 2)
    one, two, _ = world.pipelines_by_id.values()
    async with FakeCircleCI(world) as fake:
        broken = [
            fake.fail(f"*/pipeline/{one.id}/workflow", times=None, status=500),
            fake.fail(f"*/workflow/{two.workflows[0].id}/job", times=None, status=500),
            fake.fail(f"*/{jobs[2].number}/artifacts", times=None, status=500),
        ]
        select = ca.Selection(since="1h")
        report = await harvest(fake, into, select=select, attempts=2)
        assert sorted(str(failure).partition(": ")[0] for failure in report.failed) == [
            "artifacts of job 3 (test) of gh/acme/api",
            "jobs of workflow build of pipeline 2 of gh/acme/api",
            "workflows of pipeline 1 of gh/acme/api",
        ]
        hours_later(3)
        again = await harvest(fake, into, select=select, attempts=1)
        assert len(again.failed) == 3
        for fault in broken:
            fault.stop()
        other = await harvest(fake, into, select=ca.Selection(since="30m"))
        assert (len(other.files), len(other.failed)) == (0, 0)
        done = await harvest(fake, into, select=select)
        done.raise_for_failures()
        assert len(done.files) == 6
        assert rows(into, "SELECT * FROM listings") == []
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_pipelines_that_were_not_reached_are_made_up_for_even_if_too_old_by_then(
    hours_later: Callable[[float], None], into: Path
) -> None:
    world = World()
    project = world.project("gh/acme/api")
    for minutes in range(60, 0, -5):
        fill(project.pipeline(created_at=NOW - timedelta(minutes=minutes)).workflow("build").job("test"), 1)
    select = ca.Selection(since="2h")
    async with FakeCircleCI(world, page_size=4) as fake:
        fault = fake.fail("*/project/gh/acme/api/pipeline", after=1, times=None, status=503)
        report = await harvest(fake, into, select=select, attempts=2)
        assert (len(report.files), [failure.kind for failure in report.failed]) == (4, ["pipelines"])
        fault.stop()
        hours_later(3)
        assert len((await harvest(fake, into, select=ca.Selection(since="1h"))).files) == 0
        assert len((await harvest(fake, into, select=select)).files) == 8
        fake.requests.clear()
        report = await harvest(fake, into, select=select)
        assert (len(report.files), len(report.skipped)) == (0, 0)
        assert len(fake.requests) == 1
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_files_that_were_not_reached_are_fetched_even_if_too_old_by_then(
    hours_later: Callable[[float], None], into: Path
) -> None:
    world = small_world(pipelines=1)
    select = ca.Selection(since="2h")
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, select=select, max_files=3)
        assert (len(report.files), report.stopped) == (3, "max_files=3 is reached")
        hours_later(3)
        assert len((await harvest(fake, into, select=ca.Selection(since="1h"))).files) == 0
        report = await harvest(fake, into, select=select)
        assert (len(report.files), report.stopped) == (5, None)
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_what_still_runs_is_looked_at_again_even_if_it_is_too_old_by_then(
    hours_later: Callable[[float], None], into: Path
) -> None:
    world = World()
    project = world.project("gh/acme/api")
    young = project.pipeline(state="pending", created_at=NOW - timedelta(minutes=2))
    workflow = project.pipeline(created_at=NOW - timedelta(minutes=50)).workflow("build", status="running")
    job = workflow.job("test", status="running")
    fill(job, 1)
    select = ca.Selection(since="1h")
    async with FakeCircleCI(world) as fake:
        report = await harvest(fake, into, select=select)
        report.raise_for_failures()
        assert len(report.files) == 1
        assert (await ca.harvest_status(into)).is_complete
        hours_later(3)
        report = await harvest(fake, into, select=select)
        assert (len(report.files), len(report.skipped)) == (0, 1)
        workflow.status = "success"
        job.end("success", NOW)
        job.artifact("late.txt", b"late")
        fill(workflow.job("later"), 2)
        young.state = "created"
        fill(young.workflow("build").job("test"), 3)
        report = await harvest(fake, into, select=select)
        report.raise_for_failures()
        assert (len(report.files), len(report.skipped)) == (6, 1)
        fake.requests.clear()
        await harvest(fake, into, select=select)
        assert len(fake.requests) == 1
    assert tree(into) == usual_tree(all_artifacts(world))


async def test_what_can_not_be_looked_at_again_is_told_and_what_is_gone_is_forgotten(into: Path) -> None:
    world = World()
    project = world.project("gh/acme/api")
    pipeline = project.pipeline(state="pending", created_at=NOW - timedelta(minutes=50))
    workflow = project.pipeline(created_at=NOW - timedelta(minutes=50)).workflow("build", status="running")
    select = ca.Selection(since="1h")
    async with FakeCircleCI(world) as fake:
        (await harvest(fake, into, select=select)).raise_for_failures()
        project.pipelines.all.clear()
        fault = fake.fail(f"/api/v2/pipeline/{pipeline.id}", status=500, times=None)
        fault_too = fake.fail(f"/api/v2/workflow/{workflow.id}", status=500, times=None)
        report = await harvest(fake, into, select=select, attempts=2)
        assert sorted(failure.kind for failure in report.failed) == ["jobs", "workflows"]
        fault.stop()
        fault_too.stop()
        fake.fail(f"/api/v2/pipeline/{pipeline.id}", status=404)
        fake.fail(f"/api/v2/workflow/{workflow.id}", status=404)
        (await harvest(fake, into, select=select)).raise_for_failures()
        assert rows(into, "SELECT * FROM listings") == []
