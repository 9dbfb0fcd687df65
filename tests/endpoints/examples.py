"""Calls whose arguments are written in another form: models, enums, dates, slugs, and values that are false."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import attrs

import circleci_async as ca
from circleci_async.models import (
    AttributionActor,
    CheckoutSource,
    ConfigSource,
    DayOfWeek,
    DecisionMetadata,
    DecisionVcs,
    Month,
    OidcClaim,
    OwnerType,
    Ref,
    Repository,
    RepositorySource,
    ScheduleSource,
    Timetable,
    WebhookEventType,
    WebhookSource,
)

P = "gh/acme/api"
ID = UUID("5034460f-c7c4-4c43-9457-de07e2029e7b")
ID_2 = UUID("503464fe-1c2d-4e3f-8a9b-c7c4a83d9919")


@attrs.frozen
class Example:
    """A call, and the query or the part of the body that it must send."""

    name: str
    start: Callable[[ca.CircleCI], Any]
    query: str = ""
    body: Any = None
    """The fields to check; the body may have others."""


def _trigger(source: Any) -> Callable[[ca.CircleCI], Any]:
    return lambda c: c.triggers.create(ID, ID_2, event_source=source)


def _schedule(timetable: Any) -> Callable[[ca.CircleCI], Any]:
    return lambda c: c.schedules.create(
        P, name="nightly", timetable=timetable, attribution_actor="system", parameters={"branch": "main"}
    )


REPOSITORY = Repository(full_name="acme/api", external_id="123456789")
SENT_REPOSITORY = {"external_id": "123456789"}
NIGHTLY = Timetable(per_hour=1, hours_of_day=(3,), days_of_week=(DayOfWeek.MON, DayOfWeek.SUN))
MONTHLY = Timetable(per_hour=60, hours_of_day=(0, 23), days_of_month=(1, 31), months=(Month.JAN, Month.DEC))

EXAMPLES = [
    Example("contexts.list", lambda c: c.contexts.list(owner_slug=ca.OrgSlug("bb", "acme")), "owner-slug=bb%2Facme"),
    Example(
        "contexts.create",
        lambda c: c.contexts.create("aws", owner_slug="github/acme", owner_type=OwnerType.ORGANIZATION),
        body={"name": "aws", "owner": {"slug": "gh/acme", "type": "organization"}},
    ),
    Example(
        "insights.workflows",
        lambda c: c.insights.workflows(P, branch="a+b", all_branches=False, reporting_window="last-7-days"),
        "branch=a%2Bb&all-branches=false&reporting-window=last-7-days",
    ),
    Example(
        "insights.workflow_runs",
        lambda c: c.insights.workflow_runs(P, "w", start_date="2026-03-01T00:00:00Z", end_date="2026-03-02T01:00+01"),
        "start-date=2026-03-01T00%3A00%3A00Z&end-date=2026-03-02T00%3A00%3A00Z",
    ),
    Example("oidc.delete_org_claims", lambda c: c.oidc.delete_org_claims(ID, "ttl"), "claims=ttl"),
    Example("oidc.delete_org_claims", lambda c: c.oidc.delete_org_claims(ID, [OidcClaim.AUDIENCE]), "claims=audience"),
    Example("oidc.update_org_claims", lambda c: c.oidc.update_org_claims(ID, audience=()), body={"audience": []}),
    Example(
        "pipeline_definitions.create",
        lambda c: c.pipeline_definitions.create(
            ID,
            name="api",
            config_source=ConfigSource(provider="github_app", repo=REPOSITORY, file_path="build.yml"),
            checkout_source=CheckoutSource(provider="github_app", repo=REPOSITORY),
        ),
        body={
            "config_source": {"provider": "github_app", "repo": SENT_REPOSITORY, "file_path": "build.yml"},
            "checkout_source": {"provider": "github_app", "repo": SENT_REPOSITORY},
        },
    ),
    Example(
        "pipeline_definitions.update",
        lambda c: c.pipeline_definitions.update(
            ID,
            ID_2,
            description="",
            config_source=ConfigSource(file_path="web.yml"),
            checkout_source=CheckoutSource(repo=REPOSITORY),
        ),
        body={
            "description": "",
            "config_source": {"file_path": "web.yml"},
            "checkout_source": {"repo": SENT_REPOSITORY},
        },
    ),
    Example(
        "pipelines.list_for_org",
        lambda c: c.pipelines.list_for_org("github/acme corp", mine=False),
        "org-slug=gh%2Facme%20corp&mine=false",
    ),
    Example("pipelines.list_for_org", lambda c: c.pipelines.list_for_org(ca.OrgSlug("bb", "a")), "org-slug=bb%2Fa"),
    Example(
        "pipelines.run",
        lambda c: c.pipelines.run(P, config=Ref(branch="main"), checkout=Ref(tag="v1"), parameters={}),
        body={"config": {"branch": "main"}, "checkout": {"tag": "v1"}, "parameters": {}},
    ),
    Example(
        "policies.decide",
        lambda c: c.policies.decide(ID, "", metadata=DecisionMetadata(ssh_rerun=False, vcs=DecisionVcs(branch="main"))),
        body={"input": "", "metadata": {"ssh_rerun": False, "vcs": {"branch": "main"}}},
    ),
    Example("policies.push_bundle", lambda c: c.policies.push_bundle(ID, {}, dry=False), body={"policies": {}}),
    Example(
        "policies.update_settings", lambda c: c.policies.update_settings(ID, enabled=False), body={"enabled": False}
    ),
    Example(
        "projects.update_settings",
        lambda c: c.projects.update_settings(P, oss=False, pr_only_branch_overrides=()),
        body={"advanced": {"oss": False, "pr_only_branch_overrides": []}},
    ),
    Example(
        "schedules.create",
        _schedule(NIGHTLY),
        body={"timetable": {"per-hour": 1, "hours-of-day": [3], "days-of-week": ["MON", "SUN"]}},
    ),
    Example(
        "schedules.create",
        _schedule(MONTHLY),
        body={
            "timetable": {
                "per-hour": 60,
                "hours-of-day": [0, 23],
                "days-of-month": [1, 31],
                "months": ["JAN", "DEC"],
            }
        },
    ),
    Example(
        "schedules.update",
        lambda c: c.schedules.update(ID, timetable=Timetable(hours_of_day=(4, 16))),
        body={"timetable": {"hours-of-day": [4, 16]}},
    ),
    Example(
        "triggers.create",
        _trigger(RepositorySource(external_id="1")),
        body={"event_source": {"provider": "github_app", "repo": {"external_id": "1"}}},
    ),
    Example(
        "triggers.create",
        _trigger(RepositorySource(external_id="1", provider="github_oauth")),
        body={"event_source": {"provider": "github_oauth", "repo": {"external_id": "1"}}},
    ),
    Example(
        "triggers.create",
        _trigger(WebhookSource()),
        body={"event_source": {"provider": "webhook", "webhook": {}}},
    ),
    Example(
        "triggers.create",
        _trigger(ScheduleSource(cron_expression="0 3 * * 1-5", attribution_actor=AttributionActor.SYSTEM)),
        body={
            "event_source": {
                "provider": "schedule",
                "schedule": {"cron_expression": "0 3 * * 1-5", "attribution_actor": "system"},
            }
        },
    ),
    Example(
        "triggers.update",
        lambda c: c.triggers.update(ID, ID_2, event_source=WebhookSource(sender=""), disabled=False, parameters={}),
        body={
            "event_source": {"provider": "webhook", "webhook": {"sender": ""}},
            "disabled": False,
            "parameters": {},
        },
    ),
    Example(
        "usage.create_export",
        lambda c: c.usage.create_export(
            ID, start="2099-03-01T00:00:00Z", end=datetime(2099, 3, 31, tzinfo=UTC), shared_org_ids=(ID_2,)
        ),
        body={"start": "2099-03-01T00:00:00Z", "end": "2099-03-31T00:00:00Z", "shared_org_ids": [str(ID_2)]},
    ),
    Example(
        "webhooks.create",
        lambda c: c.webhooks.create(
            name="deploys",
            url="HTTPS://hooks.acme.dev",
            events=(WebhookEventType.JOB_COMPLETED,),
            scope_id=ID,
            verify_tls=False,
        ),
        body={"url": "HTTPS://hooks.acme.dev", "events": ["job-completed"], "verify_tls": False, "verify-tls": False},
    ),
    Example(
        "webhooks.update",
        lambda c: c.webhooks.update(ID, signing_secret=""),
        body={"signing_secret": "", "signing-secret": ""},
    ),
    Example(
        "workflows.rerun",
        lambda c: c.workflows.rerun(ID, from_failed=False, jobs=(ID_2,)),
        body={"from_failed": False, "jobs": [str(ID_2)]},
    ),
]
