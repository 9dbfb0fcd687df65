"""`wait(on_hold=callback)` calls an async function with each job on hold."""

import asyncio

import pytest

from circleci_async import CircleCIError, ConfigurationError, HeldJob, InvalidArgument, ServerError, WaitTimeout
from circleci_async.testing import FakeCircleCI, Project
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_is_left
from tests.watching.builds import SLUG, at, running, world


def with_holds(*jobs: str) -> Project:
    """Return a project whose workflow has these jobs, one after another."""
    project = world().project(SLUG)
    project.on_trigger("release", jobs)
    return project


async def never(_: HeldJob) -> None:
    await asyncio.Event().wait()


def now() -> float:
    return asyncio.get_running_loop().time()


@fast_clock
async def test_each_job_on_hold_is_passed_once_and_can_be_approved() -> None:
    project = with_holds("test", "hold-eu:approval", "deploy", "hold-us:approval")
    held: list[HeldJob] = []

    async def approve(job: HeldJob) -> None:
        held.append(job)
        await asyncio.sleep(200)  # the polls continue
        assert (await job.approve()).message == "Accepted."

    async with running(project.world) as (_, circle):
        result = await circle.pipelines.trigger_and_wait(SLUG, on_hold=approve)
        assert result.status == "success"
        assert [each.name for each in held] == ["hold-eu", "hold-us"]
        assert [each.job.status for each in held] == ["on_hold", "on_hold"]
        assert {each.workflow.id for each in held} == {result.workflows[0].id}
        assert {each.pipeline and each.pipeline.id for each in held} == {result.pipeline.id}
        await check_nothing_is_left(circle)


@fast_clock
async def test_a_wait_for_a_workflow_calls_it_too() -> None:
    project = with_holds("hold:approval", "deploy")
    async with running(project.world) as (_, circle):
        created = await circle.pipelines.trigger_and_wait(SLUG)
        held: list[HeldJob] = []

        async def approve(job: HeldJob) -> None:
            held.append(job)
            await job.approve()

        result = await circle.workflows.wait(created.workflows[0].id, on_hold=approve)
        assert (result.status, [job.name for job in result.jobs]) == ("success", ["hold", "deploy"])
        [job] = held
        assert (job.pipeline, job.workflow.pipeline_id) == (None, created.pipeline.id)


@fast_clock
async def test_jobs_that_are_on_hold_at_once_are_passed_at_once() -> None:
    project = world().project(SLUG)
    for name in ("a", "b"):
        project.on_trigger(name, ["hold:approval", "deploy"])
    asked: list[str] = []
    both = asyncio.Event()

    async def approve(held: HeldJob) -> None:
        asked.append(held.workflow.name)
        if len(asked) == 2:
            both.set()
        await both.wait()
        await held.approve()

    async with running(project.world) as (_, circle):
        assert (await circle.pipelines.trigger_and_wait(SLUG, on_hold=approve)).status == "success"
        assert sorted(asked) == ["a", "b"]


@fast_clock
@pytest.mark.parametrize("error", [ValueError("no"), TimeoutError("slow"), WaitTimeout("inner"), CircleCIError("x")])
async def test_an_error_of_the_callback_ends_the_wait(error: Exception) -> None:
    project = with_holds("hold:approval", "deploy")
    cause = KeyError("the cause")

    async def fail(_: HeldJob) -> None:
        await asyncio.sleep(20)
        raise error from cause

    async with running(project.world) as (_, circle):
        with pytest.raises(type(error)) as caught:
            await circle.pipelines.trigger_and_wait(SLUG, on_hold=fail)
        assert caught.value is error
        assert caught.value.__cause__ is cause
        if isinstance(error, CircleCIError):
            assert error.pipeline_id == project.pipelines.all[0].id
        await check_nothing_is_left(circle)


@fast_clock
async def test_cancelling_the_wait_cancels_the_callback() -> None:
    project = with_holds("hold:approval")
    ends: list[str] = []

    async def ask(_: HeldJob) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async with running(project.world) as (_, circle):
        waiting = asyncio.create_task(circle.pipelines.trigger_and_wait(SLUG, on_hold=ask))
        await asyncio.sleep(100)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert ends == ["cancelled"]
        await check_nothing_is_left(circle)


@fast_clock
async def test_the_timeout_includes_the_callback() -> None:
    project = with_holds("hold:approval")
    async with running(project.world) as (_, circle):
        began = now()
        with pytest.raises(WaitTimeout) as caught:
            await circle.pipelines.trigger_and_wait(SLUG, on_hold=never, timeout=100)
        assert caught.value.last.status == "on_hold"
        assert now() - began == pytest.approx(100, abs=0.5)
        await check_nothing_is_left(circle)


@fast_clock
@pytest.mark.parametrize(("timeout", "ends"), [(None, 110), (90, 90)])
async def test_a_callback_that_does_not_return_is_cancelled_after_the_end_of_the_pipeline(
    timeout: float | None, ends: float
) -> None:
    project = with_holds("hold:approval", "deploy")
    async with running(project.world) as (_, circle):
        created = await circle.pipelines.trigger(SLUG)
        began = now()
        at(80, lambda: setattr(project.pipelines.all[0].workflows[0], "status", "canceled"))
        waiting = circle.pipelines.wait(created.id, on_hold=never, timeout=timeout, interval=(1, 1))
        assert (await waiting).status == "canceled"
        assert now() - began == pytest.approx(ends, abs=4)
        await check_nothing_is_left(circle)


@fast_clock
async def test_a_callback_may_finish_after_the_end_of_the_pipeline() -> None:
    project = with_holds("hold:approval")
    said: list[str] = []

    async def approve_and_tell(held: HeldJob) -> None:
        await held.approve()
        await asyncio.sleep(20)
        said.append("approved")

    async with running(project.world) as (_, circle):
        assert (await circle.pipelines.trigger_and_wait(SLUG, on_hold=approve_and_tell)).status == "success"
        assert said == ["approved"]


@fast_clock
async def test_a_callback_can_cancel_the_pipeline() -> None:
    project = with_holds("hold:approval", "deploy")
    async with running(project.world) as (_, circle):
        said: list[str] = []

        async def reject(held: HeldJob) -> None:
            assert held.pipeline is not None
            result = await circle.pipelines.cancel(held.pipeline.id)
            said.append(f"{held.name}: {result.status}")

        assert (await circle.pipelines.trigger_and_wait(SLUG, on_hold=reject)).status == "canceled"
        assert said == ["hold: canceled"]
        await check_nothing_is_left(circle)


@fast_clock
async def test_the_error_of_a_refused_approval_ends_the_wait() -> None:
    project = with_holds("hold:approval")
    async with running(project.world) as (fake, circle):
        fake.fail("*/approve/*", status=500)
        with pytest.raises(ServerError):
            await circle.pipelines.trigger_and_wait(SLUG, on_hold=HeldJob.approve)


@fast_clock
async def test_a_callback_that_is_cancelled_from_within_ends_the_wait() -> None:
    project = with_holds("hold:approval")

    async def cancelled(_: HeldJob) -> None:
        task = asyncio.create_task(asyncio.sleep(1))
        task.cancel()
        await task

    async with running(project.world) as (_, circle):
        with pytest.raises(ConfigurationError, match="on_hold was cancelled from within"):
            await circle.pipelines.trigger_and_wait(SLUG, on_hold=cancelled)


@fast_clock
async def test_a_plain_function_is_refused() -> None:
    project = with_holds("hold:approval")
    held: list[HeldJob] = []
    async with running(project.world) as (_, circle):
        with pytest.raises(InvalidArgument, match=r"on_hold must be an async function, got .*append.*returned None"):
            await circle.pipelines.trigger_and_wait(SLUG, on_hold=held.append)  # type: ignore[arg-type]  # the mistake


async def test_a_watch_takes_no_callback() -> None:
    async with FakeCircleCI() as fake, fake.client() as circle:
        with pytest.raises(InvalidArgument, match="on_hold must be 'return' or 'wait', got <function never"):
            circle.pipelines.watch("p", on_hold=never)  # type: ignore[arg-type]  # the mistake under test
