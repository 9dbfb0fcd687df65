"""The latest artifacts: those of the newest successful pipeline, found with as few calls as possible."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.downloads.latest import JOBS_AT_ONCE
from circleci_async.testing import FakeCircleCI, Pipeline, Project, World
from tests.leftovers import check_nothing_in_use, check_nothing_is_left

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ONCE = ca.RetryPolicy(attempts=1)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def project(world: World) -> Project:
    return world.project("gh/acme/api")


def build(pipeline: Pipeline, name: str = "build", status: str = "success", *, age: int = 0, path: str = "a") -> None:
    """Add a workflow with one job and one artifact; of two workflows of a name, that of the lower age is newer."""
    at = pipeline.created_at - timedelta(minutes=age)
    workflow = pipeline.workflow(name, status=status, created_at=at)
    workflow.job("job").artifact(path, f"{pipeline.number} {name}".encode())


async def latest(world: World, slug: str = "gh/acme/api", **criteria: Any) -> ca.LatestArtifacts | None:
    async with FakeCircleCI(world) as fake, fake.client(retry=ONCE) as circle:
        found = await circle.artifacts.latest(slug, **criteria)
        check_nothing_in_use(circle)
    return found


async def number(world: World, slug: str = "gh/acme/api", **criteria: Any) -> int | None:
    found = await latest(world, slug, **criteria)
    return None if found is None else found.pipeline.number


# Successful pipelines


async def test_the_artifacts_of_the_newest_successful_pipeline_are_returned(world: World, project: Project) -> None:
    for status in ("success", "success", "failed", "running"):
        build(project.pipeline(), status=status)

    found = await latest(world)

    assert found is not None
    assert found.pipeline.number == 2
    assert [artifact.path for artifact in found.artifacts] == ["a"]
    [job] = found.jobs
    assert (job.workflow.name, job.job.name, job.artifacts) == ("build", "job", tuple(found.artifacts))
    assert job.job.job_number == 2


async def test_without_a_successful_pipeline_nothing_is_found(world: World, project: Project) -> None:
    assert await latest(world) is None
    build(project.pipeline(), status="failed")
    project.pipeline(errors=[("config", "no")])
    assert await latest(world) is None


@pytest.mark.parametrize(
    "status", ["failed", "failing", "running", "on_hold", "canceled", "error", "unauthorized", "not_run", "unheard-of"]
)
async def test_a_partly_successful_pipeline_does_not_count(world: World, project: Project, status: str) -> None:
    build(project.pipeline())
    half = project.pipeline()
    build(half, "build")
    build(half, "deploy", status=status)

    async with FakeCircleCI(world) as fake, fake.client() as circle:
        if status == "unheard-of":  # the embedded server answers only with documented fields
            items = [
                {"id": "1", "name": "build", "status": "success", "created_at": "2026-11-24T12:00:00Z"},
                {"id": "2", "name": "deploy", "status": status, "created_at": "2026-11-24T12:00:00Z"},
            ]
            fake.fail(f"*/{half.id}/workflow", body={"items": items, "next_page_token": None})
        found = await circle.artifacts.latest("gh/acme/api")

    assert found is not None
    assert found.pipeline.number == 1


async def test_with_a_workflow_only_matching_workflows_must_have_succeeded(world: World, project: Project) -> None:
    pipeline = project.pipeline()
    build(pipeline, "build-a")
    build(pipeline, "build-b")
    build(pipeline, "deploy", status="failed")

    found = await latest(world, workflow="build-*")
    assert found is not None
    assert [job.workflow.name for job in found.jobs] == ["build-a", "build-b"]
    assert await latest(world) is None
    assert await latest(world, workflow="deploy") is None
    assert await latest(world, workflow="*") is None
    assert await latest(world, workflow="Build-a") is None


async def test_a_rerun_replaces_the_earlier_run(world: World, project: Project) -> None:
    saved = project.pipeline()
    build(saved, status="success", path="second")
    build(saved, status="failed", age=5, path="first")

    found = await latest(world)

    assert found is not None
    assert [artifact.path for artifact in found.artifacts] == ["second"]


@pytest.mark.parametrize("status", ["failed", "running", "canceled"])
async def test_an_unsuccessful_rerun_replaces_a_successful_run(world: World, project: Project, status: str) -> None:
    build(project.pipeline())
    spoilt = project.pipeline()
    build(spoilt, status="success", age=5)
    build(spoilt, status=status)

    assert await number(world) == 1
    assert await number(world, workflow="build") == 1


async def test_a_job_shared_with_a_rerun_counts_with_its_artifacts(world: World, project: Project) -> None:
    pipeline = project.pipeline()
    first = pipeline.workflow("build", status="failed", created_at=NOW)
    lint = first.job("lint")
    lint.artifact("lint.txt", b"")
    first.job("test", status="failed")
    again = pipeline.workflow("build", created_at=NOW + timedelta(minutes=1))
    again.jobs.append(lint)
    again.taken_over |= {lint.id}
    again.job("test").artifact("junit.xml", b"")

    found = await latest(world)

    assert found is not None
    assert [artifact.path for artifact in found.artifacts] == ["lint.txt", "junit.xml"]


async def test_a_setup_workflow_alone_does_not_count_before_its_continuation(world: World, project: Project) -> None:
    build(project.pipeline())
    setup = project.pipeline(setup=True)
    build(setup, "setup")

    assert await number(world) == 1
    assert await number(world, workflow="setup") == 2
    build(setup, "build")
    assert await number(world) == 2, "its state may still be `setup`: two workflows are more than a setup has"


async def test_an_errored_pipeline_does_not_count(world: World, project: Project) -> None:
    build(project.pipeline())
    errored = project.pipeline(errors=[("config", "Job unit is not defined.")])
    build(errored, "setup")

    assert await number(world) == 1
    assert await number(world, workflow="setup") == 2


# Criteria


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, 4),
        ({"branch": "main"}, 4),
        ({"branch": "release/1"}, 2),
        ({"branch": "re*"}, 2),
        ({"branch": "[mr]*"}, 4),
        ({"branch": "nothing"}, None),
        ({"tag": "v1.0"}, 3),
        ({"tag": "v*"}, 3),
        ({"tag": "w*"}, None),
        ({"path": "only-in-1.txt"}, 1),
        ({"path": "only-in-1.txt", "branch": "main"}, 1),
        ({"path": "only-in-1.txt", "branch": "release/1"}, None),
        ({"path": "**/*.xml"}, 4),
        ({"path": "*.xml"}, None),
        ({"job": "test-*"}, 4),
        ({"job": "test"}, None),
        ({"workflow": "build", "job": "te*", "path": "**/*.log", "tag": "v1.?"}, 3),
    ],
    ids=str,
)
@pytest.mark.parametrize("slug", ["gh/acme/api", f"circleci/{'a' * 22}/{'B' * 22}"], ids=["github", "github-app"])
async def test_the_newest_pipeline_with_matching_artifacts_is_found(
    world: World, slug: str, criteria: dict[str, str], expected: int | None
) -> None:
    project = world.project(slug)
    for branch, tag in (("main", None), ("release/1", None), (None, "v1.0"), ("main", None)):
        pipeline = project.pipeline(branch=branch, tag=tag)
        job = pipeline.workflow("build").job("test-a")
        job.artifact("reports/junit.xml", b"")
        job.artifact("reports/deep/app.log", b"")
        if pipeline.number == 1:
            job.artifact("only-in-1.txt", b"")

    assert await number(world, slug, **criteria) == expected


async def test_only_matching_artifacts_are_returned_by_job(world: World, project: Project) -> None:
    pipeline = project.pipeline()
    for name in ("build", "docs"):
        workflow = pipeline.workflow(name)
        parallel = workflow.job("test", parallelism=2)
        parallel.artifact("junit.xml", b"", node=0)
        parallel.artifact("junit.xml", b"", node=1)
        parallel.artifact("app.log", b"")
        workflow.job("lint").artifact("lint.log", b"")
        workflow.job("hold", approval=True, status="success")

    found = await latest(world, path="*.xml")

    assert found is not None
    assert [(job.workflow.name, job.job.name) for job in found.jobs] == [("build", "test"), ("docs", "test")]
    assert [artifact.node_index for artifact in found.artifacts] == [0, 1, 0, 1]


async def test_the_result_can_be_downloaded_and_written_as_json(world: World, project: Project, tmp_path: Any) -> None:
    build(project.pipeline())
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        found = await circle.artifacts.latest(ca.ProjectSlug.parse("gh/acme/api"))
        assert found is not None
        report = await circle.artifacts.download_all(found.artifacts, tmp_path / "out")
        report.raise_for_failures()
    assert (tmp_path / "out" / "a").read_bytes() == b"1 build"
    plain = ca.to_dict(found)
    assert plain["jobs"][0]["artifacts"] == [ca.to_dict(found.artifacts[0])]
    assert plain["pipeline"]["number"] == 1


# Requests


def paths(fake: FakeCircleCI, end: str) -> list[str]:
    return [request.path for request in fake.requests if request.path.endswith(end)]


async def test_no_unneeded_page_is_requested(world: World, project: Project) -> None:
    for _ in range(50):
        build(project.pipeline())
    broken = project.pipeline()
    build(broken, status="failed")
    async with FakeCircleCI(world, page_size=5) as fake, fake.client() as circle:
        found = await circle.artifacts.latest("gh/acme/api", branch="main", job="job")
        assert found is not None
        assert found.pipeline.number == 50
        [listed] = [request for request in fake.requests if request.path.endswith("/api/pipeline")]
        assert dict(listed.query) == {"branch": "main"}
        assert len(paths(fake, "/workflow")) == 2
        assert len(paths(fake, "/job")) == 1
        assert len(paths(fake, "/artifacts")) == 1


async def test_artifacts_of_other_jobs_are_not_listed(world: World, project: Project) -> None:
    pipeline = project.pipeline()
    workflow = pipeline.workflow("build")
    for name in ("lint", "test", "deploy"):
        workflow.job(name).artifact("a", b"")
    workflow.job("hold", approval=True, status="success")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        found = await circle.artifacts.latest("gh/acme/api", job="test")
        assert found is not None
        assert paths(fake, "/artifacts") == ["/api/v2/project/gh/acme/api/2/artifacts"]
        assert await circle.artifacts.latest("gh/acme/api", job="nothing") is None
        assert len(paths(fake, "/artifacts")) == 1


async def test_look_back_limits_the_pipelines_that_are_checked(world: World, project: Project) -> None:
    build(project.pipeline(tag="v1"))
    for _ in range(7):
        build(project.pipeline(), status="failed")
    async with FakeCircleCI(world, page_size=3) as fake, fake.client() as circle:
        assert await circle.artifacts.latest("gh/acme/api", look_back=7) is None
        assert len(paths(fake, "/workflow")) == 7
        assert len(paths(fake, "/api/pipeline")) == 3
        found = await circle.artifacts.latest("gh/acme/api", look_back=8)
        assert found is not None
        assert found.pipeline.number == 1

        fake.requests.clear()
        assert await circle.artifacts.latest("gh/acme/api", tag="v*", look_back=6) is None
        assert (len(paths(fake, "/api/pipeline")), len(paths(fake, "/workflow"))) == (2, 0)
        assert await circle.artifacts.latest("gh/acme/api", tag="v*", look_back=8) is not None
        assert len(paths(fake, "/workflow")) == 1


async def test_jobs_are_listed_concurrently_within_a_bound_and_keep_their_order(world: World, project: Project) -> None:
    workflow = project.pipeline().workflow("build")
    for number in range(JOBS_AT_ONCE + 4):
        workflow.job(f"job-{number}").artifact(f"{number}", b"")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        fake.fail("*/1/artifacts", delay=0.3)
        fake.fail("*/artifacts", delay=0.1, times=None)
        peak = 0
        search = asyncio.create_task(circle.artifacts.latest("gh/acme/api"))
        while not search.done():
            peak = max(peak, circle.stats.in_flight)
            await asyncio.sleep(0.001)
        found = await search
    assert 1 < peak <= JOBS_AT_ONCE
    assert found is not None
    assert [artifact.path for artifact in found.artifacts] == [str(n) for n in range(JOBS_AT_ONCE + 4)]


# Failures


@pytest.mark.parametrize("path", ["*/workflow", "*/job", "*/artifacts"])
async def test_a_list_that_answers_404_is_empty(world: World, project: Project, path: str) -> None:
    build(project.pipeline())
    build(project.pipeline())
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        fake.fail(path, status=404)
        found = await circle.artifacts.latest("gh/acme/api")
    assert found is not None
    assert found.pipeline.number == 1


async def test_a_404_in_the_middle_of_a_list_is_an_error(world: World, project: Project) -> None:
    job = project.pipeline().workflow("build").job("test")
    for number in range(3):
        job.artifact(str(number), b"")
    async with FakeCircleCI(world, page_size=2) as fake, fake.client() as circle:
        fake.fail("*/artifacts", after=1, status=404)
        with pytest.raises(ca.NotFound):
            await circle.artifacts.latest("gh/acme/api")


@pytest.mark.parametrize("path", ["*/pipeline", "*/workflow", "*/job", "*/3/artifacts"])
async def test_a_failure_is_raised_and_leaves_nothing_behind(world: World, project: Project, path: str) -> None:
    workflow = project.pipeline().workflow("build")
    for number in range(6):
        workflow.job(f"job-{number}").artifact("a", b"")
    async with FakeCircleCI(world) as fake, fake.client(retry=ONCE) as circle:
        fake.fail(path, status=500)
        with pytest.raises(ca.ServerError):
            await circle.artifacts.latest("gh/acme/api")
        await check_nothing_is_left(circle)


async def test_a_missing_project_is_an_error(world: World) -> None:
    with pytest.raises(ca.NotFound):
        await latest(world)


async def test_a_cancellation_leaves_nothing_behind(world: World, project: Project) -> None:
    build(project.pipeline())
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        held = fake.fail("*/artifacts", delay=30)
        search = asyncio.create_task(circle.artifacts.latest("gh/acme/api"))
        while not held.hits:
            await asyncio.sleep(0.005)
        search.cancel()
        with pytest.raises(asyncio.CancelledError):
            await search
        await check_nothing_is_left(circle)


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({"branch": "main", "tag": "v1"}, "branch and tag cannot be combined"),
        ({"branch": ""}, "branch must be a name or a glob such as 'test-*', got ''"),
        ({"path": 7}, "path must be a name or a glob such as 'test-*', got 7"),
        ({"job": ["a"]}, "job must be a name or a glob such as 'test-*', got ['a']"),
        ({"look_back": 0}, "look_back must be a positive number of pipelines, got 0"),
        ({"look_back": True}, "look_back must be a positive number of pipelines, got True"),
        ({"look_back": None}, "look_back must be a positive number of pipelines, got None"),
        ({"slug": "acme"}, "project slug 'acme' is invalid"),
    ],
    ids=str,
)
async def test_invalid_criteria_are_refused_before_anything_is_sent(criteria: dict[str, Any], message: str) -> None:
    async with FakeCircleCI() as fake, fake.client() as circle:
        call: Callable[..., Any] = circle.artifacts.latest
        with pytest.raises(ca.InvalidArgument) as caught:
            await call(criteria.pop("slug", "gh/acme/api"), **criteria)
        assert message in str(caught.value)
        assert fake.requests == []
