"""Cancelling all workflows of a pipeline, including later ones."""

import asyncio
from typing import Any

import pytest

from circleci_async import BadRequest, InvalidArgument, NotFound, PermissionDenied, ServerError, WaitTimeout
from circleci_async.core import polling
from circleci_async.testing import FakeCircleCI, Pipeline, Project
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.watching.builds import SLUG, at, poll_times, running, world


def cancels(fake: FakeCircleCI) -> list[str]:
    """Return the ids of the workflows whose cancellation was requested."""
    return [each.path.split("/")[-2] for each in fake.requests if each.path.endswith("/cancel")]


def now() -> float:
    return asyncio.get_running_loop().time()


def statuses(pipeline: Pipeline) -> dict[str, str]:
    return {each.name: each.status for each in pipeline.workflows}


def newest(project: Project) -> Pipeline:
    return project.pipelines.all[-1]


@fast_clock
async def test_all_workflows_are_canceled_once() -> None:
    it = world()
    project = it.project(SLUG)
    project.on_trigger("build", ["test"])
    project.on_trigger("release", ["hold:approval", "deploy"])
    async with running(it) as (fake, circle):
        created = await circle.pipelines.trigger(SLUG)
        await asyncio.sleep(20)
        began = now()
        result = await circle.pipelines.cancel(created.id)
        assert (result.status, result.pipeline.id) == ("canceled", created.id)
        assert {each.name: each.status for each in result.canceled} == {"build": "canceled", "release": "canceled"}
        assert set(result.workflows) == set(result.canceled)
        assert sorted(cancels(fake)) == sorted(each.id for each in newest(project).workflows)
        assert 5 <= now() - began < 6
        await check_nothing_is_left(circle)


@fast_clock
async def test_workflows_that_appear_late_are_canceled() -> None:
    it = world()
    project = it.project(SLUG)
    project.on_trigger("build", ["test"], workflow_delay=15)
    project.on_trigger("docs", ["render"], workflow_delay=19)
    async with running(it) as (_, circle):
        created = await circle.pipelines.trigger(SLUG)  # its configuration takes 6 s
        result = await circle.pipelines.cancel(created.id)
        assert {each.name for each in result.canceled} == {"build", "docs"}
        assert statuses(newest(project)) == {"build": "canceled", "docs": "canceled"}


@fast_clock
async def test_workflows_that_appear_after_a_cancellation_are_canceled() -> None:
    pipeline = (it := world()).project(SLUG).pipeline()
    pipeline.workflow("build", status="running")
    async with running(it) as (_, circle):
        at(4.5, lambda: pipeline.workflow("docs", status="running"))
        at(9, lambda: pipeline.workflow("deploy", status="on_hold"))
        result = await circle.pipelines.cancel(pipeline.id)
        assert statuses(pipeline) == {"build": "canceled", "docs": "canceled", "deploy": "canceled"}
        assert len(result.canceled) == 3


@fast_clock
async def test_workflows_that_appear_while_a_cancellation_is_answered_slowly_are_canceled() -> None:
    pipeline = (it := world()).project(SLUG).pipeline()
    pipeline.workflow("build", status="running")
    async with running(it) as (fake, circle):
        fake.fail("*/cancel", delay=4)  # the workflow is canceled before
        at(3.5, lambda: pipeline.workflow("docs", status="running"))
        await circle.pipelines.cancel(pipeline.id)
        assert statuses(pipeline) == {"build": "canceled", "docs": "canceled"}


@fast_clock
@pytest.mark.parametrize("lag", [0, 9])
async def test_a_new_pipeline_may_be_missing(lag: float) -> None:
    it = world()
    project = it.project(SLUG)
    project.on_trigger("build", creation_lag=lag)
    async with running(it) as (_, circle):
        created = await circle.pipelines.trigger(SLUG)
        assert (await circle.pipelines.cancel(created.id)).status == "canceled"
        assert statuses(newest(project)) == {"build": "canceled"}


@fast_clock
@pytest.mark.parametrize(("after", "canceled"), [(0, {"setup"}), (30, {"setup"}), (60, {"build"}), (62, {"build"})])
async def test_a_setup_workflow_or_its_continuation_is_canceled(after: float, canceled: set[str]) -> None:
    it = world()
    project = it.project(SLUG)
    project.on_trigger("setup", ["generate"], setup=True)
    project.on_trigger("build", ["test"], workflow_delay=10)
    async with running(it) as (_, circle):
        created = await circle.pipelines.trigger(SLUG)
        await asyncio.sleep(after)
        result = await circle.pipelines.cancel(created.id)
        assert {each.name for each in result.canceled} == canceled
        await asyncio.sleep(600)
        assert "success" not in {status for name, status in statuses(newest(project)).items() if name == "build"}


@fast_clock
async def test_the_continuation_of_a_canceled_setup_is_canceled() -> None:
    it = world()
    project = it.project(SLUG)
    pipeline = project.pipeline()
    setup = pipeline.workflow("setup", status="running", tag="setup")
    pipeline.state = "setup"
    async with running(it) as (_, circle):
        canceling = asyncio.create_task(circle.pipelines.cancel(pipeline.id))
        await asyncio.sleep(5)
        assert setup.status == "canceled"
        pipeline.state = "created"  # its job had continued the pipeline just before
        build = pipeline.workflow("build", status="running")
        result = await canceling
        assert build.status == "canceled"
        assert {each.name for each in result.canceled} == {"setup", "build"}


@fast_clock
async def test_an_older_workflow_of_the_same_name_is_canceled_too() -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    first = pipeline.workflow("build", status="running")
    again = pipeline.workflow("build", status="running", created_at=it.clock())
    async with running(it) as (fake, circle):
        fake.fail(f"*/{first.id}/cancel", status=503, times=3)
        result = await circle.pipelines.cancel(pipeline.id, grace=0)
        assert {each.id for each in result.canceled} == {first.id, again.id}
        assert [each.id for each in result.workflows] == [again.id]


@fast_clock
async def test_a_pipeline_that_has_ended_is_returned_unchanged() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="failed")
    async with running(it) as (fake, circle):
        began = now()
        result = await circle.pipelines.cancel(workflow.pipeline.id)
        assert (result.status, result.canceled, cancels(fake)) == ("failed", (), [])
        assert now() - began < 5


@fast_clock
@pytest.mark.parametrize("status", [400, 404, 409])
async def test_a_workflow_that_ends_meanwhile_is_not_an_error(status: int) -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    ending = pipeline.workflow("a", status="running")
    other = pipeline.workflow("b", status="running")
    async with running(it) as (fake, circle):
        fake.fail(f"*/{ending.id}/cancel", status=status)
        at(0.5, lambda: setattr(ending, "status", "success"))
        result = await circle.pipelines.cancel(pipeline.id)
        assert [each.id for each in result.canceled] == [other.id]
        assert sorted(cancels(fake)) == sorted([ending.id, other.id])


@fast_clock
async def test_a_cancellation_that_stays_refused_is_an_error_after_the_others() -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    stuck = pipeline.workflow("a", status="running")
    other = pipeline.workflow("b", status="running")
    async with running(it) as (fake, circle):
        fake.fail(f"*/{stuck.id}/cancel", status=400, times=None)
        with pytest.raises(BadRequest) as caught:
            await circle.pipelines.cancel(pipeline.id)
        assert caught.value.pipeline_id == pipeline.id
        assert other.status == "canceled"
        assert sorted(cancels(fake)) == sorted([stuck.id, stuck.id, other.id])
        await check_nothing_is_left(circle)


@fast_clock
async def test_a_permission_error_is_raised_at_once() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        fake.fail("*/cancel", status=403)
        with pytest.raises(PermissionDenied):
            await circle.pipelines.cancel(workflow.pipeline.id)
        assert cancels(fake) == [workflow.id]


@fast_clock
@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"status": 429, "headers": {"Retry-After": "200"}}, {"reset": "after"}]
)
async def test_transient_failures_are_tolerated(fault: dict[str, Any]) -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        failing = fake.fail("*/cancel", **fault)
        fake.fail("*/workflow", status=503, times=9)
        assert (await circle.pipelines.cancel(workflow.pipeline.id)).status == "canceled"
        assert failing.hits == 1
        assert len(cancels(fake)) == (1 if fault.get("reset") else 2)


@fast_clock
async def test_a_cancellation_is_not_repeated_before_retry_after_ends() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        fake.fail("*/cancel", status=503, headers={"Retry-After": "20"})
        assert (await circle.pipelines.cancel(workflow.pipeline.id)).status == "canceled"
        first, second = [each.at for each in fake.requests if each.path.endswith("/cancel")]
        assert 20 <= second - first < 25


@fast_clock
async def test_an_outage_ends_it_as_it_ends_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "MAX_OUTAGE", 60.0)
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        fake.fail("*/cancel", status=503, times=None)
        began = now()
        with pytest.raises(ServerError):
            await circle.pipelines.cancel(workflow.pipeline.id)
        assert 60 <= now() - began < 90


@fast_clock
async def test_a_timeout_error_has_the_last_result() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        fake.fail("*/cancel", status=202, body={"message": "Accepted."})  # the server never does it
        with pytest.raises(WaitTimeout) as caught:
            await circle.pipelines.cancel(workflow.pipeline.id, timeout=60)
        assert (caught.value.last.status, caught.value.last.canceled) == ("running", ())
        assert caught.value.hint == "What was canceled stays canceled: call `cancel` again, with a longer `timeout`."
        assert cancels(fake) == [workflow.id]


@fast_clock
async def test_it_shares_the_polls_of_waits() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        waiting = asyncio.create_task(circle.pipelines.wait(workflow.pipeline.id))
        await asyncio.sleep(100)
        before = len(poll_times(fake))
        result = await circle.pipelines.cancel(workflow.pipeline.id, grace=0)
        assert (await waiting).status == result.status == "canceled"
        assert len(poll_times(fake)) - before <= 4


@fast_clock
async def test_leaving_it_leaves_nothing() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        fake.fail("*/cancel", delay=50)
        canceling = asyncio.create_task(circle.pipelines.cancel(workflow.pipeline.id))
        await asyncio.sleep(20)
        canceling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await canceling
        await check_nothing_is_left(circle)


@fast_clock
async def test_an_unknown_pipeline_is_an_error_after_ten_seconds_or_the_grace() -> None:
    unknown = "00000000-0000-0000-0000-000000000000"
    async with running(world()) as (_, circle):
        for grace, seconds in [(60, 10), (4, 4), (0, 0)]:
            began = now()
            with pytest.raises(NotFound):
                await circle.pipelines.cancel(unknown, grace=grace)
            assert seconds <= now() - began < seconds + 0.1
        with pytest.raises(InvalidArgument, match="timeout must be a positive number"):
            await circle.pipelines.cancel("p", timeout=0)
