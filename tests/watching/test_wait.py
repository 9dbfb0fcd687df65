"""Waiting for the end of pipelines and workflows."""

import asyncio
import json
from collections.abc import AsyncIterable
from itertools import pairwise
from typing import Any

import pytest

from circleci_async import (
    BuildFailed,
    Change,
    CircleCIError,
    ConfigurationError,
    DecodeError,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    WaitTimeout,
)
from circleci_async.core import polling
from circleci_async.models import CheckoutSource, ConfigSource, Repository
from circleci_async.testing import FakeCircleCI, RateLimit
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.watching.builds import SLUG, at, completed, poll_times, running, world

MISSING = "00000000-0000-0000-0000-000000000000"


@fast_clock
async def test_trigger_and_wait_returns_the_result() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        result = await circle.pipelines.trigger_and_wait(SLUG, branch="main", parameters={"n": 1})
        assert result.status == "success"
        assert result.pipeline.state == "created"
        assert [(each.name, each.status) for each in result.workflows] == [("build", "success")]
        result.raise_for_status()
        assert fake.world.pipelines_by_id[result.pipeline.id].parameters == {"n": 1}
        await check_nothing_is_left(circle)


@fast_clock
async def test_raise_for_status_names_what_failed() -> None:
    it = world()
    project = it.project(SLUG)
    project.on_trigger("build", ["lint", "test:failed"])
    project.on_trigger("docs", ["render"])
    async with running(it) as (_, circle):
        result = await circle.pipelines.trigger_and_wait(SLUG)
        assert result.status == "failed"
        assert {each.name: each.status for each in result.workflows} == {"build": "failed", "docs": "success"}
        with pytest.raises(BuildFailed, match=r"pipeline 1 of gh/acme/api: failed \(build failed\)") as caught:
            result.raise_for_status()
        assert caught.value.result is result


@fast_clock
async def test_trigger_and_wait_runs_a_pipeline_definition() -> None:
    it = world()
    project = it.project(SLUG)
    async with running(it) as (fake, circle):
        definition = await circle.pipeline_definitions.create(
            project.id,
            name="nightly",
            config_source=ConfigSource(provider="circleci", file_path="nightly.yml"),
            checkout_source=CheckoutSource(provider="github_app", repo=Repository(external_id="1")),
        )
        fake.requests.clear()
        result = await circle.pipelines.trigger_and_wait(SLUG, definition_id=definition.id, branch="main")
        assert result.status == "success"
        assert fake.requests[0].path.endswith("/pipeline/run")


@fast_clock
async def test_delays_grow_from_the_start_to_the_end_of_the_interval() -> None:
    it = world()
    project = it.project(SLUG)
    workflow = project.pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        at(300, lambda: setattr(workflow, "status", "success"))
        await circle.pipelines.wait(workflow.pipeline.id, interval=(4, 20))
        times = poll_times(fake)
        waits = [later - sooner for sooner, later in pairwise(times)]
        assert waits[0] == pytest.approx(4, abs=0.3)
        assert waits[-1] == pytest.approx(4, abs=0.3)  # the second poll confirms the final state
        for number, wait in enumerate(waits[1:-1], start=1):
            longest = min(4 * 1.5**number, 20)
            assert 0.8 * longest - 0.3 <= wait <= longest + 0.3


@fast_clock
async def test_a_change_restarts_the_delays() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        at(200, lambda: setattr(workflow, "status", "failing"))
        at(230, lambda: setattr(workflow, "status", "failed"))
        await circle.pipelines.wait(workflow.pipeline.id, interval=(2, 30))
        times = poll_times(fake)
        changed = next(number for number, time in enumerate(times) if time >= 200)
        assert times[changed] - times[changed - 1] > 20
        assert times[changed + 1] - times[changed] == pytest.approx(2, abs=0.3)


@fast_clock
async def test_late_workflows_are_waited_for() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["test:failed"], workflow_delay=25)
    async with running(it) as (_, circle):
        assert (await circle.pipelines.trigger_and_wait(SLUG)).status == "failed"


@fast_clock
async def test_a_new_pipeline_may_be_missing() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", creation_lag=9)
    async with running(it) as (fake, circle):
        assert (await circle.pipelines.trigger_and_wait(SLUG)).status == "success"
        assert fake.requests[1].status == 404


@fast_clock
async def test_a_pipeline_that_stays_missing_is_an_error_after_the_grace() -> None:
    async with running(world()) as (fake, circle):
        with pytest.raises(NotFound) as caught:
            await circle.pipelines.wait(MISSING, grace=20)
        assert caught.value.pipeline_id == MISSING
        assert poll_times(fake, MISSING)[-1] == pytest.approx(20, abs=0.5)
        await check_nothing_is_left(circle)


@fast_clock
async def test_without_grace_a_missing_workflow_is_an_error_at_once() -> None:
    async with running(world()) as (fake, circle):
        with pytest.raises(NotFound):
            await circle.workflows.wait(MISSING, grace=0)
        assert len(fake.requests) == 1


@fast_clock
async def test_a_pipeline_without_workflows_is_not_run() -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    async with running(it) as (fake, circle):
        result = await circle.pipelines.wait(pipeline.id, grace=50)
        assert (result.status, result.workflows) == ("not_run", ())
        assert poll_times(fake)[-1] == pytest.approx(51, abs=2)
        with pytest.raises(BuildFailed, match="not_run"):
            result.raise_for_status()


@fast_clock
async def test_an_errored_pipeline_ends_the_wait_with_its_errors() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", error="Unknown orb: acme/nonsense")
    async with running(it) as (_, circle):
        result = await circle.pipelines.trigger_and_wait(SLUG)
        assert (result.status, result.workflows) == ("errored", ())
        with pytest.raises(BuildFailed, match="errored; config: Unknown orb: acme/nonsense"):
            result.raise_for_status()


@fast_clock
async def test_a_rerun_replaces_the_failed_run() -> None:
    it = world()
    project = it.project(SLUG)
    pipeline = project.pipeline()
    failed = pipeline.workflow("build", status="failed")
    other = pipeline.workflow("docs", status="running")
    async with running(it) as (_, circle):
        waiting = asyncio.create_task(circle.pipelines.wait(pipeline.id))
        await asyncio.sleep(10)
        again = pipeline.workflow("build", status="running", created_at=it.clock())
        await asyncio.sleep(10)
        other.status = "success"
        await asyncio.sleep(100)
        assert not waiting.done()
        again.status = "success"
        result = await waiting
        assert result.status == "success"
        assert {each.id for each in result.workflows} == {again.id, other.id}
        assert failed.id not in {each.id for each in result.workflows}


@fast_clock
async def test_a_final_status_between_two_jobs_does_not_end_the_wait() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="success")
    async with running(it) as (_, circle):
        at(1, lambda: setattr(workflow, "status", "running"))
        at(60, lambda: setattr(workflow, "status", "failed"))
        result = await circle.pipelines.wait(workflow.pipeline.id)
        assert result.status == "failed"


@fast_clock
async def test_an_unknown_status_does_not_end_the_wait() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        body = {
            "items": [
                {
                    "id": workflow.id,
                    "name": "build",
                    "status": "levitating",
                    "created_at": "2026-03-01T12:00:00Z",
                }
            ],
            "next_page_token": None,
        }
        fake.fail("*/workflow", status=200, body=body, times=5)
        at(1, lambda: setattr(workflow, "status", "canceled"))
        assert (await circle.pipelines.wait(workflow.pipeline.id)).status == "canceled"
        assert len(poll_times(fake)) == 7


@fast_clock
async def test_on_hold_ends_the_wait_or_is_waited_for() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["test", "hold:approval", "deploy"])
    async with running(it) as (_, circle):
        held = await circle.pipelines.trigger_and_wait(SLUG)
        assert held.status == "on_hold"
        (workflow,) = held.workflows
        waiting = asyncio.create_task(circle.pipelines.wait(held.pipeline.id, on_hold="wait"))
        await asyncio.sleep(600)
        assert not waiting.done()
        result = await circle.workflows.wait(workflow.id)
        assert result.status == "on_hold"
        (hold,) = [job for job in result.jobs if job.status == "on_hold"]
        await circle.workflows.approve(workflow.id, hold.approval_request_id or "")
        assert (await waiting).status == "success"


@fast_clock
async def test_a_wait_that_starts_after_an_approval_ignores_earlier_polls() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["hold:approval", "deploy"])
    async with running(it) as (_, circle):
        held = await circle.pipelines.trigger_and_wait(SLUG)
        other = asyncio.create_task(circle.pipelines.wait(held.pipeline.id, on_hold="wait"))
        await asyncio.sleep(300)
        (workflow,) = held.workflows
        (hold, _) = await circle.workflows.jobs(workflow.id).collect()
        await circle.workflows.approve(workflow.id, hold.approval_request_id or "")
        assert (await circle.pipelines.wait(held.pipeline.id, on_hold="return")).status == "success"
        await other


@fast_clock
async def test_a_setup_workflow_is_followed_by_its_continuation() -> None:
    it = world()
    project = it.project(SLUG)
    project.on_trigger("setup", ["generate"], setup=True)
    project.on_trigger("build", ["test:failed"], workflow_delay=10)
    async with running(it) as (_, circle):
        result = await circle.pipelines.trigger_and_wait(SLUG)
        assert result.status == "failed"
        assert [each.name for each in result.workflows] == ["setup", "build"]


@fast_clock
async def test_a_setup_workflow_without_continuation_ends_after_the_grace() -> None:
    it = world()
    it.project(SLUG).on_trigger("setup", ["generate"], setup=True)
    async with running(it) as (_, circle):
        began = asyncio.get_running_loop().time()
        assert (await circle.pipelines.trigger_and_wait(SLUG, grace=500)).status == "success"
        assert asyncio.get_running_loop().time() - began > 500


@fast_clock
async def test_transient_failures_do_not_end_the_wait() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/workflow", status=429, headers={"Retry-After": "7"}, times=3)
        fake.fail("*/workflow", status=503, after=3, times=9)
        fake.fail("*/pipeline/*", method="GET", reset="before", times=3)
        assert (await circle.pipelines.trigger_and_wait(SLUG)).status == "success"


@fast_clock
async def test_a_retry_after_beyond_max_wait_delays_the_next_poll() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/workflow", status=429, headers={"Retry-After": "600"}, after=1)
        result = await circle.pipelines.trigger_and_wait(SLUG)
        assert result.status == "success"
        assert poll_times(fake)[2] - poll_times(fake)[1] >= 600


@fast_clock
async def test_events_do_not_trigger_polls_before_retry_after_ends() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    jobs = [workflow.job(f"test-{number}", status="running") for number in range(20)]
    async with running(it) as (fake, circle):
        fake.fail("*/workflow", status=429, headers={"Retry-After": "600"})
        waiting = asyncio.create_task(circle.pipelines.wait(workflow.pipeline.id))
        await asyncio.sleep(1)
        for job in jobs:
            circle.notify(completed(job, "success"))
            await asyncio.sleep(1)
        assert len(poll_times(fake)) == 1
        workflow.status = "success"
        assert (await waiting).status == "success"


@fast_clock
async def test_an_outage_of_a_minute_does_not_end_the_wait() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        created = await circle.pipelines.trigger(SLUG)
        down = fake.fail("*", reset="before", times=None)
        at(60, down.stop)
        assert (await circle.pipelines.wait(created.id)).status == "success"
        assert down.hits > 6


@fast_clock
async def test_delays_between_failed_polls_grow_although_a_confirmation_was_due() -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    async with running(it) as (fake, circle):
        waiting = asyncio.create_task(circle.pipelines.wait(pipeline.id, interval=(2, 30), grace=2.05))
        while len(poll_times(fake)) < 2:  # the third is due in 0.05 s, when the grace ends
            await asyncio.sleep(0.01)
        page = fake.fail("*/workflow", status=200, body="<h1>Maintenance</h1>", times=None)
        at(60, page.stop)
        assert (await waiting).status == "not_run"
        assert 2 <= page.hits <= 12


@fast_clock
async def test_an_endless_outage_ends_the_wait() -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    async with running(it) as (fake, circle):
        fake.fail("*/workflow", status=503, times=None)
        with pytest.raises(ServerError) as caught:
            await circle.pipelines.wait(pipeline.id)
        assert caught.value.pipeline_id == pipeline.id
        await check_nothing_is_left(circle)


@pytest.mark.parametrize(
    ("status", "body"), [(200, "<h1>Maintenance</h1>"), (403, "<title>Attention required</title>")]
)
@fast_clock
async def test_an_html_page_from_a_proxy_does_not_end_the_wait(status: int, body: str) -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        page = fake.fail("*/workflow", status=status, body=body, times=4)
        assert (await circle.pipelines.trigger_and_wait(SLUG)).status == "success"
        assert page.hits == 4
        fake.fail("*/workflow", status=status, body=body, times=None)
        with pytest.raises((DecodeError, PermissionDenied)):
            await circle.pipelines.trigger_and_wait(SLUG)


@fast_clock
async def test_a_pipeline_that_was_seen_may_answer_404_for_a_while() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        created = await circle.pipelines.trigger(SLUG)
        at(20, lambda: fake.fail("*/pipeline/*", status=404, times=2))
        assert (await circle.pipelines.wait(created.id, grace=10)).status == "success"


@fast_clock
async def test_a_pipeline_that_stays_404_after_it_was_seen_ends_the_wait() -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    pipeline.workflow("build", status="running")
    async with running(it) as (fake, circle):
        at(20, lambda: fake.fail(f"*/pipeline/{pipeline.id}*", status=404, times=None))
        with pytest.raises(NotFound) as caught:
            await asyncio.wait_for(circle.pipelines.wait(pipeline.id), 400)
        assert caught.value.pipeline_id == pipeline.id
        missing = [each.at for each in fake.requests if each.status == 404]
        assert polling.MAX_OUTAGE <= missing[-1] - missing[0] <= polling.MAX_OUTAGE + 31
        await check_nothing_is_left(circle)


@pytest.mark.parametrize("jobs", [False, True])
@fast_clock
async def test_watching_a_pipeline_or_workflow_ends_once_it_stays_404(jobs: bool) -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    workflow = pipeline.workflow("build", status="running")
    async with running(it) as (fake, circle):
        at(20, lambda: fake.fail(f"*/{pipeline.id}*", status=404, times=None))
        at(20, lambda: fake.fail(f"*/{workflow.id}*", status=404, times=None))
        for waiting in (
            circle.workflows.wait(workflow.id),
            _all(circle.pipelines.watch(pipeline.id, jobs=jobs)),
            _all(circle.workflows.watch(workflow.id, jobs=jobs)),
        ):
            with pytest.raises(NotFound):
                await asyncio.wait_for(waiting, 400)


async def _all(changes: AsyncIterable[Change]) -> list[Change]:
    return [each async for each in changes]


@pytest.mark.parametrize("listed", [(404, {"message": "not found"}), (200, {"items": [], "next_page_token": None})])
@fast_clock
async def test_a_running_workflow_that_was_deleted_ends_the_wait(listed: tuple[int, dict[str, Any]]) -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    workflow = pipeline.workflow("build", status="running")
    status, body = listed
    async with running(it) as (fake, circle):
        at(20, lambda: fake.fail("*/pipeline/*/workflow", status=status, body=body, times=None))
        at(20, lambda: fake.fail(f"*/workflow/{workflow.id}", status=404, times=None))
        with pytest.raises(NotFound):
            await asyncio.wait_for(circle.pipelines.wait(pipeline.id), 400)


@fast_clock
async def test_a_running_workflow_that_the_list_lacks_is_requested_by_its_id() -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    workflow = pipeline.workflow("build", status="running")
    async with running(it) as (fake, circle):
        empty: dict[str, Any] = {"items": [], "next_page_token": None}
        at(20, lambda: fake.fail("*/pipeline/*/workflow", status=200, body=empty, times=None))
        at(60, lambda: setattr(workflow, "status", "failed"))
        assert (await circle.pipelines.wait(pipeline.id)).status == "failed"


@fast_clock
async def test_later_waits_do_not_delay_earlier_ones() -> None:
    it = world()
    it.project(SLUG)
    async with running(it, run_time=1) as (_, circle):
        result = await circle.pipelines.trigger_and_wait(SLUG)
        loop = asyncio.get_running_loop()
        began = loop.time()
        ended: list[float] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                task = group.create_task(circle.pipelines.wait(result.pipeline.id, interval=(3, 30)))
                task.add_done_callback(lambda _: ended.append(loop.time()))
                await asyncio.sleep(1)
        assert ended[0] - began <= 3.1
        assert len(ended) == 20


@fast_clock
async def test_the_options_of_one_client_do_not_fail_the_waits_of_another() -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    pipeline.workflow("build")
    async with running(it, latency=0.5) as (_, circle):
        quick = circle.with_options(timeout=0.1, retry=RetryPolicy(attempts=1))
        async with asyncio.TaskGroup() as group:
            for client in (quick, circle):
                group.create_task(client.pipelines.wait(pipeline.id))
        with pytest.raises(RequestTimeout):
            await quick.pipelines.wait(pipeline.id)


class Sealed(Exception):
    """An exception that cannot be copied, as in some libraries."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")


@fast_clock
async def test_an_error_of_the_token_function_ends_the_wait() -> None:
    trouble: BaseException | None = None

    def token() -> str:
        if trouble is not None:
            raise trouble
        return "fake-token"

    it = world()
    pipeline = it.project(SLUG).pipeline()
    pipeline.workflow("build")
    async with FakeCircleCI(it) as fake, fake.client(token=token) as circle:
        trouble = Sealed(503, "sealed")
        with pytest.raises(Sealed):
            await circle.pipelines.wait(pipeline.id)
        trouble = asyncio.CancelledError()
        with pytest.raises(ConfigurationError, match="cancelled from within"):
            await circle.pipelines.wait(pipeline.id)
        trouble = None
        assert (await circle.pipelines.wait(pipeline.id)).status == "success"


@fast_clock
async def test_a_permission_error_ends_the_wait_at_once() -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    async with running(it) as (fake, circle):
        fake.fail("*/workflow", status=403)
        with pytest.raises(PermissionDenied):
            await circle.pipelines.wait(pipeline.id)
        assert len(fake.requests) == 2


@fast_clock
async def test_a_timeout_error_has_the_last_result() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["hold:approval", "deploy"])
    async with running(it) as (_, circle):
        with pytest.raises(WaitTimeout, match="did not end within 20 s") as caught:
            await circle.pipelines.trigger_and_wait(SLUG, timeout=20, on_hold="wait")
        error = caught.value
        assert isinstance(error, TimeoutError)
        assert error.last.status == "on_hold"
        assert error.last.pipeline.id == error.pipeline_id
        await check_nothing_is_left(circle)


@fast_clock
async def test_nothing_is_triggered_if_a_rate_limit_pause_outlasts_the_timeout() -> None:
    it = world()
    project = it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/me", status=429, headers={"Retry-After": "60"})
        me = asyncio.create_task(circle.users.me())
        while not circle.stats.rate_limited:
            await asyncio.sleep(0.1)
        with pytest.raises(RateLimited, match="not sent"):
            await circle.pipelines.trigger_and_wait(SLUG, timeout=10)
        assert project.pipelines.all == []
        assert (await circle.pipelines.trigger_and_wait(SLUG, timeout=600)).status == "success"
        await me


@fast_clock
async def test_the_timeout_includes_the_trigger() -> None:
    it = world()
    it.project(SLUG)
    async with running(it) as (fake, circle):
        fake.fail("*/pipeline", method="POST", status=429, headers={"Retry-After": "25"}, times=2)
        with pytest.raises(WaitTimeout) as caught:
            await circle.pipelines.trigger_and_wait(SLUG, timeout=40)
        assert caught.value.pipeline_id in fake.world.pipelines_by_id
        assert caught.value.last is None


@fast_clock
async def test_a_workflow_is_returned_with_its_jobs() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["lint", "test:failed"])
    async with running(it) as (_, circle):
        created = await circle.pipelines.trigger(SLUG)
        await asyncio.sleep(20)
        (workflow,) = await circle.pipelines.workflows(created.id).collect()
        result = await circle.workflows.wait(workflow.id)
        assert (result.status, result.workflow.status) == ("failed", "failed")
        assert {job.name: job.status for job in result.jobs} == {"lint": "success", "test": "failed"}
        with pytest.raises(BuildFailed, match=r"workflow build: failed \(test failed\)"):
            result.raise_for_status()
        again = await circle.workflows.rerun(workflow.id, from_failed=True)
        assert (await circle.workflows.wait(again.workflow_id)).workflow.id == again.workflow_id


@fast_clock
async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (fake, circle):
        for moment in (0, 0.001, 0.01, 1, 3, 5):
            waiting = asyncio.create_task(circle.pipelines.wait(workflow.pipeline.id))
            await asyncio.sleep(moment)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await check_nothing_is_left(circle)
        before = len(fake.requests)
        await asyncio.sleep(100)
        assert len(fake.requests) == before


@fast_clock
async def test_closing_the_client_ends_the_wait_with_an_error() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="running")
    async with running(it) as (_, circle):
        waiting = asyncio.create_task(circle.pipelines.wait(workflow.pipeline.id))
        await asyncio.sleep(5)
        await circle.aclose()
        with pytest.raises(CircleCIError, match="closed"):
            await waiting


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timeout": 0}, "timeout must be a positive number of seconds, or None, got 0"),
        ({"timeout": float("inf")}, "timeout must be .*, got inf"),
        ({"interval": 5}, "interval must be .*, got 5"),
        ({"interval": (0, 5)}, "interval must be two positive numbers"),
        ({"interval": (5, 2)}, "interval must be two positive numbers"),
        ({"interval": (5, 6, 7)}, "interval must be two positive numbers"),
        ({"interval": ("a", "b")}, "interval must be two positive numbers"),
        ({"interval": {1: 2, 3: 4}}, "interval must be two positive numbers"),
        ({"grace": -1}, "grace must be a number of seconds, 0 or more, got -1"),
        ({"on_hold": "approve"}, "on_hold must be 'return' or 'wait', got 'approve'"),
    ],
)
async def test_invalid_arguments_are_refused_before_anything_is_sent(arguments: dict[str, Any], message: str) -> None:
    async with running(world()) as (fake, circle):
        for call in (circle.pipelines.wait, circle.workflows.wait, circle.pipelines.trigger_and_wait):
            with pytest.raises(InvalidArgument, match=message):
                await call(SLUG, **arguments)
        for watch in (circle.pipelines.watch, circle.workflows.watch):
            with pytest.raises(InvalidArgument, match=message):
                watch(MISSING, **arguments)
        assert fake.requests == []


@fast_clock
async def test_many_waits_share_a_rate_limit() -> None:
    it = world()
    project = it.project(SLUG)
    async with running(it, rate_limit=RateLimit(2, burst=2)) as (_, circle):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(circle.pipelines.trigger_and_wait(project.slug)) for _ in range(5)]
        assert [task.result().status for task in tasks] == ["success"] * 5


async def test_a_retry_after_beyond_max_wait_is_an_error_outside_of_waits() -> None:
    it = world()
    pipeline = it.project(SLUG).pipeline()
    async with running(it) as (fake, circle):
        fake.fail("*/workflow", status=429, headers={"Retry-After": "600"})
        with pytest.raises(RateLimited):
            await circle.pipelines.workflows(pipeline.id).first()


@fast_clock
async def test_rerun_and_wait_returns_the_result_of_the_new_workflow() -> None:
    it = world()
    project = it.project(SLUG)
    project.on_trigger("build", ["lint", "test:failed"])
    async with running(it) as (fake, circle):
        failed = (await circle.pipelines.trigger_and_wait(SLUG)).workflows[0]
        project.on_trigger("build", ["lint", "test"])
        result = await circle.workflows.rerun_and_wait(failed.id, from_failed=True)
        assert result.workflow.id != failed.id
        assert [(job.name, job.status.is_finished) for job in result.jobs] == [("lint", True), ("test", True)]
        reruns = [each for each in fake.requests if each.path.endswith("/rerun")]
        assert [json.loads(each.body) for each in reruns] == [{"from_failed": True}]
        await check_nothing_is_left(circle)


@fast_clock
async def test_the_timeout_includes_the_rerun_and_the_error_has_the_last_result() -> None:
    it = world()
    it.project(SLUG).on_trigger("build", ["test:failed"])
    async with running(it) as (fake, circle):
        failed = (await circle.pipelines.trigger_and_wait(SLUG)).workflows[0]
        fake.fail("*/rerun", status=429, headers={"Retry-After": "30"})
        began = asyncio.get_running_loop().time()
        with pytest.raises(WaitTimeout) as caught:
            await circle.workflows.rerun_and_wait(failed.id, timeout=40)
        assert asyncio.get_running_loop().time() - began == pytest.approx(40, abs=1)
        assert caught.value.last.workflow.id != failed.id


@fast_clock
async def test_nothing_is_rerun_if_a_rate_limit_pause_outlasts_the_timeout() -> None:
    it = world()
    workflow = it.project(SLUG).pipeline().workflow("build", status="failed")
    async with running(it) as (fake, circle):
        fake.fail("*/rerun", status=429, headers={"Retry-After": "60"})
        with pytest.raises(RateLimited):
            await circle.workflows.rerun_and_wait(workflow.id, timeout=10)
        assert len(workflow.pipeline.workflows) == 1
        with pytest.raises(InvalidArgument, match="from_failed and jobs cannot be combined"):
            await circle.workflows.rerun_and_wait(workflow.id, from_failed=True, jobs=["x"])
