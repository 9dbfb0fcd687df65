"""Changes are told once each, in order, to all who watch, from one poll."""

import asyncio
from contextlib import aclosing

import pytest

from circleci_async import Change, CircleCI, ConfigurationError, InvalidArgument, NotFound, RetryPolicy, WaitTimeout
from circleci_async.testing import Workflow as FakeWorkflow
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.watching.builds import SLUG, at, completed, looks, running, told, world


async def changes_of(circle: CircleCI, pipeline_id: str, *, jobs: bool = True) -> list[Change]:
    return [change async for change in circle.pipelines.watch(pipeline_id, jobs=jobs)]


def under_way() -> FakeWorkflow:
    """A workflow that runs until a test says otherwise."""
    workflow = world().project(SLUG).pipeline().workflow("build", status="running")
    workflow.job("test", status="running")
    return workflow


@fast_clock
async def test_a_watch_tells_each_change_once_in_order_and_ends_by_itself() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["test", "hold:approval", "deploy:failed"])
    async with running(it) as (_, circle):
        created = await circle.pipelines.trigger(SLUG)
        found: list[str] = []
        async with aclosing(circle.pipelines.watch(created.id)) as changes:
            async for change in changes:
                found += told([change])
                if change.after == "on_hold" and change.kind == "job":
                    assert change.workflow is not None
                    assert change.item.id
                    approval = getattr(change.item, "approval_request_id", None) or ""
                    await circle.workflows.approve(change.workflow.id, approval)
        assert len(found) == len(set(found))
        assert found[0] == "pipeline 1: None -> pending"
        assert found[-2:] == ["job deploy: running -> failed", "workflow build: running -> failed"]
        for name in ("workflow build", "job test", "job hold", "job deploy"):
            own = [each.partition(": ")[2].split(" -> ") for each in found if each.startswith(name)]
            assert [before for before, _ in own] == ["None", *(after for _, after in own[:-1])]
        await check_nothing_is_left(circle)


@fast_clock
async def test_a_job_that_ends_after_its_workflow_is_told_too() -> None:
    workflow = under_way()
    (job,) = workflow.jobs
    async with running(workflow.pipeline.project.world) as (_, circle):
        at(10, lambda: setattr(workflow, "status", "canceled"))
        at(25, lambda: setattr(job, "status", "canceled"))
        found = told(await changes_of(circle, workflow.pipeline.id))
    assert found[-2:] == ["workflow build: running -> canceled", "job test: running -> canceled"]


@fast_clock
async def test_jobs_that_somebody_watched_hold_up_nobody_who_only_waits() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (_, circle):
        began = asyncio.get_running_loop().time()
        waiting = asyncio.create_task(circle.pipelines.wait(workflow.pipeline.id, interval=(1, 1), grace=100))
        async with aclosing(circle.pipelines.watch(workflow.pipeline.id)) as changes:
            async for change in changes:
                if change.kind == "job":
                    break
        workflow.status = "canceled"  # and its job runs on
        assert (await waiting).status == "canceled"
        assert asyncio.get_running_loop().time() - began < 10


@fast_clock
async def test_without_jobs_nobody_asks_for_them() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        created = await circle.pipelines.trigger(SLUG)
        kinds = {change.kind for change in await changes_of(circle, created.id, jobs=False)}
        assert kinds == {"pipeline", "workflow"}
        assert not [each for each in fake.requests if each.path.endswith("/job")]


@fast_clock
async def test_one_poll_serves_all_who_wait_for_the_same_pipeline() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        created = await circle.pipelines.trigger(SLUG)
        await circle.pipelines.wait(created.id)
        one = len(looks(fake))
        fake.requests.clear()
        created = await circle.pipelines.trigger(SLUG)
        patient = circle.with_options(retry=RetryPolicy(attempts=9))
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(each.pipelines.wait(created.id)) for each in [circle, patient] * 10]
            watches = [group.create_task(changes_of(circle, created.id, jobs=False)) for _ in range(10)]
        assert {each.result().status for each in waits} == {"success"}
        assert len({tuple(told(each.result())) for each in watches}) == 1
        assert len(looks(fake)) <= one + 1


@fast_clock
async def test_each_of_them_may_wait_otherwise_and_leave_when_it_likes() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (fake, circle):
        at(100, lambda: setattr(workflow, "status", "success"))
        id = workflow.pipeline.id
        hasty = asyncio.create_task(circle.pipelines.wait(id, timeout=10, interval=(1, 1)))
        patient = asyncio.create_task(circle.pipelines.wait(id, interval=(40, 40)))
        given_up = asyncio.create_task(circle.pipelines.wait(id))
        await asyncio.sleep(3)
        given_up.cancel()
        with pytest.raises(WaitTimeout):
            await hasty
        early = len(looks(fake))
        assert early >= 8
        assert (await patient).status == "success"
        assert len(looks(fake)) - early <= 6
        assert given_up.cancelled()
        await check_nothing_is_left(circle)


@fast_clock
async def test_a_watch_that_is_left_looks_no_more() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (fake, circle):
        async for change in circle.pipelines.watch(workflow.pipeline.id):
            assert change.kind == "pipeline"
            break
        await check_nothing_is_left(circle)
        before = len(fake.requests)
        await asyncio.sleep(100)
        assert len(fake.requests) == before


@fast_clock
async def test_one_who_is_slow_gets_every_change_and_holds_up_nobody() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["lint", "hold:approval", "test", "deploy"])
    async with running(it) as (_, circle):
        created = await circle.pipelines.trigger(SLUG)

        async def slowly() -> list[Change]:
            found: list[Change] = []
            async for change in circle.pipelines.watch(created.id):
                found.append(change)
                await asyncio.sleep(60)
            return found

        async def approve() -> list[Change]:
            found: list[Change] = []
            async for change in circle.pipelines.watch(created.id):
                found.append(change)
                if change.after == "on_hold" and change.kind == "job" and change.workflow:
                    approval = getattr(change.item, "approval_request_id", None) or ""
                    await circle.workflows.approve(change.workflow.id, approval)
            return found

        slow, quick = await asyncio.gather(slowly(), approve())
        assert told(slow) == told(quick)
        assert told(slow)[-1] == "workflow build: running -> success"


@fast_clock
async def test_the_timeout_of_a_watch_does_not_interrupt_the_body_of_the_loop() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (_, circle):
        found = 0
        with pytest.raises(WaitTimeout) as caught:
            async for _ in circle.pipelines.watch(workflow.pipeline.id, timeout=10):
                await asyncio.sleep(20)
                found += 1
        assert found == 3
        assert caught.value.last.status == "running"


@fast_clock
async def test_a_workflow_is_watched_with_its_jobs() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["lint", "test:failed"])
    async with running(it) as (_, circle):
        created = await circle.pipelines.trigger(SLUG)
        await asyncio.sleep(20)
        (workflow,) = await circle.pipelines.workflows(created.id).collect()
        found = told([change async for change in circle.workflows.watch(workflow.id)])
        assert found[0].startswith("workflow build: None -> ")
        assert found[-1] == "workflow build: running -> failed"
        assert "job test: running -> failed" in found


@fast_clock
async def test_an_event_ends_the_wait_at_once() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (fake, circle):
        of_pipeline = asyncio.create_task(circle.pipelines.wait(workflow.pipeline.id, interval=(1000, 1000)))
        of_workflow = asyncio.create_task(circle.workflows.wait(workflow.id, interval=(1000, 1000)))
        await asyncio.sleep(10)
        for job in workflow.jobs:
            job.status = "success"
        workflow.status = "success"
        before, began = len(fake.requests), asyncio.get_running_loop().time()
        assert circle.notify(completed(workflow, "success"))
        assert (await of_pipeline).status == "success"
        assert (await of_workflow).status == "success"
        assert asyncio.get_running_loop().time() - began < 5
        assert len(fake.requests) - before <= 4


@fast_clock
async def test_an_event_is_believed_though_the_api_does_not_know_yet() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (_, circle):
        waiting = asyncio.create_task(changes_of(circle, workflow.pipeline.id))
        await asyncio.sleep(10)
        job = workflow.jobs[0]
        circle.notify(completed(job, "failed"))
        circle.notify(completed(job, "failed"))
        circle.notify(completed(workflow, "failed"))
        found = told(await waiting)
        assert found[-2:] == ["job test: running -> failed", "workflow build: running -> failed"]
        assert len(found) == len(set(found))


@fast_clock
async def test_an_event_of_what_no_look_has_shown_is_told() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (fake, circle):
        waiting = asyncio.create_task(changes_of(circle, workflow.pipeline.id))
        await asyncio.sleep(10)
        fake.fail("*/job", status=503, times=40)
        new = workflow.job("publish", status="success")
        circle.notify(completed(new, "success"))
        other = workflow.pipeline.workflow("docs", status="success")
        circle.notify(completed(other, "success"))
        for job in workflow.jobs:
            job.status = "success"
        workflow.status = "success"
        found = told(await waiting)
        assert "job publish: None -> success" in found
        assert "workflow docs: None -> success" in found
        assert len(found) == len(set(found))


@fast_clock
async def test_an_event_that_nobody_waits_for_is_nothing() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (fake, circle):
        assert not circle.notify(completed(workflow, "success"))
        assert fake.requests == []
        await circle.aclose()
        assert not circle.notify(completed(workflow, "success"))


@fast_clock
async def test_another_event_loop_can_neither_wait_nor_wake_those_who_wait() -> None:
    workflow = under_way()
    pipeline_id = workflow.pipeline.id
    async with running(workflow.pipeline.project.world) as (_, circle):
        waiting = asyncio.create_task(circle.pipelines.wait(pipeline_id))
        await asyncio.sleep(0.5)

        def elsewhere() -> None:
            with pytest.raises(ConfigurationError, match="belongs to another event loop"):
                asyncio.run(circle.pipelines.wait(pipeline_id))
            with pytest.raises(ConfigurationError, match="belongs to another event loop"):
                circle.notify(completed(workflow, "success"))

        await asyncio.to_thread(elsewhere)
        workflow.status = "success"
        assert (await waiting).status == "success"
    with pytest.raises(ConfigurationError, match="the client is closed"):
        await circle.pipelines.wait(pipeline_id)


@fast_clock
async def test_what_is_no_event_is_refused() -> None:
    async with running(world()) as (_, circle):
        with pytest.raises(InvalidArgument, match="give the WebhookEvent"):
            circle.notify({"type": "workflow-completed"})  # type: ignore[arg-type]  # the mistake that is to be caught


@fast_clock
async def test_an_error_reaches_all_who_wait_each_its_own() -> None:
    async with running(world()) as (_, circle):
        id = "00000000-0000-0000-0000-000000000000"
        waits = [asyncio.create_task(circle.pipelines.wait(id, grace=grace)) for grace in (5, 50)]
        first, second = await asyncio.gather(*waits, return_exceptions=True)
        assert isinstance(first, NotFound)
        assert isinstance(second, NotFound)
        assert first is not second
        assert first.pipeline_id == id
