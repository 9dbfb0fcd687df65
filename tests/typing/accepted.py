"""Code that both type checkers must accept. It is never run: `assert_type` is checked statically."""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type
from uuid import UUID, uuid4

import aiohttp
import polars as pl
from aiohttp import web

import circleci_async as ca
from circleci_async import CircleCI, RetryPolicy
from circleci_async.models import (
    AdvancedSettingsUpdate,
    Artifact,
    AttributionActor,
    CheckoutKey,
    CheckoutKeyType,
    Collaboration,
    ConfigSource,
    Context,
    ContextVariableResult,
    DayOfWeek,
    Decision,
    DecisionLog,
    DeployComponent,
    DeployVersion,
    EnvironmentVariable,
    EventPreset,
    JobDetails,
    JobStatus,
    JobStep,
    ListedProject,
    LogLine,
    Message,
    OidcClaim,
    OidcClaimSet,
    OrganizationGroup,
    OtelExporter,
    OtelProtocol,
    OutputMessage,
    OwnerType,
    Pipeline,
    PipelineCreated,
    PipelineDefinition,
    Policy,
    PolicyBundleDiff,
    ProjectSettings,
    Ref,
    ReportingWindow,
    RepositorySource,
    Rollback,
    Schedule,
    StepAction,
    StepOutput,
    StepStatus,
    TestResult,
    Timetable,
    Trigger,
    UrlOrbAllowListEntry,
    UsageExport,
    User,
    Webhook,
    WebhookEvent,
    WebhookEventType,
    Workflow,
    WorkflowJob,
    WorkflowMetrics,
    WorkflowRun,
    WorkflowStatus,
)
from circleci_async.resources import Jobs
from circleci_async.testing import FakeCircleCI, Job, World
from circleci_async.webhooks import Receiver

PROJECT = ca.ProjectSlug.parse("gh/acme/api")


async def fetch_token() -> str | None:
    return "t"


def on_attempt(attempt: ca.Attempt) -> None:
    assert_type(attempt.route, str | None)
    assert_type(attempt.status, int | None)
    assert_type(attempt.error, BaseException | None)
    assert_type(attempt.retry_after, float | None)


def clients(http: aiohttp.ClientSession) -> list[CircleCI]:
    attempts: list[ca.Attempt] = []
    return [
        CircleCI(),
        CircleCI("token"),
        CircleCI(lambda: "token"),
        CircleCI(lambda: None),
        CircleCI(fetch_token),
        CircleCI(None, host="https://ci.example.com", auth="bearer", timeout=5, concurrency=4, http=http),
        CircleCI(Path("circle-token").read_text, on_attempt=attempts.append),
        CircleCI(on_attempt=on_attempt).with_options(on_attempt=lambda attempt: attempt.seconds),
        CircleCI(retry=RetryPolicy(attempts=1), artifact_hosts=["a.example.com"], trust_env=False),
        CircleCI().with_options(timeout=5, retry=RetryPolicy(deadline=60)),
        CircleCI(middlewares=[add_request_id], user_agent="my-bot/1.2"),
        CircleCI(middlewares=(add_request_id, Tracing()), http=http),
    ]


async def add_request_id(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    request.headers["X-Request-Id"] = "r-1"
    return await handler(request)


class Tracing:
    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        return await handler(request)


async def responses_at_hand(circle: CircleCI) -> list[int]:
    with ca.capture_responses(max_responses=10) as responses:
        await circle.users.me()
    assert_type(responses, ca.ResponseCapture)
    assert_type(responses[-1], ca.CapturedResponse)
    assert_type(responses[1:], list[ca.CapturedResponse])
    assert_type(responses[-1].status, int)
    assert_type(responses[-1].headers["X-Request-Id"], str)
    assert_type(responses[-1].request_id, str | None)
    assert_type(responses[-1].rate_limit, ca.RateLimitStatus)
    assert_type(responses[-1].attempts, int)
    assert_type(responses[-1].seconds, float)
    assert_type(responses[-1].body, bytes | None)
    assert_type(responses[-1].json(), Any)
    assert_type(circle.rate_limit.remaining, int | None)
    assert_type(circle.rate_limit.reset, float | None)
    assert_type(circle.rate_limit.rate, float | None)
    return [response.status for response in responses]


async def undocumented(circle: CircleCI) -> None:
    assert_type(await circle.request("GET", "/anything/new", headers={"X-Trace-Id": "1"}), Any)
    listed = circle.paginate("/anything/listed", query={"a": 1})
    assert_type(listed, ca.Paged[dict[str, Any]])
    async for item in listed:
        assert_type(item, dict[str, Any])
    assert_type(await listed.first(), dict[str, Any] | None)


async def first_steps() -> None:
    async with ca.CircleCI("token") as circle:
        assert_type(circle, CircleCI)
        me = await circle.users.me()
        assert_type(me, User)
        assert_type(me.name, str | None)
        assert_type(await circle.users.collaborations(), list[Collaboration])
        project = await circle.projects.get(PROJECT)
        assert_type(project.vcs_info.default_branch, str)


async def pipelines(circle: CircleCI) -> None:
    listing = circle.pipelines.list("gh/acme/api", branch="main")
    assert_type(listing, ca.Paged[Pipeline])
    async for pipeline in listing:
        assert_type(pipeline, Pipeline)
        assert_type(pipeline.created_at, datetime)
        async for workflow in circle.pipelines.workflows(pipeline.id):
            assert_type(workflow, Workflow)
    async for page in listing.pages(start="token"):
        assert_type(page.items, tuple[Pipeline, ...])
        assert_type(page.next_page_token, str | None)
    assert_type(await listing.first(), Pipeline | None)
    assert_type(await listing.collect(limit=10), list[Pipeline])
    created = await circle.pipelines.trigger(PROJECT, branch="main", parameters={"n": 1, "deploy": True, "to": "prod"})
    assert_type(created.number, int)
    assert_type(await circle.pipelines.values(created.id), dict[str, Any])
    assert_type(await circle.pipelines.continue_("key", configuration="version: 2.1"), Message)


async def waiting(circle: CircleCI, event: WebhookEvent) -> None:
    parameters = {"deploy": True, "n": 1}
    result = await circle.pipelines.trigger_and_wait(PROJECT, branch="main", parameters=parameters, timeout=900)
    assert_type(result, ca.PipelineResult)
    assert_type(result.status, ca.Outcome)
    assert_type(result.workflows, tuple[Workflow, ...])
    again = await circle.pipelines.wait(UUID(result.pipeline.id), interval=(1, 10.0), grace=5, on_hold="wait")
    assert_type(again.raise_for_status(), None)
    one = await circle.workflows.wait(result.workflows[0].id, timeout=None, on_hold="return")
    assert_type(one, ca.WorkflowResult)
    assert_type(one.jobs, tuple[WorkflowJob, ...])
    assert_type(circle.notify(event), bool)


async def canceling(circle: CircleCI) -> list[str]:
    canceled = await circle.pipelines.cancel("p", timeout=60, interval=(1, 10), grace=5)
    assert_type(canceled, ca.PipelineCancellation)
    result: ca.PipelineResult = canceled
    assert_type(canceled.canceled, tuple[Workflow, ...])
    again = await circle.workflows.rerun_and_wait(canceled.canceled[0].id, from_failed=True, timeout=900)
    assert_type(again, ca.WorkflowResult)
    job = await circle.jobs.wait(PROJECT, 42, timeout=900, interval=(1, 10), grace=5)
    assert_type(job, JobDetails)
    return [result.status, again.status, job.status or ""]


async def approving(circle: CircleCI, allowed: set[str]) -> None:
    async def decide(held: ca.HeldJob) -> None:
        assert_type(held.job, WorkflowJob)
        assert_type(held.workflow, Workflow)
        assert_type(held.pipeline, Pipeline | None)
        if held.name in allowed:
            assert_type(await held.approve(), Message)

    callback = decide
    assert_type(await circle.pipelines.wait("p", on_hold=callback), ca.PipelineResult)
    await circle.workflows.wait("w", on_hold=decide)
    await circle.pipelines.trigger_and_wait(PROJECT, on_hold=ca.HeldJob.approve)


async def failures(circle: CircleCI, result: ca.PipelineResult, one: ca.WorkflowResult) -> list[str]:
    async for workflow, job, output in circle.pipelines.failures(result, tail=20):
        assert_type(workflow, Workflow)
        assert_type(job, WorkflowJob)
        assert_type(output, StepOutput)
    found = await circle.pipelines.failures(one, tail=None, ansi=True).collect()
    assert_type(found, list[ca.JobFailure])
    return [each.output.text async for each in circle.pipelines.failures(UUID(result.pipeline.id))]


async def watching(circle: CircleCI, result: ca.PipelineResult) -> list[int | None]:
    numbers: list[int | None] = []
    watch = circle.pipelines.watch(result.pipeline.id, jobs=False, timeout=60)
    assert_type(watch, ca.Watch[ca.PipelineResult])
    async with aclosing(watch) as changes:
        async for change in changes:
            assert_type(change, ca.PipelineChange | ca.WorkflowChange | ca.JobChange)
            print(shown(change), change.name, change.workflow and change.workflow.name)
            if change.kind == "job":
                numbers.append(change.item.job_number)
                assert_type(change.workflow, Workflow)
            elif change.kind == "workflow" and change.after == "success":
                assert_type(change.item, Workflow)
    assert_type(watch.result, ca.PipelineResult)
    one = circle.workflows.watch(result.workflows[0].id)
    assert_type([change.item async for change in one], list[Pipeline | Workflow | WorkflowJob])
    assert_type(one.result.jobs, tuple[WorkflowJob, ...])
    return numbers


def shown(change: ca.Change) -> str:
    assert_type(change.before, str | None)
    assert_type(change.after, str)
    match change.kind:
        case "pipeline":
            return f"pipeline {change.item.number} {change.after}"
        case "workflow":
            return f"{change.item.name} {change.after}"
        case "job":
            return f"{change.workflow.name} / {change.item.name} {change.after}"


async def organizations(circle: CircleCI) -> None:
    acme = await circle.organizations.get("gh/acme")
    assert_type(await circle.groups.list(acme.id).collect(), list[OrganizationGroup])
    assert_type(await circle.url_orb_allow_list.list(UUID(acme.id)), list[UrlOrbAllowListEntry])
    assert_type(await circle.oidc.update_org_claims(acme.id, audience=["vault"], ttl=timedelta(hours=1)), OidcClaimSet)
    assert_type(await circle.oidc.delete_org_claims(acme.id, "ttl"), OidcClaimSet)
    assert_type(await circle.oidc.delete_org_claims(acme.id, [OidcClaim.TTL, "audience"]), OidcClaimSet)
    assert_type(await circle.otel.exporters(acme.id), list[OtelExporter])
    changes: AdvancedSettingsUpdate = {"disable_ssh": True, "pr_only_branch_overrides": ["main"]}
    assert_type(await circle.projects.update_settings(PROJECT, **changes), ProjectSettings)
    run = await circle.pipelines.run(PROJECT, config=Ref(branch="main"), checkout={"tag": "v1"})
    assert_type(run, PipelineCreated)


async def variables(circle: CircleCI, owner: UUID) -> None:
    context = await circle.contexts.create("deploy", owner_id=owner, owner_type=OwnerType.ORGANIZATION)
    assert_type(context, Context)
    assert_type(circle.contexts.list(owner_slug="gh/acme", name="deploy"), ca.Paged[Context])
    assert_type(await circle.contexts.set_variable(context.id, "KEY", "value"), ContextVariableResult)
    await circle.contexts.add_restriction(context.id, type="project", value=owner)
    assert_type(await circle.environment_variables.set(PROJECT, "KEY", "value"), EnvironmentVariable)
    assert_type(await circle.environment_variables.list("gh/acme/api").first(), EnvironmentVariable | None)
    assert_type(await circle.checkout_keys.create(PROJECT, "deploy-key"), CheckoutKey)
    await circle.checkout_keys.create(PROJECT, CheckoutKeyType.USER_KEY)


async def events(circle: CircleCI, project_id: UUID) -> None:
    nightly = await circle.schedules.create(
        PROJECT,
        name="nightly",
        timetable=Timetable(per_hour=1, hours_of_day=(3,), days_of_week=(DayOfWeek.MON,)),
        attribution_actor=AttributionActor.SYSTEM,
        parameters={"branch": "main", "deploy": True},
    )
    assert_type(nightly, Schedule)
    await circle.schedules.update(nightly.id, timetable={"per-hour": 2}, attribution_actor="current")
    events = ["workflow-completed", WebhookEventType.JOB_COMPLETED]
    hook = await circle.webhooks.create(name="n", url="https://example.com", events=events, scope_id=project_id)
    assert_type(hook, Webhook)
    definition = await circle.pipeline_definitions.create(
        project_id,
        name="build",
        config_source=ConfigSource(provider="circleci", file_path="build.yml"),
        checkout_source={"provider": "github_app", "repo": {"external_id": "1"}},
    )
    assert_type(await circle.pipeline_definitions.list(project_id), list[PipelineDefinition])
    source = RepositorySource(external_id="1")
    trigger = await circle.triggers.create(
        project_id, definition.id, event_source=source, event_preset=EventPreset.ALL_PUSHES
    )
    assert_type(trigger, Trigger)
    assert_type(await circle.triggers.list(project_id, definition.id), list[Trigger])


async def reports(circle: CircleCI, organization_id: UUID) -> None:
    export = await circle.usage.create_export(organization_id, start="2026-11-01T00:00:00Z", end=datetime.now(UTC))
    assert_type(export, UsageExport)
    assert_type(circle.deploys.components(organization_id, page_size=50), ca.Paged[DeployComponent])
    assert_type(await circle.deploys.versions("c").collect(limit=1), list[DeployVersion])
    decision = await circle.policies.decide("o", "version: 2.1", metadata={"branch": "main"})
    assert_type(decision, Decision)
    assert_type(await circle.policies.bundle("o"), dict[str, Policy])
    assert_type(await circle.policies.push_bundle("o", {"p": "package org"}, dry=True), PolicyBundleDiff)
    assert_type(circle.policies.decisions("o", after=datetime.now(UTC), build_number=7), ca.Paged[DecisionLog])
    rollback = await circle.projects.rollback(
        organization_id, component_name="api", environment_name="live", current_version="2", target_version="1"
    )
    assert_type(rollback, Rollback)
    exporter = await circle.otel.create_exporter("o", endpoint="c:4317", protocol=OtelProtocol.GRPC)
    assert_type(await circle.otel.delete_exporter(exporter.id), Message)


async def jobs(circle: CircleCI, workflow_id: UUID) -> None:
    async for job in circle.workflows.jobs(workflow_id):
        if job.job_number is not None and job.status == JobStatus.SUCCESS:
            details = await circle.jobs.get("gh/acme/api", job.job_number)
            assert_type(details, JobDetails)
            tests = await circle.jobs.tests("gh/acme/api", job.job_number).collect()
            assert_type(tests, list[TestResult])
    rerun = await circle.workflows.rerun(workflow_id, from_failed=True)
    assert_type(rerun.workflow_id, str)


async def artifacts(circle: CircleCI, folder: Path) -> None:
    def show(progress: ca.Progress) -> None:
        print(progress.artifact.path, progress.received, progress.size)

    listing = circle.artifacts.list("gh/acme/api", 42)
    report = await circle.artifacts.download_all(listing, folder, concurrency=16, on_progress=show)
    assert_type(report, ca.DownloadReport)
    report.raise_for_failures()
    async for artifact in listing:
        assert_type(await circle.artifacts.download(artifact, "out/"), ca.Download)
        async with circle.artifacts.open(artifact) as stream:
            async for part in stream:
                assert_type(part, bytes)
        assert_type(await circle.artifacts.read(artifact, max_bytes=10_000_000), bytes)
        assert_type(await circle.artifacts.read_text(artifact, encoding="utf-8"), str)
        assert_type(await circle.artifacts.read_json(artifact.url), Any)
    found = await circle.artifacts.latest(PROJECT, branch="main", workflow="build-*", path="**/*.whl", look_back=20)
    if found is not None:
        assert_type(found, ca.LatestArtifacts)
        assert_type(found.pipeline, Pipeline)
        assert_type(found.jobs, tuple[ca.JobArtifacts, ...])
        assert_type(found.jobs[0].workflow, Workflow)
        await circle.artifacts.download_all(found.artifacts, folder)


async def logs(circle: CircleCI) -> None:
    steps = circle.jobs.steps(PROJECT, 42)
    assert_type(steps, ca.Paged[JobStep])
    async for step in steps:
        assert_type(step.status, StepStatus)
        assert_type(step.exit_code, int | None)
        assert_type(step.actions, tuple[StepAction, ...])
        output = circle.jobs.output(PROJECT, 42, step, node=1)
        assert_type(output, ca.StepLog)
        async for line in output.lines(ansi=True):
            assert_type(line, str)
        async for message in output.messages():
            assert_type(message, OutputMessage)
            assert_type(message.time, datetime | None)
    assert_type(await circle.jobs.output("gh/acme/api", 42, 101).text(), str)
    assert_type(await circle.jobs.output("gh/acme/api", 42, 101, 0).tail(None, ansi=True), str)
    outputs = await circle.jobs.failed_output(PROJECT, 42, tail=20, ansi=True)
    assert_type(outputs, list[StepOutput])
    assert_type(outputs[0].error, Exception | None)
    follow = circle.jobs.follow("gh/acme/api", 42, interval=(1, 5.5))
    assert_type(follow, AsyncGenerator[LogLine, None])


async def insights(circle: CircleCI) -> None:
    window = ReportingWindow.LAST_7_DAYS
    metrics = circle.insights.workflows("gh/acme/api", reporting_window=window, all_branches=True)
    assert_type(await metrics.first(), WorkflowMetrics | None)
    runs = circle.insights.workflow_runs("gh/acme/api", "build", branch="main", start_date=datetime.now(UTC))
    assert_type(await runs.collect(), list[WorkflowRun])
    async for project, result in circle.insights.snapshot(["gh/acme/api", PROJECT], reporting_window="last-7-days"):
        assert_type(project, str | ca.ProjectSlug)
        if isinstance(result, ca.CircleCIError):
            print(project, result)
        else:
            assert_type(result, list[WorkflowMetrics])


async def many_projects(
    circle: CircleCI, texts: list[str], slugs: list[ca.ProjectSlug], organizations: list[ca.OrgSlug]
) -> None:
    async for text, result in circle.insights.snapshot(texts):
        assert_type(text, str)
        assert_type(result, list[WorkflowMetrics] | ca.CircleCIError)
    async for text, _ in circle.insights.snapshot("gh/acme", concurrency=16):
        assert_type(text, str)
    async for text, _ in circle.insights.snapshot({"gh/acme/api": 1}):
        assert_type(text, str)
    async for slug, _ in circle.insights.snapshot(slugs):
        assert_type(slug, ca.ProjectSlug)
    async for either, _ in circle.insights.snapshot(ca.OrgSlug("gh", "acme")):
        assert_type(either, ca.ProjectSlug | ca.OrgSlug)  # the organization if it cannot be listed
    async for either, _ in circle.insights.snapshot(organizations):
        assert_type(either, ca.ProjectSlug | ca.OrgSlug)
    async for project, _ in circle.insights.snapshot(circle.projects.list("gh/acme")):
        assert_type(project, ListedProject)
        assert_type(project.slug, str)
        assert_type(project.last_pipeline_at, datetime | None)
        circle.pipelines.list(project)
        await circle.harvest([project, "gh/acme", PROJECT, ca.OrgSlug("gh", "acme")], "out")
    assert_type(circle.projects.list(ca.OrgSlug("gh", "acme"), look_back=10), ca.Paged[ListedProject])
    await circle.harvest("gh/acme", "out")
    await circle.harvest(circle.projects.list("gh/acme"), "out")
    circle.pipelines.list(await circle.projects.get("gh/acme/api"))


async def harvests(circle: CircleCI, on_progress: Callable[[ca.HarvestEvent], None]) -> None:
    select = ca.Selection(branch="main", since="7d", until=datetime.now(UTC), status=JobStatus.SUCCESS, latest=False)
    report = await circle.harvest(["gh/acme/api", PROJECT], into=Path("out"), select=select, on_progress=on_progress)
    assert_type(report, ca.HarvestReport)
    for file in report.files:
        assert_type(file, ca.HarvestedFile)
        print(file.path, file.size, file.sha256, file.finished_at)
    print(len(report.skipped), report.failed[0].error, report.failed[-3:], report.bytes, report.seconds, report.stopped)

    async def listen(event: ca.HarvestEvent) -> None:
        if isinstance(event, ca.HarvestProgress):
            assert_type(event.seconds_left, float | None)

    await circle.harvest("gh/acme/api", "out", max_bytes=10, dedupe="hardlink", on_progress=listen)
    await circle.harvest(PROJECT, "out", select=ca.Selection(pipeline_id=uuid4(), since=timedelta(days=1)))
    assert_type(await ca.harvest_status("out"), ca.HarvestStatus)
    catalog = await ca.harvest_catalog("out")
    assert_type(catalog, ca.HarvestCatalog)
    assert_type([file.location for file in catalog], list[str])
    assert_type(catalog.frame(), pl.DataFrame)
    assert_type(catalog.write_parquet(Path("out.parquet")) + catalog.write_csv(sys.stdout), int)
    assert_type((await ca.verify_harvest("out")).changed, tuple[str, ...])


async def on_event(event: WebhookEvent) -> None:
    assert_type(event.type, WebhookEventType)
    assert_type(event.happened_at, datetime | None)
    if event.type == "job-completed" and event.job is not None:
        assert_type(event.job.status, JobStatus | None)
    if event.type == WebhookEventType.WORKFLOW_COMPLETED and event.workflow and event.pipeline:
        assert_type(event.workflow.status, WorkflowStatus | None)
        assert_type(event.pipeline.branch, str | None)
        assert_type(event.raw["workflow"], Any)


async def webhooks(request: web.Request, secrets: list[str], handled: list[WebhookEvent]) -> web.Application:
    body = await request.read()
    ca.webhooks.verify(body, request.headers, "secret")
    ca.webhooks.verify(memoryview(body), [(b"circleci-signature", b"v1=0")], secrets)
    assert_type(ca.webhooks.unwrap(body, {"Circleci-Signature": "v1=0"}, b"secret"), WebhookEvent)
    assert_type(ca.webhooks.parse(body), WebhookEvent)
    plain = Receiver(secrets, handled.append, on_error=lambda event, error: print(event.id, error))
    async with ca.webhooks.Receiver("secret", on_event, max_body=10_000, queue=10, concurrency=2, drain=5) as receiver:
        answer = await receiver.receive(request.content.iter_any(), request.headers)
        assert_type(answer.status, int)
        assert_type(await plain.receive(body, dict(request.headers)), ca.webhooks.Answer)
        assert_type(receiver.stats.pending, int)
        assert_type(await plain.aclose(drain=1.5), tuple[WebhookEvent, ...])
    async with receiver.serve("::1", 8080, path="/hooks") as url:
        assert_type(url, str)
    app = web.Application()
    app.router.add_post("/hooks", receiver.aiohttp)
    app.cleanup_ctx.append(receiver.cleanup)
    return app


async def an_embedded_circleci(job: Job) -> None:
    world = World(clock=lambda: datetime(2026, 11, 24, tzinfo=UTC))
    project = world.project("gh/acme/api")
    project.on_trigger("setup", ["generate"], setup=True, creation_lag=1)
    project.on_trigger("build", ("test:failed",), output={"test": [("err", "no")]}, workflow_delay=0.5)
    job.step("Run tests", output="1 failed\n", errors="no\n", exit_code=1, node=1).print("more\n", type="err")
    job.step("Server", output=[("out", "up\n"), ("err", "down\n")], status="timedout", background=True, size=10)
    hook = project.webhook("http://localhost:8080", secret="s", events=["job-completed"], duplicates=1)
    async with FakeCircleCI(world, webhook_timeout=1, webhook_retries=[0.1]) as fake, fake.client() as circle:
        assert_type(circle, CircleCI)
        assert_type(hook.ping(), str)
        assert_type(hook.announce(job), str)
        await fake.delivered()
        assert_type(hook.deliveries[0].status, int | None)


async def errors(circle: CircleCI) -> float | None:
    try:
        await circle.request("POST", "/anything/new", query={"a": 1, "b": ["x"], "c": None}, json={"d": 1})
    except ca.RateLimited as error:
        return error.retry_after
    except (ca.NotFound, ca.PermissionDenied) as error:
        print(error.status, error.message, error.method, error.url, error.request_id, error.body, error.hint)
        assert_type((error.summary, error.request_line), tuple[str, str])
    except ca.TransportError as error:
        print(error.sent, error.page_token)
    except ca.DecodeError as error:
        assert_type(error.faults, tuple[str, ...])
    return None


async def closing(circle: CircleCI) -> None:
    await circle.aclose()
    await circle.aclose(drain=10)


def plain(pipeline: Pipeline) -> str:
    assert_type(ca.to_json(pipeline), str)
    artifact = Artifact(path="a", node_index=0, url="https://example.com/a")
    return ca.to_json([artifact])


def annotations(token: ca.Token, auth: ca.Auth, project: ca.ProjectRef) -> tuple[CircleCI, Awaitable[Any], Jobs]:
    on_hold: ca.OnHold = "wait"
    on_progress: ca.OnProgress = print
    on_event: ca.OnHarvestEvent = print
    on_each: ca.OnAttempt = print
    print(on_hold, on_progress, on_event, on_each, project)
    circle = CircleCI(token, auth=auth, on_attempt=on_each)
    return circle, circle.request("GET", "/x", query={"n": 1}), circle.jobs


def counters(circle: CircleCI) -> tuple[int, float]:
    assert_type(circle.stats, ca.Stats)
    assert_type(circle.stats(), ca.Stats)
    return circle.stats.requests, circle.stats.paused


async def names_of(pipelines: ca.Paged[Pipeline]) -> AsyncGenerator[str, None]:
    async for pipeline in pipelines:
        yield pipeline.id


def as_an_awaitable(circle: CircleCI) -> Awaitable[User]:
    return circle.users.me()


async def a_test_of_a_bot(fake_circleci: FakeCircleCI, circle: CircleCI) -> None:
    fake_circleci.world.project("gh/acme/api").pipeline(branch="main")
    assert_type(await circle.pipelines.list("gh/acme/api").first(), Pipeline | None)
