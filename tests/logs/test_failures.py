"""The failed jobs of a pipeline, with the last lines of their failed steps."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

import circleci_async as ca
from circleci_async.models import StepOutput, StepStatus
from circleci_async.testing import FakeCircleCI, Job, Pipeline, Project, World
from tests.leftovers import check_nothing_is_left

PROJECT = "gh/acme/api"
QUICK = ca.RetryPolicy(attempts=2, initial_delay=0.001, max_delay=0.01)


@pytest.fixture
def project() -> Project:
    return World().project(PROJECT)


def world_of(project: Project) -> World:
    assert isinstance(project.world, World)
    return project.world


def failed_job(pipeline: Pipeline, name: str, *, workflow: str = "build", nodes: int = 1) -> Job:
    """Add a workflow with a failed job, whose step prints ten lines on each node."""
    created_at = pipeline.created_at + timedelta(seconds=len(pipeline.workflows))
    job = pipeline.workflow(workflow, status="failed", created_at=created_at).job(
        name, status="failed", parallelism=nodes
    )
    for node in range(nodes):
        job.step("pytest", output="".join(f"{name} {node} {n}\n" for n in range(10)), exit_code=1, node=node)
    return job


async def shown(failures: ca.Paged[ca.JobFailure]) -> list[tuple[str, str, str, int, str, str]]:
    return [
        (workflow.name, job.name, output.name, output.node, str(output.status), output.text)
        async for workflow, job, output in failures
    ]


async def test_each_failed_step_of_each_failed_job_is_yielded(project: Project) -> None:
    pipeline = project.pipeline()
    test = failed_job(pipeline, "test", nodes=2)
    test.workflow.job("lint")
    test.step("upload", output="no space\n", status="timedout", node=1)
    failed_job(pipeline, "deploy", workflow="release")
    pipeline.workflow("docs", status="success").job("render")
    async with FakeCircleCI(world_of(project)) as fake, fake.client() as circle:
        expected = [
            ("build", "test", "pytest", 0, "failed", "test 0 8\ntest 0 9"),
            ("build", "test", "pytest", 1, "failed", "test 1 8\ntest 1 9"),
            ("build", "test", "upload", 1, "timedout", "no space"),
            ("release", "deploy", "pytest", 0, "failed", "deploy 0 8\ndeploy 0 9"),
        ]
        result = await circle.pipelines.wait(pipeline.id, interval=(0.001, 0.01))
        for of in (pipeline.id, UUID(pipeline.id), result):
            assert await shown(circle.pipelines.failures(of, tail=2)) == expected
        of_workflow = await circle.workflows.wait(test.workflow.id, interval=(0.001, 0.01))
        assert await shown(circle.pipelines.failures(of_workflow, tail=2)) == expected[:3]
        asked = [each.path for each in fake.requests if each.path.endswith("/job")]
        assert len(set(asked)) == 2  # not for the jobs of the successful workflow
        first = await circle.pipelines.failures(result, tail=None).first()
        assert first is not None
        assert (first.job.name, len(first.output.text.splitlines())) == ("test", 10)
        await check_nothing_is_left(circle)


async def test_the_default_is_20_lines_without_escape_codes(project: Project) -> None:
    job = project.pipeline().workflow(status="failed").job("test", status="failed")
    job.step("pytest", output="\x1b[31mred\x1b[0m\n" * 30, exit_code=1)
    async with FakeCircleCI(world_of(project)) as fake, fake.client() as circle:
        ((_, _, output),) = await circle.pipelines.failures(job.workflow.pipeline.id).collect()
        assert output.text == "\n".join(["red"] * 20)
        ((_, _, output),) = await circle.pipelines.failures(job.workflow.pipeline.id, tail=1, ansi=True).collect()
        assert output.text == "\x1b[31mred\x1b[0m"


@pytest.mark.parametrize("status", ["failed", "infrastructure_fail", "terminated-unknown", "timedout", "unauthorized"])
async def test_a_failed_job_without_a_failed_step_is_yielded_once(project: Project, status: str) -> None:
    job = project.pipeline().workflow(status="failed").job("test", status=status)
    job.step("Spin up environment", output="Build-agent 1.0\n")
    async with FakeCircleCI(world_of(project)) as fake, fake.client() as circle:
        ((_, found, output),) = await circle.pipelines.failures(job.workflow.pipeline.id).collect()
        assert (found.name, output) == (
            "test",
            StepOutput(name="test", node=0, status=StepStatus(status), exit_code=None, text=""),
        )


async def test_a_failed_job_that_never_got_a_number_is_yielded_without_a_request_for_it(project: Project) -> None:
    job = project.pipeline().workflow(status="failed").job("test", status="failed")
    job.number = None
    async with FakeCircleCI(world_of(project)) as fake, fake.client() as circle:
        ((_, found, output),) = await circle.pipelines.failures(job.workflow.pipeline.id).collect()
        assert (found.job_number, output.name, output.text, output.error) == (None, "test", "", None)
        assert not [each for each in fake.requests if "v1.1" in each.path]


async def test_canceled_jobs_and_approvals_have_not_failed(project: Project) -> None:
    workflow = project.pipeline().workflow(status="failing")
    test = workflow.job("test", status="failed")
    test.step("pytest", output="no\n", exit_code=1)
    workflow.job("hold", approval=True)
    workflow.job("lint", status="canceled")
    workflow.job("deploy", status="blocked")
    workflow.job("slow", status="running")
    async with FakeCircleCI(world_of(project)) as fake, fake.client() as circle:
        assert [each.job.name async for each in circle.pipelines.failures(workflow.pipeline.id)] == ["test"]


async def test_a_rerun_replaces_the_failed_run(project: Project) -> None:
    pipeline = project.pipeline()
    failed_job(pipeline, "test")
    again = pipeline.workflow("build", status="success", created_at=project.world.clock())
    again.job("test")
    async with FakeCircleCI(world_of(project)) as fake, fake.client() as circle:
        assert await circle.pipelines.failures(pipeline.id).collect() == []


async def test_what_cannot_be_read_has_an_error_and_does_not_affect_the_others(project: Project) -> None:
    pipeline = project.pipeline()
    jobs = [failed_job(pipeline, name, workflow=name) for name in ("a", "b", "c")]
    async with FakeCircleCI(world_of(project)) as fake, fake.client(retry=QUICK) as circle:
        fake.fail(f"/api/v1.1/project/gh/acme/api/{jobs[1].number}", status=500, times=2)
        a, b, c = [output async for _, _, output in circle.pipelines.failures(pipeline.id, tail=1)]
        assert (a.text, a.error, c.text, c.error) == ("a 0 9", None, "c 0 9", None)
        assert (b.name, b.text, b.status) == ("b", "", "failed")
        assert isinstance(b.error, ca.ServerError)


@pytest.mark.parametrize("tail", [0, True, "20"])
async def test_an_invalid_tail_is_refused_before_anything_is_sent(project: Project, tail: Any) -> None:
    async with FakeCircleCI(world_of(project)) as fake, fake.client() as circle:
        with pytest.raises(ca.InvalidArgument, match="tail must be a positive number of lines"):
            circle.pipelines.failures("p", tail=tail)
        assert fake.requests == []


@pytest.mark.parametrize("of", [None, 5])
async def test_anything_but_a_result_or_an_id_is_refused(project: Project, of: Any) -> None:
    async with FakeCircleCI(world_of(project)) as fake, fake.client() as circle:
        with pytest.raises(ca.InvalidArgument, match="result must be the result of a wait, or the id of a pipeline"):
            circle.pipelines.failures(of)


async def test_an_unknown_pipeline_is_an_error(project: Project) -> None:
    async with FakeCircleCI(world_of(project)) as fake, fake.client() as circle:
        with pytest.raises(ca.NotFound):
            await circle.pipelines.failures("00000000-0000-0000-0000-000000000000").collect()


async def test_a_cancellation_leaves_nothing_open(project: Project) -> None:
    pipeline = project.pipeline()
    for name in "abcdef":
        failed_job(pipeline, name, workflow=name)
    async with FakeCircleCI(world_of(project)) as fake, fake.client() as circle:
        slow = fake.fail("/api/v1.1/*", delay=30, times=None)
        reading = asyncio.ensure_future(circle.pipelines.failures(pipeline.id).collect())
        while slow.hits < 4:
            await asyncio.sleep(0.001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await check_nothing_is_left(circle)
