"""Webhook deliveries: events, signatures, order, retries and duplicates."""

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from circleci_async.errors import InvalidArgument
from circleci_async.testing import FakeCircleCI, Project, World
from circleci_async.webhooks import unwrap
from tests.fastclock import fast_clock
from tests.leftovers import tasks_of_the_package

from .caller import Caller
from .clock import Clock
from .receiver import Receiver

TRIGGER = "/project/gh/acme/api/pipeline"
FAR = "https://hooks.acme.invalid/circleci"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
def project(world: World) -> Project:
    return world.project("gh/acme/api")


@pytest.fixture
async def fake(world: World) -> AsyncIterator[FakeCircleCI]:
    async with FakeCircleCI(world, run_time=10, webhook_retries=(0.01, 0.02)) as running:
        yield running


async def run(api: Caller, clock: Clock) -> Any:
    """Trigger a pipeline and wait until its events are delivered."""
    created = await api.post(TRIGGER, status=201)
    clock.wait(10)
    await api.fake.delivered()
    return created


# Events


async def test_job_events_precede_the_workflow_event(
    api: Caller, project: Project, clock: Clock, receiver: Receiver
) -> None:
    project.on_trigger("build", jobs=("lint", "test:failed", "hold:approval", "deploy"))
    project.webhook(receiver.url)

    await run(api, clock)

    assert receiver.names == ["lint", "test", "build"]
    assert [event["type"] for event in receiver.events] == ["job-completed", "job-completed", "workflow-completed"]
    assert len({event["id"] for event in receiver.events}) == 3


async def test_the_body_of_a_workflow_event(api: Caller, project: Project, clock: Clock, receiver: Receiver) -> None:
    webhook = project.webhook(receiver.url, name="bot", events=["workflow-completed"])

    pipeline = await run(api, clock)

    [workflow] = project.pipelines.all[0].workflows
    [event] = receiver.events
    url = f"https://app.circleci.com/pipelines/github/acme/api/1/workflows/{workflow.id}"
    created = "2026-05-04T10:00:00.250Z"
    vcs = event["pipeline"].pop("vcs")
    assert event == {
        "id": event["id"],
        "type": "workflow-completed",
        "happened_at": "2026-05-04T10:00:10.250Z",
        "webhook": {"id": webhook.id, "name": "bot"},
        "project": {"id": project.id, "name": "api", "slug": "github/acme/api"},
        "organization": {"id": project.organization.id, "name": "acme"},
        "workflow": {
            "id": workflow.id,
            "name": "build",
            "created_at": "2026-05-04T10:00:01.250Z",
            "stopped_at": "2026-05-04T10:00:10.250Z",
            "url": url,
            "status": "success",
        },
        "pipeline": {"id": pipeline["id"], "number": 1, "created_at": created, "trigger": {"type": "api"}},
    }
    assert (vcs["provider_name"], vcs["branch"], "tag" in vcs) == ("github", "main", False)
    assert (vcs["revision"], vcs["commit"]["subject"]) == (
        project.pipelines.all[0].revision,
        "Change what had to be changed",
    )


async def test_a_job_event_has_no_workflow_status(
    api: Caller, project: Project, clock: Clock, receiver: Receiver
) -> None:
    project.on_trigger("build", jobs=("test:timedout",))
    project.webhook(receiver.url, events=["job-completed"])

    await run(api, clock)

    [event] = receiver.events
    assert event["job"] == {
        "id": project.jobs[1].id,
        "number": 1,
        "name": "test",
        "status": "failed",
        "started_at": "2026-05-04T10:00:02.150Z",
        "stopped_at": "2026-05-04T10:00:10.250Z",
    }
    assert (event["workflow"]["name"], event["workflow"]["stopped_at"]) == ("build", None)
    assert "status" not in event["workflow"]


async def test_events_of_a_circleci_project_have_the_commit_in_trigger_parameters(
    api: Caller, world: World, clock: Clock, receiver: Receiver
) -> None:
    slug = "circleci/GM1mbrQEWnNbzLKEnotDo4/5gh9pgQgohHwicwomY5nYQ"
    project = world.project(slug, name="api")
    workflow = project.pipeline(tag="v1").workflow(status="running")
    project.webhook(receiver.url)

    workflow.status = "failed"
    await api.fake.delivered()

    [event] = receiver.events
    git = event["pipeline"]["trigger_parameters"]["git"]
    assert (event["project"]["slug"], event["workflow"]["status"], "vcs" in event["pipeline"]) == (
        slug,
        "failed",
        False,
    )
    assert (git["tag"], git["checkout_sha"]) == ("v1", workflow.pipeline.revision)


async def test_the_signature_covers_the_exact_bytes(
    api: Caller, project: Project, clock: Clock, receiver: Receiver
) -> None:
    project.pipeline(subject="Écrire").workflow(status="running").job("tèst", status="running")
    webhook = project.webhook(receiver.url, secret="s3cret")
    project.jobs[1].status = "success"
    await api.fake.delivered()
    webhook.signing_secret = ""
    webhook.ping()
    await api.fake.delivered()

    signed, unsigned = receiver.taken
    expected = hmac.new(b"s3cret", signed.body, hashlib.sha256).hexdigest()
    assert signed.headers["circleci-signature"] == f"v1={expected}"
    assert "tèst".encode() in signed.body
    assert "circleci-signature" not in unsigned.headers
    for taken in receiver.taken:
        assert taken.headers["circleci-event-type"] == taken.event["type"]
        assert taken.headers["Content-Type"] == "application/json"
        assert taken.headers["User-Agent"].startswith("CircleCI-Webhook/")
    assert "s3cret" not in repr(webhook)


async def test_a_changed_secret_applies_to_the_next_delivery(api: Caller, project: Project, receiver: Receiver) -> None:
    webhook = project.webhook(receiver.url, secret="old")
    receiver.statuses = [500]
    webhook.ping()
    await receiver.arrived.get()
    webhook.signing_secret = "new"
    await api.fake.delivered()

    signatures = [taken.headers["circleci-signature"] for taken in receiver.taken]
    assert signatures == [
        f"v1={hmac.new(secret, taken.body, hashlib.sha256).hexdigest()}"
        for secret, taken in zip((b"old", b"new"), receiver.taken, strict=True)
    ]


async def test_the_body_of_a_ping(api: Caller, project: Project, receiver: Receiver) -> None:
    webhook = project.webhook(receiver.url, name="bot")
    id = webhook.ping()
    await api.fake.delivered()

    [event] = receiver.events
    assert event == {
        "id": id,
        "type": "ping",
        "happened_at": "2026-05-04T10:00:00.250Z",
        "webhook": {"id": webhook.id, "name": "bot"},
    }


async def test_records_created_with_a_final_status_can_be_announced(
    api: Caller, project: Project, receiver: Receiver
) -> None:
    workflow = project.pipeline().workflow("build", status="failed")
    job = workflow.job("test", status="failed")
    webhook = project.webhook(receiver.url)
    await api.fake.delivered()
    assert receiver.taken == [], "it ended before the webhook was created"

    ids = [webhook.announce(job), webhook.announce(workflow)]
    await api.fake.delivered()

    assert receiver.names == ["test", "build"]
    assert [event["id"] for event in receiver.events] == ids
    assert receiver.events[1]["workflow"]["status"] == "failed"


async def test_setting_a_final_status_sends_an_event(api: Caller, project: Project, receiver: Receiver) -> None:
    workflow = project.pipeline().workflow("build", status="running")
    job, waiting = workflow.job("test", status="running"), workflow.job("later", status="blocked")
    project.webhook(receiver.url)

    job.status = "failed"
    waiting.status = "not_run"
    workflow.status = "failing"
    workflow.status = "failed"
    workflow.status = "failed"
    await api.fake.delivered()

    assert receiver.names == ["test", "build"]


async def test_cancel_and_rerun_send_events(api: Caller, project: Project, clock: Clock, receiver: Receiver) -> None:
    project.webhook(receiver.url)
    await api.post(TRIGGER, status=201)
    clock.wait(5)
    [workflow] = api.fake.world.workflows
    await api.post(f"/workflow/{workflow}/cancel", status=202)
    await api.post(f"/workflow/{workflow}/rerun", status=202)
    clock.wait(10)
    await api.fake.delivered()

    statuses = [(event.get("job") or event["workflow"])["status"] for event in receiver.events]
    assert receiver.names == ["lint", "test", "build"] * 2
    assert statuses == ["canceled"] * 3 + ["success"] * 3


async def test_each_webhook_receives_the_events_that_it_subscribes_to(
    api: Caller, project: Project, world: World, clock: Clock, receiver: Receiver
) -> None:
    project.webhook(f"{receiver.url}/jobs", events=["job-completed"])
    project.webhook(f"{receiver.url}/workflows", events=["workflow-completed"])
    world.project("gh/acme/web").webhook(f"{receiver.url}/other")

    await run(api, clock)

    delivered = {(taken.path, taken.event["type"]) for taken in receiver.taken}
    assert delivered == {("/hook/jobs", "job-completed"), ("/hook/workflows", "workflow-completed")}
    assert len(receiver.taken) == 3


async def test_ids_of_the_world_do_not_depend_on_webhooks(api: Caller, clock: Clock, receiver: Receiver) -> None:
    ids: list[list[str]] = []
    for listens in (False, True):
        world = World(clock=clock)
        project = world.project("gh/acme/api")
        webhook = project.webhook(receiver.url, events=["job-completed"])
        if not listens:
            del project.webhooks[webhook.id]
        async with FakeCircleCI(world, run_time=10) as fake:
            await run(Caller(fake, api.http), clock)
        ids.append([*world.workflows, *world.jobs])

    assert len(receiver.taken) == 2
    assert ids[0] == ids[1]


# Failures


async def test_an_event_that_was_not_accepted_is_retried(api: Caller, project: Project, receiver: Receiver) -> None:
    webhook = project.webhook(receiver.url, secret="s3cret")
    receiver.statuses = [500, 302, 204]

    webhook.ping()
    await api.fake.delivered()

    assert [(each.attempt, each.status, each.accepted) for each in webhook.deliveries] == [
        (1, 500, False),
        (2, 302, False),
        (3, 204, True),
    ]
    first, second, third = receiver.taken
    assert first.body == second.body == third.body == webhook.deliveries[2].body
    assert first.path == second.path == third.path, "redirects are not followed"
    assert third.headers["circleci-signature"] == webhook.deliveries[2].headers["circleci-signature"]


async def test_an_event_is_dropped_after_all_retries(api: Caller, project: Project, receiver: Receiver) -> None:
    webhook = project.webhook(receiver.url)
    receiver.statuses = [503] * 10

    webhook.ping()
    await api.fake.delivered()

    assert [each.status for each in webhook.deliveries] == [503, 503, 503]
    assert not any(each.accepted for each in webhook.deliveries)
    assert len(receiver.taken) == 3


@fast_clock
async def test_a_timeout_is_a_failure() -> None:
    world = World()
    async with Receiver([None]) as receiver, FakeCircleCI(world, webhook_timeout=30, webhook_retries=(1,)) as fake:
        webhook = world.project("gh/acme/api").webhook(receiver.url)
        webhook.ping()
        await fake.delivered()

    assert [(each.status, each.error) for each in webhook.deliveries] == [(None, "no answer within 30 s"), (200, None)]


async def test_a_connection_error_is_a_failure(api: Caller, project: Project) -> None:
    async with Receiver() as gone:
        pass
    webhook = project.webhook(gone.url)

    webhook.ping()
    await api.fake.delivered()

    assert [each.status for each in webhook.deliveries] == [None] * 3
    assert all("Connect" in (each.error or "") for each in webhook.deliveries)


async def test_later_events_do_not_wait_for_retries(
    api: Caller, project: Project, clock: Clock, receiver: Receiver
) -> None:
    project.webhook(receiver.url)
    receiver.statuses = [500]

    await run(api, clock)

    assert receiver.names == ["lint", "test", "build", "lint"]


async def test_duplicates_are_sent_again_after_acceptance(
    api: Caller, project: Project, clock: Clock, receiver: Receiver
) -> None:
    webhook = project.webhook(receiver.url, events=["workflow-completed"], duplicates=2)
    receiver.statuses = [500]

    await run(api, clock)

    assert len({event["id"] for event in receiver.events}) == 1
    assert [(each.attempt, each.duplicate, each.status) for each in webhook.deliveries] == [
        (1, False, 500),
        (2, False, 200),
        (2, True, 200),
        (2, True, 200),
    ]


async def test_a_deleted_webhook_receives_no_more_events(
    api: Caller, project: Project, clock: Clock, receiver: Receiver
) -> None:
    webhook = project.webhook(receiver.url)
    receiver.statuses = [500] * 9
    webhook.ping()
    await receiver.arrived.get()
    await api.delete(f"/webhook/{webhook.id}")

    await run(api, clock)

    assert [event["type"] for event in receiver.events] == ["ping"]


# Webhooks


async def test_a_webhook_created_by_a_call_sends_nothing_to_other_machines(
    api: Caller, project: Project, clock: Clock
) -> None:
    body = {
        "name": "far",
        "url": FAR,
        "events": ["workflow-completed"],
        "scope": {"id": project.id, "type": "project"},
        "verify_tls": True,
        "signing_secret": "s3cret",
    }
    created = await api.post("/webhook", body, status=201)

    await run(api, clock)

    [delivery] = project.webhooks[created["id"]].deliveries
    assert (delivery.status, delivery.accepted, delivery.attempt) == (None, False, 1)
    assert delivery.error == "not sent: a webhook created by an API call must have a URL on this machine"
    assert delivery.headers["circleci-signature"].startswith("v1=")


@pytest.mark.parametrize("verify", [True, False])
async def test_a_webhook_created_by_a_call_sends_to_this_machine(
    api: Caller, project: Project, clock: Clock, verify: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with Receiver(tls=context) as receiver, api.fake.client() as circle:
        created = await circle.webhooks.create(
            name="near",
            url=receiver.url,
            events=["workflow-completed"],
            scope_id=project.id,
            signing_secret="s3cret",
            verify_tls=verify,
        )
        await run(api, clock)
        names = receiver.names

    deliveries = project.webhooks[created.id].deliveries
    assert names == ([] if verify else ["build"])
    assert [each.accepted for each in deliveries] == ([False] * 3 if verify else [True])
    assert not verify or "Certificate" in (deliveries[0].error or "")


async def test_a_webhook_of_project_webhook_can_send_anywhere(
    api: Caller, project: Project, receiver: Receiver
) -> None:
    elsewhere = receiver.url.replace("127.0.0.1", "0.0.0.0")  # an address that is not recognized as this machine
    webhook = project.webhook(elsewhere)
    other, named = project.webhook(elsewhere), project.webhook(receiver.url.replace("127.0.0.1", "localhost"))
    other.by_hand = named.by_hand = False

    for each in (webhook, other, named):
        each.ping()
    await api.fake.delivered()

    assert "not sent" not in (webhook.deliveries[0].error or "")
    assert "not sent" in (other.deliveries[0].error or "")
    assert named.deliveries[0].accepted


async def test_a_project_has_at_most_five_webhooks_by_method_and_call(api: Caller, project: Project) -> None:
    for _ in range(5):
        project.webhook(FAR)

    with pytest.raises(InvalidArgument, match="at most 5 webhooks"):
        project.webhook(FAR)
    body: dict[str, Any] = {"name": "x", "url": FAR, "events": ["job-completed"], "verify_tls": True}
    body |= {"scope": {"id": project.id, "type": "project"}, "signing_secret": ""}
    await api.post("/webhook", body, status=400)
    assert len(project.webhooks) == 5


async def test_a_webhook_is_listed_with_its_secret_masked(api: Caller, project: Project) -> None:
    webhook = project.webhook(FAR, secret="s3cret")

    [listed] = (await api.get(f"/webhook?scope-id={project.id}&scope-type=project"))["items"]

    assert (listed["id"], listed["signing_secret"]) == (webhook.id, "****")
    assert listed["events"] == ["workflow-completed", "job-completed"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "hooks.acme.dev"),
        ("events", []),
        ("events", "job-completed"),
        ("events", ["ping"]),
        ("duplicates", -1),
    ],
)
def test_invalid_webhook_arguments_are_rejected(project: Project, name: str, value: Any) -> None:
    arguments = {"url": FAR, name: value}
    with pytest.raises(InvalidArgument, match=name):
        project.webhook(**arguments)


@pytest.mark.parametrize("options", [{"webhook_timeout": 0}, {"webhook_retries": (1, -1)}])
def test_invalid_delivery_options_are_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(options))):
        FakeCircleCI(**options)


# Time


async def test_events_are_sent_in_time_without_requests(api: Caller, receiver: Receiver) -> None:
    world = World()
    world.project("gh/acme/api").webhook(receiver.url)
    async with FakeCircleCI(world, run_time=0.2) as fake:
        await Caller(fake, api.http).post(TRIGGER, status=201)
        asked = len(fake.requests)

        for _ in range(3):
            await receiver.arrived.get()

        assert len(fake.requests) == asked
    assert receiver.names == ["lint", "test", "build"]


async def test_a_clock_jump_is_noticed_without_requests(
    api: Caller, project: Project, clock: Clock, receiver: Receiver
) -> None:
    project.webhook(receiver.url)
    await api.post(TRIGGER, status=201)
    clock.wait(3600)

    for _ in range(3):
        await receiver.arrived.get()

    assert [event["happened_at"] for event in receiver.events] == ["2026-05-04T10:00:10.250Z"] * 3


async def test_a_webhook_created_during_a_run_receives_its_end(
    api: Caller, project: Project, clock: Clock, receiver: Receiver
) -> None:
    await api.post(TRIGGER, status=201)
    clock.wait(5)
    await api.get("/me")
    project.webhook(receiver.url, events=["workflow-completed"])
    clock.wait(5)

    await receiver.arrived.get()

    assert receiver.names == ["build"]


@fast_clock
async def test_hours_pass_at_once_with_a_loop_clock() -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    world = World(clock=lambda: datetime(2026, 5, 4, tzinfo=UTC) + timedelta(seconds=loop.time() - begin))
    project = world.project("gh/acme/api")
    project.on_trigger("build", jobs=("test", "deploy"), workflow_delay=7200)
    async with Receiver([500]) as receiver, FakeCircleCI(world, run_time=36_000, webhook_retries=(3600,)) as fake:
        webhook = project.webhook(receiver.url, events=["workflow-completed"])
        async with fake.client() as circle:
            await circle.pipelines.trigger("gh/acme/api")
        for _ in range(2):
            await receiver.arrived.get()
        await fake.delivered()

    assert [each.attempt for each in webhook.deliveries] == [1, 2]
    assert loop.time() - begin > 36_000 + 7200


async def test_without_pending_events_there_is_no_task(
    api: Caller, project: Project, clock: Clock, receiver: Receiver
) -> None:
    project.webhook(receiver.url)
    await api.post(TRIGGER, status=201)
    await asyncio.sleep(0)
    assert len(tasks_of_the_package()) == 1
    clock.wait(10)
    await api.fake.delivered()
    for _ in range(200):
        if not tasks_of_the_package():
            break
        await asyncio.sleep(0.005)

    assert tasks_of_the_package() == []
    assert receiver.names == ["lint", "test", "build"]


async def test_closing_aborts_a_hanging_delivery(world: World, project: Project, receiver: Receiver) -> None:
    webhook = project.webhook(receiver.url)
    receiver.statuses = [None]
    async with FakeCircleCI(world) as fake:
        webhook.ping()
        webhook.ping()
        await receiver.arrived.get()
    assert tasks_of_the_package() == []
    with pytest.raises(RuntimeError, match="not running"):
        await fake.delivered()
    with pytest.raises(RuntimeError, match="no FakeCircleCI of this world is running"):
        webhook.ping()

    async with fake:
        await fake.delivered()

    assert len(receiver.taken) == 2, "the second event was delivered after the restart"
    assert receiver.taken[0].body != receiver.taken[1].body


async def test_changes_without_a_running_server_send_no_events(
    world: World, project: Project, receiver: Receiver
) -> None:
    project.webhook(receiver.url)
    workflow = project.pipeline().workflow(status="running")
    workflow.status = "success"

    async with FakeCircleCI(world) as fake:
        await fake.delivered()

    assert receiver.taken == []


async def test_deliveries_can_be_unwrapped(api: Caller, project: Project, clock: Clock, receiver: Receiver) -> None:

    project.on_trigger("build", jobs=("test:failed",))
    project.webhook(receiver.url, secret="s3cret")

    pipeline = await run(api, clock)

    job, workflow = (unwrap(taken.body, taken.headers, "s3cret") for taken in receiver.taken)
    assert job.job is not None
    assert job.pipeline is not None
    assert workflow.workflow is not None
    assert (job.type, job.job.name, job.job.status, job.pipeline.id) == (
        "job-completed",
        "test",
        "failed",
        pipeline["id"],
    )
    assert (workflow.workflow.status, workflow.job) == ("failed", None)
