"""Mistakes that both type checkers must report at the marked lines. It is never run."""

import circleci_async as ca
from circleci_async import resources
from circleci_async.models import Artifact, Pipeline, Timetable


async def wrong_arguments(circle: ca.CircleCI) -> None:
    await circle.users.me("somebody")  # type: ignore[call-arg]
    await circle.users.get()  # type: ignore[call-arg]
    await circle.users.get(42)  # type: ignore[arg-type]
    await circle.projects.get(None)  # type: ignore[arg-type]
    await circle.projects.get(slug="gh/acme/api")  # type: ignore[call-arg]
    await circle.jobs.get("gh/acme/api")  # type: ignore[call-arg]
    await circle.jobs.get("gh/acme/api", "42")  # type: ignore[arg-type]
    await circle.workflows.rerun("w", from_faild=True)  # type: ignore[call-arg]
    await circle.workflows.rerun("w", jobs=[1])  # type: ignore[list-item]
    await circle.workflows.rerun("w", True)  # type: ignore[call-arg]
    await circle.pipelines.trigger("gh/a/b", brunch="x")  # type: ignore[call-arg]
    await circle.pipelines.trigger("gh/a/b", branch=1)  # type: ignore[arg-type]
    await circle.pipelines.trigger("gh/a/b", parameters={"n": 1.5})  # type: ignore[dict-item]
    await circle.pipelines.run("gh/a/b", checkout="main")  # type: ignore[arg-type]
    await circle.projects.update_settings("gh/a/b", disable_shh=True)  # type: ignore[call-arg]
    await circle.projects.update_settings("gh/a/b", disable_ssh="yes")  # type: ignore[arg-type]
    await circle.oidc.update_org_claims("o", ttl=90)  # type: ignore[arg-type]
    circle.pipelines.list("gh/a/b", "main")  # type: ignore[call-arg]
    circle.insights.workflows("gh/a/b", branch=True)  # type: ignore[arg-type]
    circle.artifacts.list("gh/a/b")  # type: ignore[call-arg]
    circle.insights.workflow_runs("gh/a/b", "w", start_date=30)  # type: ignore[arg-type]
    await circle.insights.workflows("gh/a/b").rows(strip=None)  # type: ignore[arg-type]
    ca.rows([], strip=["metrics."])  # type: ignore[arg-type]
    ca.columns("Pipeline")  # type: ignore[arg-type]
    await circle.artifacts.download("a/path", "out/")  # type: ignore[arg-type]
    await circle.request("GET", "/x", params={})  # type: ignore[call-arg]
    await circle.request("GET", "/x", query={"a": object()})  # type: ignore[dict-item]


async def wrong_arguments_of_settings(circle: ca.CircleCI) -> None:
    await circle.contexts.create("deploy", "gh/acme")  # type: ignore[call-arg]
    circle.contexts.list(owner_id=5)  # type: ignore[arg-type]
    await circle.contexts.set_variable("c", "KEY", None)  # type: ignore[arg-type]
    await circle.contexts.add_restriction("c", "project", "p")  # type: ignore[call-arg]
    await circle.environment_variables.set("gh/a/b", "KEY")  # type: ignore[call-arg]
    await circle.environment_variables.set("gh/a/b", "KEY", 5)  # type: ignore[arg-type]
    await circle.checkout_keys.create("gh/a/b")  # type: ignore[call-arg]
    circle.checkout_keys.list("gh/a/b", "sha256")  # type: ignore[call-arg]
    await circle.organizations.create("acme", "github")  # type: ignore[call-arg]
    await circle.groups.create("o", "g", descripion="x")  # type: ignore[call-arg]
    circle.groups.list("o", limit="5")  # type: ignore[arg-type]
    await circle.url_orb_allow_list.create("gh/acme", name="n", prefix="p")  # type: ignore[call-arg]
    await circle.url_orb_allow_list.delete("gh/acme", None)  # type: ignore[arg-type]
    await circle.otel.create_exporter("o", endpoint="c:4317", protocol="grpc", headers={"k": 1})  # type: ignore[dict-item]
    await circle.oidc.delete_project_claims("o", "p")  # type: ignore[call-arg]


async def wrong_arguments_of_events(circle: ca.CircleCI) -> None:
    await circle.schedules.update("s", "nightly")  # type: ignore[call-arg]
    await circle.schedules.update("s", timetable="0 3 * * *")  # type: ignore[arg-type]
    Timetable(per_hour="1")  # type: ignore[arg-type]
    await circle.webhooks.update("w", events=[1])  # type: ignore[list-item]
    await circle.webhooks.create(name="n", url="https://example.com", scope_id="p")  # type: ignore[call-arg]
    await circle.pipeline_definitions.update("p", "d", config_source="build.yml")  # type: ignore[arg-type]
    await circle.pipeline_definitions.get("d")  # type: ignore[call-arg]
    await circle.triggers.create("p", "d", event_preset="all-pushes")  # type: ignore[call-arg]
    await circle.triggers.update("p", "t", disabled="yes")  # type: ignore[arg-type]


async def wrong_arguments_of_reports(circle: ca.CircleCI) -> None:
    await circle.usage.create_export("o", start="2026-11-01T00:00:00Z")  # type: ignore[call-arg]
    await circle.usage.get_export("o", 5)  # type: ignore[arg-type]
    circle.deploys.components("o", "p")  # type: ignore[call-arg]
    circle.deploys.environments("o", page_size="20")  # type: ignore[arg-type]
    await circle.policies.push_bundle("o", [])  # type: ignore[arg-type]
    await circle.policies.update_settings("o")  # type: ignore[call-arg]
    circle.policies.decisions("o", after=5)  # type: ignore[arg-type]
    await circle.projects.rollback("p", component_name="api")  # type: ignore[call-arg]


async def wrong_waits(circle: ca.CircleCI) -> None:
    await circle.pipelines.wait("p", on_hold=print)  # type: ignore[arg-type]
    circle.pipelines.watch("p", on_hold=ca.HeldJob.approve)  # type: ignore[arg-type]
    async for change in circle.pipelines.watch("p"):
        print(change.item.job_number)  # type: ignore[union-attr]
        if change.kind == "workflow":
            print(change.item.job_number)  # type: ignore[attr-defined]
        print(change.kind == "jobs")  # type: ignore[comparison-overlap]


async def wrong_harvests(circle: ca.CircleCI) -> None:
    await circle.harvest("gh/a/b")  # type: ignore[call-arg]
    await circle.harvest("gh/a/b", "out", dedupe="symlink")  # type: ignore[arg-type]
    await circle.harvest("gh/a/b", "out", select="main")  # type: ignore[arg-type]
    await circle.harvest(7, "out")  # type: ignore[arg-type]
    ca.Selection("main")  # type: ignore[call-arg]
    ca.Selection(since=7)  # type: ignore[arg-type]
    ca.Selection(pipeline_id=7)  # type: ignore[arg-type]


async def wrong_use_of_many(circle: ca.CircleCI) -> None:
    circle.projects.list()  # type: ignore[call-arg]
    circle.projects.list(7)  # type: ignore[arg-type]
    circle.insights.snapshot(7)  # type: ignore[call-overload]
    circle.insights.snapshot([7])  # type: ignore[list-item]


def wrong_options() -> None:
    ca.CircleCI(42)  # type: ignore[arg-type]
    ca.CircleCI(lambda: 42)  # type: ignore[arg-type]
    ca.CircleCI("t", "https://ci.example.com")  # type: ignore[call-arg]
    ca.CircleCI("t", auth="digest")  # type: ignore[arg-type]
    ca.CircleCI("t", timeout="5")  # type: ignore[arg-type]
    ca.CircleCI("t", retries=5)  # type: ignore[call-arg]
    ca.RetryPolicy(attempts="many")  # type: ignore[arg-type]
    ca.RetryPolicy(max_attempts=5)  # type: ignore[call-arg]


async def wrong_use(circle: ca.CircleCI, pipeline: Pipeline) -> None:
    pipeline.number = 5  # type: ignore[misc]
    print(pipeline.nummer)  # type: ignore[attr-defined]
    print(circle.pipeline)  # type: ignore[attr-defined]
    Artifact("a", 0, "https://example.com/a")  # type: ignore[call-arg]
    for _ in circle.pipelines.list("gh/a/b"):  # type: ignore[attr-defined]
        pass
    await circle.pipelines.list("gh/a/b")  # type: ignore[misc]
    circle.users.me()  # type: ignore[unused-coroutine]
    with ca.CircleCI():  # type: ignore[attr-defined]
        pass
    print(ca.Nonsense)  # type: ignore[attr-defined]
    print(ca.Jobs)  # type: ignore[attr-defined]
    print(resources.Nonsense)  # type: ignore[attr-defined]
