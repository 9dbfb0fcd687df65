"""Watching: each change is yielded once, in order, and all watchers share the polls."""

import asyncio
from contextlib import aclosing

import pytest

from circleci_async import Change, CircleCI, ConfigurationError, InvalidArgument, NotFound, RetryPolicy, WaitTimeout
from circleci_async.testing import Workflow as FakeWorkflow
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.watching.builds import SLUG, at, completed, described, poll_times, running, world


async def changes_of(circle: CircleCI, pipeline_id: str, *, jobs: bool = True) -> list[Change]:
    return [change async for change in circle.pipelines.watch(pipeline_id, jobs=jobs)]


def under_way() -> FakeWorkflow:
    """Return a workflow that runs until the test changes it."""
    workflow = world().project(SLUG).pipeline().workflow("build", status="running")
    workflow.job("test", status="running")
    return workflow


@fast_clock
async def test_each_change_is_yielded_once_and_in_order_until_the_end() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["test", "hold:approval", "deploy:failed"])
    async with running(it) as (_, circle):
        created = await circle.pipelines.trigger(SLUG)
        found: list[str] = []
        async with aclosing(circle.pipelines.watch(created.id)) as changes:
            async for change in changes:
                found += described([change])
                if change.after == "on_hold" and change.kind == "job":
                    approval = change.item.approval_request_id or ""
                    await circle.workflows.approve(change.workflow.id, approval)
        assert len(found) == len(set(found))
        assert found[0] == "pipeline 1: None -> pending"
        assert found[-2:] == ["job deploy: running -> failed", "workflow build: running -> failed"]
        for name in ("workflow build", "job test", "job hold", "job deploy"):
            own = [each.partition(": ")[2].split(" -> ") for each in found if each.startswith(name)]
            assert [before for before, _ in own] == ["None", *(after for _, after in own[:-1])]
        await check_nothing_is_left(circle)


@fast_clock
async def test_the_end_of_a_job_after_its_workflow_is_yielded() -> None:
    workflow = under_way()
    (job,) = workflow.jobs
    async with running(workflow.pipeline.project.world) as (_, circle):
        at(10, lambda: setattr(workflow, "status", "canceled"))
        at(25, lambda: setattr(job, "status", "canceled"))
        found = described(await changes_of(circle, workflow.pipeline.id))
    assert found[-2:] == ["workflow build: running -> canceled", "job test: running -> canceled"]


@fast_clock
async def test_watched_jobs_do_not_delay_a_wait_for_the_pipeline() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (_, circle):
        began = asyncio.get_running_loop().time()
        waiting = asyncio.create_task(circle.pipelines.wait(workflow.pipeline.id, interval=(1, 1), grace=100))
        async with aclosing(circle.pipelines.watch(workflow.pipeline.id)) as changes:
            async for change in changes:
                if change.kind == "job":
                    break
        workflow.status = "canceled"  # while its job still runs
        assert (await waiting).status == "canceled"
        assert asyncio.get_running_loop().time() - began < 10


@fast_clock
async def test_without_jobs_no_jobs_are_requested() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        created = await circle.pipelines.trigger(SLUG)
        kinds = {change.kind for change in await changes_of(circle, created.id, jobs=False)}
        assert kinds == {"pipeline", "workflow"}
        assert not [each for each in fake.requests if each.path.endswith("/job")]


@fast_clock
async def test_all_waits_for_a_pipeline_share_its_polls() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        created = await circle.pipelines.trigger(SLUG)
        await circle.pipelines.wait(created.id)
        one = len(poll_times(fake))
        fake.requests.clear()
        created = await circle.pipelines.trigger(SLUG)
        client = circle.with_options(retry=RetryPolicy(attempts=9))
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(each.pipelines.wait(created.id)) for each in [circle, client] * 10]
            tasks = [group.create_task(changes_of(circle, created.id, jobs=False)) for _ in range(10)]
        assert {each.result().status for each in waits} == {"success"}
        assert len({tuple(described(each.result())) for each in tasks}) == 1
        assert len(poll_times(fake)) <= one + 1


@fast_clock
async def test_waits_for_a_pipeline_have_their_own_interval_timeout_and_cancellation() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (fake, circle):
        at(100, lambda: setattr(workflow, "status", "success"))
        id = workflow.pipeline.id
        hasty = asyncio.create_task(circle.pipelines.wait(id, timeout=10, interval=(1, 1)))
        slow = asyncio.create_task(circle.pipelines.wait(id, interval=(40, 40)))
        given_up = asyncio.create_task(circle.pipelines.wait(id))
        await asyncio.sleep(3)
        given_up.cancel()
        with pytest.raises(WaitTimeout):
            await hasty
        early = len(poll_times(fake))
        assert early >= 8
        assert (await slow).status == "success"
        assert len(poll_times(fake)) - early <= 6
        assert given_up.cancelled()
        await check_nothing_is_left(circle)


@fast_clock
async def test_leaving_a_watch_stops_the_polling() -> None:
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
async def test_an_exhausted_watch_has_the_result() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["test:failed"])
    async with running(it) as (fake, circle):
        created = await circle.pipelines.trigger(SLUG)
        watch = circle.pipelines.watch(created.id)
        with pytest.raises(ConfigurationError, match="the watch has no result: iterate it to its end first"):
            _ = watch.result
        found = [change async for change in watch]
        sent = len(fake.requests)
        assert watch.result.status == "failed"
        assert watch.result.workflows[0] == found[-1].item
        assert [change async for change in watch] == []
        assert len(fake.requests) == sent
        of_workflow = circle.workflows.watch(watch.result.workflows[0].id)
        assert [change.name async for change in of_workflow] == ["test", "build"]
        assert [job.name for job in of_workflow.result.jobs] == ["test"]


@fast_clock
async def test_a_closed_watch_has_no_result_and_stops_the_polling() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (fake, circle):
        watch = circle.pipelines.watch(workflow.pipeline.id)
        async with aclosing(watch) as changes:
            assert (await anext(changes)).kind == "pipeline"
        await check_nothing_is_left(circle)
        before = len(fake.requests)
        await asyncio.sleep(100)
        assert len(fake.requests) == before
        with pytest.raises(StopAsyncIteration):
            await anext(watch)
        await watch.aclose()
        with pytest.raises(ConfigurationError, match="no result"):
            _ = watch.result


@fast_clock
async def test_a_watch_that_ended_with_an_error_has_no_result() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (_, circle):
        watch = circle.pipelines.watch(workflow.pipeline.id, timeout=10)
        with pytest.raises(WaitTimeout):
            _ = [change async for change in watch]
        with pytest.raises(ConfigurationError, match="no result"):
            _ = watch.result


@fast_clock
async def test_a_slow_watcher_gets_every_change_and_delays_no_other() -> None:
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
                if change.after == "on_hold" and change.kind == "job":
                    approval = change.item.approval_request_id or ""
                    await circle.workflows.approve(change.workflow.id, approval)
            return found

        slow, quick = await asyncio.gather(slowly(), approve())
        assert described(slow) == described(quick)
        assert described(slow)[-1] == "workflow build: running -> success"


@fast_clock
async def test_the_timeout_of_a_watch_does_not_interrupt_the_loop_body() -> None:
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
        found = described([change async for change in circle.workflows.watch(workflow.id)])
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
async def test_an_event_is_applied_although_the_api_is_outdated() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (_, circle):
        waiting = asyncio.create_task(changes_of(circle, workflow.pipeline.id))
        await asyncio.sleep(10)
        job = workflow.jobs[0]
        circle.notify(completed(job, "failed"))
        circle.notify(completed(job, "failed"))
        circle.notify(completed(workflow, "failed"))
        found = described(await waiting)
        assert found[-2:] == ["job test: running -> failed", "workflow build: running -> failed"]
        assert len(found) == len(set(found))


@fast_clock
async def test_an_event_about_an_unknown_workflow_or_job_is_yielded() -> None:
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
        found = described(await waiting)
        assert "job publish: None -> success" in found
        assert "workflow docs: None -> success" in found
        assert len(found) == len(set(found))


@fast_clock
async def test_an_event_without_a_wait_is_ignored() -> None:
    workflow = under_way()
    async with running(workflow.pipeline.project.world) as (fake, circle):
        assert not circle.notify(completed(workflow, "success"))
        assert fake.requests == []
        await circle.aclose()
        assert not circle.notify(completed(workflow, "success"))


@fast_clock
async def test_another_event_loop_can_neither_wait_nor_notify() -> None:
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
async def test_notify_refuses_anything_but_an_event() -> None:
    async with running(world()) as (_, circle):
        with pytest.raises(InvalidArgument, match="event must be the WebhookEvent"):
            circle.notify({"type": "workflow-completed"})  # type: ignore[arg-type]  # the mistake under test


@fast_clock
async def test_each_wait_gets_its_own_copy_of_an_error() -> None:
    async with running(world()) as (_, circle):
        id = "00000000-0000-0000-0000-000000000000"
        waits = [asyncio.create_task(circle.pipelines.wait(id, grace=grace)) for grace in (5, 50)]
        first, second = await asyncio.gather(*waits, return_exceptions=True)
        assert isinstance(first, NotFound)
        assert isinstance(second, NotFound)
        assert first is not second
        assert first.pipeline_id == id
