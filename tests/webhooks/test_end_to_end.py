"""Webhooks of the embedded CircleCI, delivered to a receiver: signed, and more than once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import circleci_async as ca
from circleci_async.models import WebhookEvent, WebhookEventType
from circleci_async.testing import FakeCircleCI, World
from circleci_async.webhooks import Receiver

from .deliveries import SECRET, aiohttp_server, starlette_server
from .handlers import BlockingHandler


@asynccontextmanager
async def served_receiver(
    receiver: Receiver, *, secret: str = SECRET, duplicates: int = 0, slug: str = "gh/acme/api"
) -> AsyncGenerator[FakeCircleCI, None]:
    """Serve the receiver, and run a CircleCI whose only project has a webhook to it."""
    world = World()
    project = world.project(slug)
    project.on_trigger("build", ("lint", "test:failed"))
    async with aiohttp_server(receiver) as url, FakeCircleCI(world, run_time=0.1, webhook_retries=[0.02] * 50) as fake:
        project.webhook(url, secret=secret, duplicates=duplicates)
        yield fake


async def run_pipeline(fake: FakeCircleCI, circle: ca.CircleCI) -> str:
    """Trigger a pipeline, and return its id after its events were delivered."""
    [slug] = fake.world.projects
    created = await circle.pipelines.trigger(slug)
    async with asyncio.timeout(20):
        while {each.status async for each in circle.pipelines.workflows(created.id)} != {"failed"}:
            await asyncio.sleep(0.02)
    await fake.delivered()
    return created.id


async def test_the_events_of_a_pipeline_identify_it() -> None:
    for slug in ("gh/acme/api", "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat"):
        events: list[WebhookEvent] = []
        async with served_receiver(Receiver(SECRET, events.append), slug=slug) as fake, fake.client() as circle:
            id = await run_pipeline(fake, circle)
            jobs = {event.job.name: event.job.status for event in events if event.job is not None}
            assert jobs == {"lint": "success", "test": "failed"}
            [ended] = [event for event in events if event.type == WebhookEventType.WORKFLOW_COMPLETED]
            assert ended.workflow is not None
            assert ended.workflow.status == (await circle.workflows.get(ended.workflow.id)).status == "failed"
            for event in events:
                assert event.pipeline is not None
                assert (event.pipeline.id, event.pipeline.branch) == (id, "main")
                assert event.project is not None
                assert (await circle.projects.get(event.project.slug or "")).id == event.project.id


async def test_repeated_deliveries_of_an_event_are_handled_once() -> None:
    events: list[WebhookEvent] = []
    receiver = Receiver(SECRET, events.append)
    async with served_receiver(receiver, duplicates=2) as fake, fake.client() as circle:
        await run_pipeline(fake, circle)
    assert len(events) == len({event.id for event in events}) == 3
    assert (receiver.stats.accepted, receiver.stats.duplicates) == (3, 6)


async def test_a_refused_event_is_delivered_again_and_handled() -> None:
    handler = BlockingHandler()
    receiver = Receiver(SECRET, handler, concurrency=1, queue=0)
    async with served_receiver(receiver) as fake, fake.client() as circle:
        running = asyncio.create_task(run_pipeline(fake, circle))
        async with asyncio.timeout(20):
            while receiver.stats.turned_away < 2:
                await asyncio.sleep(0.01)
        handler.let_go.set()
        await running
    assert len(handler.done) == len(set(handler.done)) == 3
    assert (receiver.stats.accepted, receiver.stats.lost) == (3, 0)


async def test_events_signed_with_another_secret_are_never_handled() -> None:
    handler = BlockingHandler()
    receiver = Receiver([SECRET, "another"], handler)
    world = World()
    project = world.project("gh/acme/api")
    async with starlette_server(receiver) as url, FakeCircleCI(world, webhook_retries=[0.01]) as fake:
        hooks = [project.webhook(url, secret=secret) for secret in ("wrong", "", "another")]
        for hook in hooks:
            hook.ping()
        await fake.delivered()
        assert [[each.status for each in hook.deliveries] for hook in hooks] == [[401, 401], [401, 401], [202]]
        handler.let_go.set()
    assert len(handler.done) == 1


async def test_an_event_ends_the_wait_for_its_pipeline() -> None:
    def wake(event: WebhookEvent) -> None:
        circle.notify(event)

    receiver = Receiver(SECRET, wake)
    async with served_receiver(receiver) as fake, fake.client() as circle:
        created = await circle.pipelines.trigger("gh/acme/api")
        async with asyncio.timeout(20):
            result = await circle.pipelines.wait(created.id, interval=(600.0, 600.0))  # and not: ten minutes later
    assert result.status == "failed"
    assert receiver.stats.succeeded >= 1
