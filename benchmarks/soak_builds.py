"""The soak's calls about builds that run: trigger, wait, watch, webhooks; and what is cancelled on the way."""

import asyncio
import time
from random import Random

import circleci_async as ca

from . import soak_work as calls
from .soak_site import Site, Work, WrongResult
from .soak_world import WEB, places

OFTEN = (0.1, 0.5)
"""Seconds between looks."""

STAGES = {
    "pipeline": ["pending", "created"],
    "workflow": ["running", "failing", "success"],
    "job": ["blocked", "not_running", "queued", "running", "success"],
}
"""What a pipeline that succeeds goes through. It may be too fast for all of it to be seen, but never goes back."""


async def trigger_and_wait(site: Site, chance: Random) -> None:
    good, bad = places(time.time())
    slug, status = (good, "success") if chance.random() < 0.7 else (bad, "failed")
    result = await site.circle.pipelines.trigger_and_wait(slug, branch="main", interval=OFTEN)
    site.expect("the result", (result.status, [each.name for each in result.workflows]), (status, ["build"]))
    if status == "failed":
        await _blame(site, slug, result)
    await _told(site, result.pipeline.id, status)


async def _blame(site: Site, slug: str, result: ca.PipelineResult) -> None:
    try:
        result.raise_for_status()
    except ca.BuildFailed as error:
        site.expect("the blamed result", error.result, result)
    else:
        site.expect("a failed build", "praised", "blamed")
    jobs = await site.circle.workflows.jobs(result.workflows[0].id).collect()
    [failed] = [job for job in jobs if job.status == "failed"]
    found = await site.circle.jobs.failed_output(slug, failed.job_number or 0, tail=1)
    for output in found:
        if output.error is not None:
            raise output.error
    told = [(each.name, each.exit_code, each.text) for each in found]
    site.expect("why it failed", told, [("Run tests", 1, "Exited with code exit status 1")])


async def watch(site: Site, chance: Random) -> None:
    """Each change must be told once, in order, up to the end."""
    good, _ = places(time.time())
    created = await site.circle.pipelines.trigger(good)
    seen: dict[str, tuple[str, str, str]] = {}
    async for change in site.circle.pipelines.watch(created.id, interval=OFTEN):
        before = seen.get(change.item.id)
        site.expect("the state before", change.before, before and before[2])
        stages = STAGES[change.kind]
        if before and stages.index(change.after) <= stages.index(before[2]):
            raise WrongResult(f"{change.name} went back from {before[2]} to {change.after}")
        seen[change.item.id] = (change.kind, change.name, str(change.after))
    ends = {("pipeline", str(created.number), "created"), ("workflow", "build", "success")}
    ends |= {("job", name, "success") for name in ("lint", "test")}
    site.expect("the last states", sorted(seen.values()), sorted(ends))
    await _told(site, created.id, "success")


async def _told(site: Site, pipeline_id: str, status: str) -> None:
    """Check what the webhooks say of a pipeline that has ended: all of it, and each thing once."""
    events = await site.inbox.of(pipeline_id, 3)
    told = [(str(each.type), each.job.name if each.job else "", _status(each)) for each in events]
    wanted = [
        ("job-completed", "lint", "success"),
        ("job-completed", "test", status),
        ("workflow-completed", "", status),
    ]
    site.expect("the events", sorted(told), wanted)


def _status(event: ca.WebhookEvent) -> str | None:
    ended = event.job or event.workflow
    return None if ended is None or ended.status is None else str(ended.status)


async def wait_in_vain(site: Site, chance: Random) -> None:
    running = site.world.projects[WEB].pipelines.all[1]
    try:
        await site.circle.pipelines.wait(running.id, timeout=chance.uniform(0.01, 0.5), interval=OFTEN)
    except ca.WaitTimeout as error:
        site.expect("whose wait it was", error.pipeline_id, running.id)
        site.expect("the last state", error.last.status if error.last else "running", "running")
    else:
        site.expect("what never ends", "ended", "running")


async def wait_for_what_has_ended(site: Site, chance: Random) -> None:
    hold, _, errored = site.world.projects[WEB].pipelines.all
    pipeline, status = chance.choice(((hold, "on_hold"), (errored, "errored")))
    result = await site.circle.pipelines.wait(pipeline.id, interval=OFTEN)
    site.expect("the result", (result.status, result.pipeline.id), (status, pipeline.id))


async def cancelled(site: Site, chance: Random) -> None:
    """Cancel other work at any moment; it must end by that, and as `do` sees, leave nothing behind."""
    work = chance.choice(CANCELLED)
    task = asyncio.ensure_future(work(site, chance))
    try:
        await asyncio.wait([task], timeout=chance.random() * 0.3)
        was_running = task.cancel()
        await asyncio.wait([task])
    finally:
        task.cancel()
    if was_running:
        site.expect(f"what came of {work.__name__}", _end(task), "cancelled")
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
    wait_in_vain: 3,
    wait_for_what_has_ended: 2,
    cancelled: 8,
}
"""All work, and how often it is done, each compared with the others."""

CANCELLED = [work for work in WORKS if work not in (cancelled, calls.invalid_arguments)]
