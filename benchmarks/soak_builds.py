"""The soak's work with running builds: trigger, wait, watch, webhooks, and cancellation."""

import asyncio
import time
from random import Random

import circleci_async as ca
from circleci_async.models import WebhookEvent

from . import soak_work as calls
from .soak_site import Site, Work, WrongResult
from .soak_world import WEB, places

INTERVAL = (0.1, 0.5)
"""Seconds between polls."""

STAGES = {
    "pipeline": ["pending", "created"],
    "workflow": ["running", "failing", "success"],
    "job": ["blocked", "not_running", "queued", "running", "success"],
}
"""The states of a successful build, in order. Polling can miss states, but must not see them out of order."""


async def trigger_and_wait(site: Site, chance: Random) -> None:
    good, bad = places(time.time())
    slug, status = (good, "success") if chance.random() < 0.7 else (bad, "failed")
    result = await site.circle.pipelines.trigger_and_wait(slug, branch="main", interval=INTERVAL)
    site.expect("the result", (result.status, [each.name for each in result.workflows]), (status, ["build"]))
    if status == "failed":
        await _check_failure(site, result)
    await _check_events(site, result.pipeline.id, status)


async def _check_failure(site: Site, result: ca.PipelineResult) -> None:
    try:
        result.raise_for_status()
    except ca.BuildFailed as error:
        site.expect("the result of the error", error.result, result)
    else:
        site.expect("a failed build", "no error", "BuildFailed")
    shown: list[tuple[str, str, int | None, str]] = []
    async for _, job, output in site.circle.pipelines.failures(result, tail=1):
        if output.error is not None:
            raise output.error
        shown.append((job.name, output.name, output.exit_code, output.text))
    site.expect("why it failed", shown, [("test", "Run tests", 1, "Exited with code exit status 1")])


async def watch(site: Site, chance: Random) -> None:
    """Each change must be yielded once, in order, until the end."""
    good, _ = places(time.time())
    created = await site.circle.pipelines.trigger(good)
    seen: dict[str, tuple[str, str, str]] = {}
    async for change in site.circle.pipelines.watch(created.id, interval=INTERVAL):
        before = seen.get(change.item.id)
        site.expect("the state before", change.before, before and before[2])
        stages = STAGES[change.kind]
        if before and stages.index(change.after) <= stages.index(before[2]):
            raise WrongResult(f"{change.name} went back from {before[2]} to {change.after}")
        seen[change.item.id] = (change.kind, change.name, str(change.after))
    ends = {("pipeline", str(created.number), "created"), ("workflow", "build", "success")}
    ends |= {("job", name, "success") for name in ("lint", "test")}
    site.expect("the last states", sorted(seen.values()), sorted(ends))
    await _check_events(site, created.id, "success")


async def _check_events(site: Site, pipeline_id: str, status: str) -> None:
    """Check that webhooks reported each event of a finished pipeline exactly once."""
    events = await site.inbox.of(pipeline_id, 3)
    received = [(str(each.type), each.job.name if each.job else "", _status(each)) for each in events]
    wanted = [
        ("job-completed", "lint", "success"),
        ("job-completed", "test", status),
        ("workflow-completed", "", status),
    ]
    site.expect("the events", sorted(received), wanted)


def _status(event: WebhookEvent) -> str | None:
    ended = event.job or event.workflow
    return None if ended is None or ended.status is None else str(ended.status)


async def wait_until_timeout(site: Site, chance: Random) -> None:
    running = site.world.projects[WEB].pipelines.all[1]
    try:
        await site.circle.pipelines.wait(running.id, timeout=chance.uniform(0.01, 0.5), interval=INTERVAL)
    except ca.WaitTimeout as error:
        site.expect("the pipeline id of the timeout", error.pipeline_id, running.id)
        site.expect("the last state", error.last.status if error.last else "running", "running")
    else:
        site.expect("a pipeline that never ends", "ended", "running")


async def wait_for_finished_pipeline(site: Site, chance: Random) -> None:
    hold, _, errored = site.world.projects[WEB].pipelines.all
    pipeline, status = chance.choice(((hold, "on_hold"), (errored, "errored")))
    result = await site.circle.pipelines.wait(pipeline.id, interval=INTERVAL)
    site.expect("the result", (result.status, result.pipeline.id), (status, pipeline.id))


async def cancelled(site: Site, chance: Random) -> None:
    """Cancel other work at a random moment; it must end cancelled and, as `do` checks, leave nothing behind."""
    work = chance.choice(CANCELLED)
    task = asyncio.ensure_future(work(site, chance))
    try:
        await asyncio.wait([task], timeout=chance.random() * 0.3)
        was_running = task.cancel()
        await asyncio.wait([task])
    finally:
        task.cancel()
    if was_running:
        site.expect(f"the end of {work.__name__}", _end(task), "cancelled")
    else:
        await task


def _end(task: "asyncio.Future[None]") -> str:
    return "cancelled" if task.cancelled() else repr(task.exception())


WORKS: dict[Work, int] = {
    calls.user: 6,
    calls.project: 6,
    calls.all_pipelines: 4,
    calls.some_pipelines: 4,
    calls.workflows_and_jobs: 6,
    calls.job: 6,
    calls.test_results: 4,
    calls.insights: 3,
    calls.other_options: 3,
    calls.another_client: 2,
    calls.downloads: 5,
    calls.stream: 3,
    calls.latest_artifacts: 3,
    calls.harvest: 1,
    calls.failed_output: 3,
    calls.log: 2,
    calls.not_found: 3,
    calls.invalid_arguments: 2,
    trigger_and_wait: 4,
    watch: 3,
    wait_until_timeout: 3,
    wait_for_finished_pipeline: 2,
    cancelled: 8,
}
"""All kinds of work, with relative frequencies."""

CANCELLED = [work for work in WORKS if work not in (cancelled, calls.invalid_arguments)]
