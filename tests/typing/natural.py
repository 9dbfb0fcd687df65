"""Reports, bots and migrations as users write them. Both type checkers must accept them as they are. Never run."""

import csv
import sys
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import pandas as pd
import polars as pl

import circleci_async as ca
from circleci_async.models import (
    AttributionActor,
    RunStatus,
    Webhook,
    WorkflowJob,
    WorkflowMetrics,
    WorkflowRun,
    WorkflowStatus,
)


async def report(circle: ca.CircleCI, projects: list[str]) -> pd.DataFrame:
    """Metrics of many projects in one table, also if there are none."""
    rows: list[dict[str, Any]] = []
    for project in projects:
        metrics = await circle.insights.workflows(project, reporting_window="last-30-days").collect()
        rows += ca.rows(metrics, project=project, strip="metrics.")
        rows += await circle.insights.workflows(project).rows(project=project, strip="metrics.")
    names = ca.columns(WorkflowMetrics, project="", strip="metrics.")
    assert_type(names, list[str])
    frame = pd.DataFrame(rows, columns=names)
    print(pl.DataFrame(rows, schema=names, infer_schema_length=None).height)
    for row in ca.rows(await circle.insights.workflows(projects[0]).collect(10)):
        assert_type(row, dict[str, Any])
        if row["metrics.success_rate"] < 0.9:
            print(f"{row['name']}: {row['metrics.success_rate']:.0%}")
    return frame


async def write_csv(circle: ca.CircleCI, project: ca.ProjectRef, file: Path) -> None:
    runs = await circle.insights.workflow_runs(project, "build", start_date="30d").rows(limit=1_000)
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ca.columns(WorkflowRun))
        writer.writeheader()
        writer.writerows(runs)


async def times(circle: ca.CircleCI, project: str, organization_id: str, day: date, since: str) -> None:
    """Every form of a time is accepted."""
    week_ago = datetime.now(UTC) - timedelta(days=7)
    circle.insights.workflow_runs(project, "build", start_date=week_ago, end_date=day)
    circle.insights.workflow_runs(project, "build", start_date="2026-11-01", end_date=week_ago.date())
    circle.insights.job_timeseries(project, "build", granularity="daily", start_date=timedelta(days=7))
    circle.policies.decisions(organization_id, after="12h", before=since)
    circle.usage.export(organization_id, "30d")
    circle.usage.export(organization_id, start=day, end=day + timedelta(days=7))
    await circle.usage.create_export(organization_id, start="7d", end=datetime.now(UTC))
    await circle.harvest(project, "out", select=ca.Selection(since=day, until=week_ago))


async def spending(circle: ca.CircleCI, organization_id: str) -> dict[str, float]:
    credits: Counter[str] = Counter()
    slowest: dict[str, float] = {}
    async for row in circle.usage.export(organization_id, "30d"):
        credits[row["PROJECT_NAME"]] += row["TOTAL_CREDITS"]
        slowest[row["JOB_NAME"]] = max(slowest.get(row["JOB_NAME"], 0.0), row["JOB_RUN_SECONDS"] or 0.0)
        if row.get("IS_WORKFLOW_SUCCESSFUL") is False and row["JOB_RUN_STARTED_AT"].weekday() >= 5:
            print("failed on a weekend:", row["JOB_NAME"])
    return dict(credits.most_common(10)) | slowest


async def runs_by_status(circle: ca.CircleCI, project: str) -> None:
    seconds: defaultdict[str, int] = defaultdict(int)
    async for run in circle.insights.workflow_runs(project, "build"):
        if run.status == "success" and run.duration is not None:
            seconds[run.branch or "?"] += run.duration
        if run.status in {"failed", RunStatus.CANCELED}:
            print(run.id, run.created_at.date(), str(run.status).upper())
        if run.stopped_at and run.stopped_at - run.created_at > timedelta(hours=1):
            print("slow:", run.id)
    flaky = await circle.insights.flaky_tests(project)
    newest = max(flaky.flaky_tests, key=lambda test: test.workflow_created_at, default=None)
    if newest:
        print(f"{newest.test_name}, {newest.workflow_created_at:%d %B}, {newest.time_wasted or 0} s")


async def bot(circle: ca.CircleCI, project: str) -> str:
    pipeline = await circle.pipelines.list(project, branch="main").first()
    if pipeline is None:
        return "no pipeline yet"
    failed: list[WorkflowJob] = []
    async for workflow in circle.pipelines.workflows(pipeline.id):
        match workflow.status:
            case "success":
                continue
            case "failed" | WorkflowStatus.FAILING:
                failed += [job async for job in circle.workflows.jobs(workflow.id) if job.status == "failed"]
            case _ if workflow.is_finished:
                print(workflow.name, workflow.status)
            case _:
                return f"{workflow.name} is running"
    for job in failed:
        if job.job_number is not None:
            for output in await circle.jobs.failed_output(project, job.job_number, tail=5):
                print(output.name, output.exit_code, output.text)
    author = pipeline.trigger.actor.login if pipeline.trigger.actor else "somebody"
    return f"#{pipeline.number} of {author} on {pipeline.branch or pipeline.tag}: {len(failed)} failed"


async def copy_project(circle: ca.CircleCI, source: str, target: str) -> None:
    """What is read can be created elsewhere."""
    async for schedule in circle.schedules.list(source):
        assert_type(schedule.attribution_actor, AttributionActor)
        print(schedule.timetable.hours_of_day, schedule.parameters["branch"])
        copied = await circle.schedules.create(
            target,
            name=schedule.name,
            timetable=schedule.timetable,
            parameters=schedule.parameters,
            attribution_actor=schedule.attribution_actor,
            description=schedule.description,
        )
        await circle.schedules.update(
            copied.id,
            name=schedule.name,
            timetable=schedule.timetable,
            parameters=schedule.parameters,
            attribution_actor=schedule.attribution_actor,
            description=schedule.description,
        )
    old, new = await circle.projects.get(source), await circle.projects.get(target)
    assert_type(circle.webhooks.list(old.id), ca.Paged[Webhook])  # refused at the call if the id is missing
    if old.id is None or new.id is None:
        sys.exit("this server does not return the ids of projects")
    async for hook in circle.webhooks.list(old.id):
        await circle.webhooks.create(
            name=hook.name, url=hook.url, events=hook.events, scope_id=new.id, verify_tls=hook.verify_tls
        )
        await circle.webhooks.create(name=hook.name, url=hook.url, events=hook.events, scope_id=hook.scope_id)
    for definition in await circle.pipeline_definitions.list(old.id):
        created = await circle.pipeline_definitions.create(
            new.id,
            name=definition.name,
            config_source=definition.config_source,
            checkout_source=definition.checkout_source,
            description=definition.description,
        )
        for trigger in await circle.triggers.list(old.id, definition.id):
            await circle.triggers.create(
                new.id,
                created.id,
                event_source=trigger.event_source,
                event_preset=trigger.event_preset,
                event_name=trigger.event_name,
                checkout_ref=trigger.checkout_ref,
                config_ref=trigger.config_ref,
                disabled=trigger.disabled,
                parameters=trigger.parameters,
            )


async def copy_organization(circle: ca.CircleCI, source: str, target: str) -> None:
    old, new = await circle.organizations.get(source), await circle.organizations.get(target)
    async for context in circle.contexts.list(owner_id=old.id):
        copied = await circle.contexts.create(context.name, owner_id=new.id)
        async for restriction in circle.contexts.restrictions(context.id):
            await circle.contexts.add_restriction(
                copied.id, type=restriction.restriction_type, value=restriction.restriction_value
            )
    async for group in circle.groups.list(old.id):
        await circle.groups.create(new.id, group.name, description=group.description)
    for entry in await circle.url_orb_allow_list.list(old.id):
        await circle.url_orb_allow_list.create(new.id, name=entry.name, prefix=entry.prefix, auth=entry.auth)
    for exporter in await circle.otel.exporters(old.id):
        await circle.otel.create_exporter(
            new.id, endpoint=exporter.endpoint, protocol=exporter.protocol, insecure=exporter.insecure
        )
    await circle.policies.push_bundle(new.id, await circle.policies.bundle(old.id))
    settings = await circle.policies.settings(old.id)
    if settings.enabled is not None:
        await circle.policies.update_settings(new.id, enabled=settings.enabled)
    claims = await circle.oidc.org_claims(old.id)
    await circle.oidc.update_org_claims(new.id, audience=claims.audience, ttl=claims.ttl)
