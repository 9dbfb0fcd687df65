"""Worlds created record by record, or generated from a seed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circleci_async.errors import InvalidArgument
from circleci_async.testing import FakeCircleCI, World

from .caller import Caller

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


def test_every_method_returns_the_created_record(world: World) -> None:
    project = world.project("gh/acme/api")
    pipeline = project.pipeline()
    workflow = pipeline.workflow("build")
    job = workflow.job("test")
    artifact = job.artifact("a.txt", b"abc")
    test = job.test("test_login")

    assert world.projects["gh/acme/api"] is project
    assert world.organizations["gh/acme"] is project.organization is world.organization("github/acme")
    assert project.pipelines.all == [pipeline]
    assert (pipeline.workflows, workflow.jobs, job.artifacts, job.tests) == ([workflow], [job], [artifact], [test])
    assert (artifact.size, artifact.data) == (3, b"abc")
    assert artifact.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_ids_depend_on_the_seed_and_the_order_of_calls_only() -> None:
    def ids(seed: int) -> list[str]:
        project = World(seed=seed).project("gh/acme/api")
        return [project.id, project.pipeline().id, project.pipeline().revision]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_numbers_are_consecutive(world: World) -> None:
    project, other = world.project("gh/acme/api"), world.project("gh/acme/web")

    assert [project.pipeline().number, other.pipeline().number, project.pipeline().number] == [1, 1, 2]
    workflow = project.pipeline().workflow()
    assert [workflow.job("a").number, workflow.job("b").number] == [1, 2]


def test_created_records_have_ended_by_default() -> None:
    workflow = World().project("gh/acme/api").pipeline().workflow()
    job = workflow.job("test", duration=12.5)

    assert job.duration == 12.5
    assert job.stopped_at == workflow.stopped_at
    assert workflow.stopped_at is not None
    assert workflow.stopped_at < datetime.now(UTC)


@pytest.mark.parametrize(
    "slug", ["", "api", "gh/acme", "gh/acme/api/x", "svn/acme/api", "gh//api", "gh/acme/..", "gh/./api"]
)
def test_an_invalid_slug_is_rejected(world: World, slug: str) -> None:
    with pytest.raises(InvalidArgument, match="slug"):
        world.project(slug)


def test_a_project_is_created_once(world: World) -> None:
    world.project("gh/acme/api")

    with pytest.raises(InvalidArgument, match="already"):
        world.project("github/acme/api")


@pytest.mark.parametrize(
    "arguments",
    [{"branch": "main", "tag": "v1"}, {"created_at": datetime(2026, 1, 1)}],  # noqa: DTZ001  naive on purpose
)
def test_invalid_pipeline_arguments_are_rejected(world: World, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(arguments))):
        world.project("gh/acme/api").pipeline(**arguments)


def test_a_job_without_nodes_is_rejected(world: World) -> None:
    with pytest.raises(InvalidArgument, match="parallelism"):
        world.project("gh/acme/api").pipeline().workflow().job("test", parallelism=0)


def _described(world: World) -> list[Any]:
    return [
        (
            *(pipeline.id, pipeline.branch, pipeline.created_at, workflow.id, workflow.status),
            *(job.id, job.status, job.duration, *job.tests),
            *((artifact.path, artifact.node, artifact.sha256) for artifact in job.artifacts),
        )
        for pipeline in world.pipelines.all
        for workflow in pipeline.workflows
        for job in workflow.jobs
    ]


def test_the_same_seed_creates_the_same_world() -> None:
    first, second, other = (_described(World.generate(seed=seed, now=NOW)) for seed in (7, 7, 8))

    assert first == second
    assert first != other


def test_ids_of_a_generated_world_do_not_depend_on_the_date() -> None:
    first, second = (World.generate(seed=7, now=NOW + timedelta(days=days)) for days in (0, 100))

    assert list(first.jobs) == list(second.jobs)


def test_a_generated_world_has_the_requested_size() -> None:
    world = World.generate(projects=10, pipelines=3, artifacts=17, artifact_sizes=(10, 20), now=NOW)

    assert len(world.projects) == 10
    for project in world.projects.values():
        pipelines = project.pipelines.all
        files = [file for workflow in pipelines[-1].workflows for job in workflow.jobs for file in job.artifacts]
        assert len(pipelines) == 3
        assert len(files) == 17
        assert all(10 <= file.size <= 20 for file in files if file.path != "reports/junit.xml")


def test_a_generated_world_is_varied() -> None:
    world = World.generate(seed=7, now=NOW)
    workflows = list(world.workflows.values())
    jobs = list(world.jobs.values())
    files = [file for job in jobs for file in job.artifacts]

    assert {"success", "failed", "canceled", "on_hold"} <= {workflow.status for workflow in workflows}
    assert {"success", "failed", "canceled", "blocked", "on_hold"} <= {job.status for job in jobs}
    assert {"build", "approval"} == {job.type for job in jobs}
    assert len({workflow.name for workflow in workflows}) > 1
    assert len({file.size for file in files}) > 50
    assert {file.node for file in files} == {0, 1, 2, 3}
    assert {"success", "failure", "skipped"} == {test.result for job in jobs for test in job.tests}
    assert len({pipeline.branch for pipeline in world.pipelines.all}) > 2
    assert any(pipeline.state == "errored" for pipeline in world.pipelines.all)
    assert all(pipeline.created_at < NOW for pipeline in world.pipelines.all)
    assert all((job.stopped_at or NOW) <= NOW for job in jobs)
    assert world.pipelines.all == sorted(world.pipelines.all, key=lambda pipeline: pipeline.created_at)


def test_a_small_or_empty_world_can_be_generated() -> None:
    assert World.generate(projects=0).projects == {}
    assert World.generate(projects=1, pipelines=0).pipelines.all == []
    world = World.generate(projects=1, pipelines=1, artifacts=0, artifact_sizes=(0, 10))
    assert not any(job.artifacts for job in world.jobs.values())
    world = World.generate(projects=1, pipelines=1, artifacts=300, artifact_sizes=(0, 10))
    assert len({(job.id, f.node, f.path) for job in world.jobs.values() for f in job.artifacts}) == 300


async def test_a_generated_world_can_be_read_completely(api: Caller) -> None:
    world = World.generate(seed=4, projects=1, pipelines=8)  # all final statuses, and flaky tests
    async with FakeCircleCI(world) as fake:
        caller = Caller(fake, api.http)
        artifacts = 0
        for page in await caller.walk("/project/gh/acme/api/pipeline"):
            for pipeline in page:
                for workflow in (await caller.get(f"/pipeline/{pipeline['id']}/workflow"))["items"]:
                    for job in (await caller.get(f"/workflow/{workflow['id']}/job"))["items"]:
                        if "job_number" in job:
                            base = f"/project/gh/acme/api/{job['job_number']}"
                            await caller.get(f"/project/gh/acme/api/job/{job['job_number']}")
                            await caller.get(f"{base}/tests")
                            artifacts += sum(map(len, await caller.walk(f"{base}/artifacts")))
        for path in (
            "",
            "/build-and-test",
            "/build-and-test/jobs",
            "/build-and-test/summary",
            "/build-and-test/test-metrics",
        ):
            body = await caller.get(f"/insights/gh/acme/api/workflows{path}")
            assert body.get("items") != []
        assert (await caller.get("/insights/gh/acme/api/flaky-tests"))["total_flaky_tests"] > 0

    assert artifacts == sum(len(job.artifacts) for job in world.jobs.values())
