"""Invalid arguments are refused before a request is sent, with a message that has the argument and its value.

`test_contract` does the same for arguments in a path, of all operations.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

import pytest

import circleci_async as ca
from circleci_async import CircleCI, InvalidArgument, Paged
from circleci_async.models import (
    AdvancedSettingsUpdate,
    CheckoutKeyType,
    CheckoutSource,
    ConfigSource,
    DayOfWeek,
    OwnerType,
    Ref,
    Repository,
    RepositorySource,
    ScheduleSource,
    Timetable,
    WebhookEventType,
)
from tests.endpoints.examples import ID, P
from tests.endpoints.refusal import refusal
from tests.raw_server import answer, raw_server

START = datetime(2099, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_AGO = datetime(2025, 3, 1, tzinfo=UTC)
SETTINGS = ", ".join(sorted(AdvancedSettingsUpdate.__optional_keys__))
A_TIME = (
    "must be a datetime, a date, a positive timedelta, or text such as '7d', '12h', '30m', '2w', '2026-11-24' or "
    "'2026-11-24T10:00:00Z', got "
)
A_FILE_PATH = "must be the path of the configuration, such as '.circleci/config.yml', got "
AN_ID = "must be an id such as '5034460f-c7c4-4c43-9457-de07e2029e7b', got "
A_PROJECT = (
    " is invalid: expected 'gh/org/repo', 'circleci/<organization>/<project>', or the URL of its repository or of its "
    "page on CircleCI"
)
AN_ORGANIZATION = " is invalid: expected 'gh/org', 'circleci/<organization>', or the URL of its page on CircleCI"
REPOSITORY = Repository(external_id="1")
CONFIG = ConfigSource(provider="github_app", repo=REPOSITORY, file_path="a.yml")
CHECKOUT = CheckoutSource(provider="github_app", repo=REPOSITORY)
NAMELESS = CheckoutSource(repo=Repository(full_name="acme/api"))
NIGHTLY: dict[str, Any] = {"per_hour": 1, "hours_of_day": (3,), "days_of_week": (DayOfWeek.MON,)}

Start = Callable[[CircleCI], Any]


def call(method: str, *arguments: Any, **options: Any) -> Start:
    """Return a call of a method, without checking the types of its arguments."""
    return lambda circle: attrgetter(method)(circle)(*arguments, **options)


def contexts(**owner: Any) -> list[Start]:
    return [call("contexts.list", **owner), call("contexts.create", "aws", **owner)]


def insights(**options: Any) -> list[Start]:
    return [
        call("insights.workflows", P, **options),
        call("insights.workflow_runs", P, "w", **options),
        call("insights.workflow_jobs", P, "w", **options),
        call("insights.workflow_summary", P, "w", **options),
        call("insights.test_metrics", P, "w", **options),
    ]


def dates(**options: Any) -> list[Start]:
    return [
        call("insights.workflow_runs", P, "w", **options),
        call("insights.job_timeseries", P, "w", **options),
    ]


def definition(**options: Any) -> list[Start]:
    given: Any = {"name": "api", "config_source": CONFIG, "checkout_source": CHECKOUT, **options}
    return [call("pipeline_definitions.create", "p", **given)]


def schedule(**options: Any) -> list[Start]:
    given: Any = {"timetable": Timetable(**NIGHTLY), "parameters": {"branch": "main"}, **options}
    return [call("schedules.create", P, name="nightly", attribution_actor="current", **given)]


def any_schedule(**options: Any) -> list[Start]:
    return [*schedule(**options), call("schedules.update", "s", **options)]


def timetable(**fields: Any) -> list[Start]:
    return any_schedule(timetable=Timetable(**{**NIGHTLY, **fields}))


def claims(**options: Any) -> list[Start]:
    return [
        call("oidc.update_org_claims", ID, **options),
        call("oidc.update_project_claims", ID, ID, **options),
    ]


def webhook(**options: Any) -> list[Start]:
    given: Any = {"name": "n", "url": "https://x", "events": ["job-completed"], "scope_id": ID, **options}
    return [call("webhooks.create", **given)]


def any_webhook(**options: Any) -> list[Start]:
    return [*webhook(**options), call("webhooks.update", "w", **options)]


def usage(start: Any, end: Any, **options: Any) -> list[Start]:
    return [
        call("usage.create_export", ID, start=start, end=end, **options),
        call("usage.export", ID, start, end, **options),
    ]


REFUSALS: dict[str, list[Start]] = {
    "type must be 'deploy-key' or 'user-key', got 'github-user-key': create a 'user-key' instead": [
        call("checkout_keys.create", P, "github-user-key"),
        call("checkout_keys.create", P, CheckoutKeyType.GITHUB_USER_KEY),
    ],
    "exactly one of owner_id and owner_slug is required, got owner_id=None, owner_slug=None": [
        *contexts(),
        *contexts(owner_type="organization"),
    ],
    "exactly one of owner_id and owner_slug is required, got owner_id='i', owner_slug='gh/acme'": contexts(
        owner_id="i", owner_slug="gh/acme"
    ),
    f"owner_id {AN_ID}''": contexts(owner_id=""),
    f"organization slug ''{AN_ORGANIZATION}": [
        *contexts(owner_slug=""),
        call("pipelines.list_for_org", ""),
        call("insights.org_summary", ""),
    ],
    f"organization slug 'gh/acme/api'{AN_ORGANIZATION}": contexts(owner_slug="gh/acme/api"),
    "an owner of type 'account' requires owner_id, got owner_slug='gh/acme'": contexts(
        owner_slug="gh/acme", owner_type=OwnerType.ACCOUNT
    ),
    "path segment must be an id, a name or a non-negative number, got ''": [
        call("usage.wait", "", "e-1"),
        call("usage.wait", ID, ""),
        call("usage.export", "", START, START),
        call("contexts.set_variables", "", {"A": "s3cret"}),
    ],
    f"value {AN_ID}''": [call("contexts.add_restriction", "c", type="project", value="")],
    f"organization_id {AN_ID}None": [
        call("deploys.environments", None),
        call("deploys.components", None),
        call("otel.exporters", None),
        call("otel.create_exporter", None, endpoint="e", protocol="grpc"),
    ],
    f"scope_id {AN_ID}5": [call("webhooks.list", 5), *webhook(scope_id=5)],
    **{
        f"page_size must be a positive integer, got {wrong!r}": [
            call("deploys.environments", ID, page_size=wrong),
            call("deploys.components", ID, page_size=wrong),
        ]
        for wrong in (0, -1, None, "20", True, 1.5)
    },
    "name must be the name of a variable, such as 'AWS_REGION', got ''": [
        call("environment_variables.set", P, "", "s3cret")
    ],
    **{
        f"limit must be a positive integer or None, got {wrong!r}": [call("groups.list", "o", limit=wrong)]
        for wrong in (0, -1, "5")
    },
    "branch and all_branches cannot be combined, got branch='a', all_branches=True": insights(
        branch="a", all_branches=True
    ),
    **{
        f"start_date {A_TIME}{wrong!r}": dates(start_date=wrong)
        for wrong in ("yesterday", "30", "30 days", "2026-02-30", "", 30, True, -DAY, timedelta(0))
    },
    f"end_date {A_TIME}'soon'": dates(start_date=START, end_date="soon"),
    "end_date requires a start_date, at most 90 days earlier": dates(end_date=START),
    f"start_date={LONG_AGO} is more than 90 days ago, so end_date is required: it must be at most 90 days later": dates(
        start_date=LONG_AGO
    ),
    **{
        f"end_date must be at most 90 days after start_date={START}, got {end}": dates(start_date=START, end_date=end)
        for end in (START + 91 * DAY, START + 90 * DAY + timedelta(microseconds=1))
    },
    **{
        f"end_date must be at most 90 days after start_date={START}, got {end}, which is not after it": dates(
            start_date=START, end_date=end
        )
        for end in (START, START - DAY)
    },
    "audience must be a list such as ['vault'], got 'vault'": claims(audience="vault"),
    **{
        f"ttl must be text such as '1h30m' or a timedelta of whole milliseconds, got {wrong!r}": claims(ttl=wrong)
        for wrong in (
            *("", "90", "1h 30m", "1.5h", "-1h", "1y", "1H", "1h\n", "\u0661h", "1s1s1s1s1s1s1s1s", 90, True),
            *(timedelta(0), timedelta(seconds=-1), timedelta(microseconds=1500)),
        )
    },
    **{
        f"claims must be 'audience', 'ttl' or both, got {wrong!r}": [
            call("oidc.delete_org_claims", ID, wrong),
            call("oidc.delete_project_claims", ID, ID, wrong),
        ]
        for wrong in ((),)
    },
    "headers must have at most 5 items, got 6": [
        call("otel.create_exporter", ID, endpoint="e", protocol="grpc", headers=dict.fromkeys("abcdef", "s3cret"))
    ],
    "the value of 'X' must be a string, got int": [
        call("otel.create_exporter", ID, endpoint="e", protocol="grpc", headers={"X": 5})
    ],
    "the value of 'signing_secret' must be a string, got int": any_webhook(signing_secret=5),
    "config_source.provider must be 'github_app' or 'circleci', got None": definition(
        config_source=ConfigSource(repo=REPOSITORY, file_path="a.yml")
    ),
    f"config_source.file_path {A_FILE_PATH}None": definition(
        config_source=ConfigSource(provider="github_app", repo=REPOSITORY)
    ),
    f"config_source.file_path {A_FILE_PATH}''": definition(
        config_source=ConfigSource(provider="circleci", file_path="")
    ),
    "config_source.repo.external_id must be the provider's id of the repository, got None": [
        *definition(config_source=ConfigSource(provider="github_app", file_path="a.yml")),
        *definition(
            config_source=ConfigSource(provider="github_app", file_path="a.yml", repo=Repository(full_name="acme/api"))
        ),
    ],
    "checkout_source.provider must be 'github_app', got None": definition(
        checkout_source=CheckoutSource(repo=REPOSITORY)
    ),
    "checkout_source.repo.external_id must be the provider's id of the repository, got None": [
        *definition(checkout_source=CheckoutSource(provider="github_app")),
        call(
            "pipeline_definitions.update",
            "p",
            "d",
            checkout_source=CheckoutSource(repo=Repository(full_name="acme/api")),
        ),
    ],
    "config_source must have only a file_path: provider and repo cannot be changed": [
        call("pipeline_definitions.update", "p", "d", config_source=CONFIG),
        call("pipeline_definitions.update", "p", "d", config_source=ConfigSource(provider="circleci")),
        call("pipeline_definitions.update", "p", "d", config_source=ConfigSource(repo=REPOSITORY)),
    ],
    "branch and tag cannot be combined, got branch='a', tag='b'": [call("pipelines.trigger", P, branch="a", tag="b")],
    "config must be Ref(branch='main') or Ref(tag='main'), got 'main'": [call("pipelines.run", P, config="main")],
    "checkout must be Ref(branch='main') or Ref(tag='main'), got 'main'": [call("pipelines.run", P, checkout="main")],
    **{
        f"policies must be a mapping of names to Rego sources, got {wrong!r}": [call("policies.push_bundle", ID, wrong)]
        for wrong in ("package org", None, ["a.rego"])
    },
    f"after {A_TIME}'2026-03'": [call("policies.decisions", ID, after="2026-03")],
    **{
        f"after must be earlier than before={START}, got {after}": [
            call("policies.decisions", ID, after=after, before=START)
        ]
        for after in (START, START + DAY)
    },
    f"before {A_TIME}'soon'": [call("policies.decisions", ID, before="soon")],
    f"auto_cancel is not a project setting: expected one of {SETTINGS}": [
        call("projects.update_settings", P, auto_cancel=True)
    ],
    **{
        f"disable_ssh must be True or False, got {wrong!r}": [call("projects.update_settings", P, disable_ssh=wrong)]
        for wrong in ("false", 1, None)
    },
    **{
        f"pr_only_branch_overrides must be a list of branches such as ['main'], got {wrong!r}": [
            call("projects.update_settings", P, pr_only_branch_overrides=wrong)
        ]
        for wrong in ("main", True, ["main", 1])
    },
    **{f"timetable: per_hour must be from 1 to 60, got {wrong!r}": timetable(per_hour=wrong) for wrong in (0, 61, "1")},
    "timetable: hours_of_day must be hours from 0 to 23, got (3, -1)": timetable(hours_of_day=(3, -1)),
    "timetable: hours_of_day must be hours from 0 to 23, got (24,)": timetable(hours_of_day=(24,)),
    "timetable: days_of_month must be days from 1 to 31, got (0,)": timetable(days_of_week=(), days_of_month=(0,)),
    "timetable: days_of_month must be days from 1 to 31, got (1, 32)": timetable(
        days_of_week=(), days_of_month=(1, 32)
    ),
    "timetable: days_of_week and days_of_month cannot be combined": timetable(days_of_month=(1,)),
    "timetable: days_of_week or days_of_month is required": schedule(
        timetable=Timetable(per_hour=1, hours_of_day=(3,))
    ),
    "timetable: hours_of_day must be hours from 0 to 23, got ()": schedule(
        timetable=Timetable(**{**NIGHTLY, "hours_of_day": ()})
    ),
    "timetable: per_hour must be from 1 to 60, got None": schedule(timetable=Timetable()),
    **{
        f"parameters must contain either 'branch' or 'tag', got {wrong!r}": any_schedule(parameters=wrong)
        for wrong in ({}, {"n": 1}, {"branch": "main", "tag": "v1"})
    },
    **{
        f"event_source.cron_expression must be an expression such as '0 3 * * *', got {wrong!r}": [
            call("triggers.create", "p", "d", event_source=ScheduleSource(cron_expression=wrong))
        ]
        for wrong in (None, "")
    },
    "event_name must be None for a RepositorySource, got 'push'": [
        call("triggers.create", "p", "d", event_source=RepositorySource(external_id="1"), event_name="push")
    ],
    "event_source must not be a RepositorySource: create another trigger to change the repository": [
        call("triggers.update", "p", "t", event_source=RepositorySource(external_id="1"))
    ],
    **{f"start {A_TIME}{wrong!r}": usage(wrong, START) for wrong in ("today", 7, "1y")},
    f"end {A_TIME}'soon'": usage(START, "soon"),
    f"start and end are required, got start=None, end={START!r}": usage(None, START),
    f"start and end are required, got start={START!r}, end=None": [
        call("usage.create_export", ID, start=START, end=None)
    ],
    f"end must not be before start={START}, got {START - DAY}": usage(START, START - DAY),
    **{
        f"end must be at most 31 days after start={START}, got {end}: split a longer time into several exports": usage(
            START, end
        )
        for end in (START + 32 * DAY, START + 31 * DAY + timedelta(microseconds=1))
    },
    "start must be at most a year ago, got 2020-01-01 00:00:00+00:00": [
        *usage("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"),
        *usage("2020-01-01", START),
    ],
    "shared_org_ids must be a list of ids, got 'o-2'": usage(START, START, shared_org_ids="o-2"),
    "url must start with https://": [
        start
        for url in ("", "http://hooks.acme.dev/T0K3N", "hooks.acme.dev", "https:/hooks.acme.dev")
        for start in any_webhook(url=url)
    ],
    "events must be a list such as ['job-completed'], got 'job-completed'": [
        *any_webhook(events="job-completed"),
        *any_webhook(events=WebhookEventType.JOB_COMPLETED),
    ],
    "events must have at least one item, such as 'workflow-completed', got []": any_webhook(events=[]),
    "from_failed and jobs cannot be combined, got from_failed=True, jobs=['j']": [
        call("workflows.rerun", "w", from_failed=True, jobs=["j"])
    ],
    "jobs must be a list of ids, got 'j-1'": [call("workflows.rerun", "w", jobs="j-1")],
    "jobs must have at least one id, or be None to rerun all jobs, got []": [call("workflows.rerun", "w", jobs=[])],
    "enable_ssh and sparse_tree require jobs, got enable_ssh=True, sparse_tree=None": [
        call("workflows.rerun", "w", enable_ssh=True)
    ],
    "enable_ssh and sparse_tree require jobs, got enable_ssh=None, sparse_tree=True": [
        call("workflows.rerun", "w", sparse_tree=True)
    ],
    **{
        f"project slug {wrong!r}{A_PROJECT}": [
            call("pipelines.list", wrong),
            call("projects.get", wrong),
        ]
        for wrong in ("", "api", "acme/api", "gh/a/b/c", None, 5)
    },
    "slug has the invalid name '..': it would change the path": [call("pipelines.list", "gh/acme/..")],
    "slug has the invalid organization '': it is empty": [call("pipelines.list", "gh//api")],
    "slug has the unknown vcs 'svn': expected 'gh', 'bb' or 'circleci'": [call("pipelines.list", "svn/a/b")],
}


@pytest.mark.parametrize("message", REFUSALS, ids=ascii)
async def test_an_invalid_argument_is_refused_with_its_name_and_value(message: str) -> None:
    for start in REFUSALS[message]:
        assert await refusal(start) == message


@pytest.mark.parametrize(("branch", "tag"), [(None, None), ("a", "b"), ("", None), ("a", ""), (None, "")], ids=repr)
def test_a_ref_has_either_a_branch_or_a_tag(branch: str | None, tag: str | None) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Ref(branch=branch, tag=tag)
    assert str(caught.value) == f"exactly one of branch and tag must be a name, got branch={branch!r}, tag={tag!r}"


def test_the_longest_time_range_is_accepted() -> None:
    listing = CircleCI("").insights.workflow_runs(P, "w", start_date=START, end_date=START + 90 * DAY)
    assert isinstance(listing, Paged)


@pytest.mark.parametrize("days", [0, 1, 90])
def test_an_open_time_range_may_begin_90_days_ago(days: int) -> None:
    for start in dates(start_date=datetime.now(UTC) - days * DAY):
        assert isinstance(start(CircleCI("")), Paged)


def test_a_time_range_may_begin_earlier_if_it_ends() -> None:
    for start in dates(start_date=LONG_AGO - 900 * DAY, end_date=LONG_AGO - 850 * DAY):
        assert isinstance(start(CircleCI("")), Paged)


UPDATES: dict[str, tuple[Any, ...]] = {
    "oidc.update_org_claims": (ID,),
    "oidc.update_project_claims": (ID, ID),
    "projects.update_settings": (P,),
    "webhooks.update": (ID,),
    "schedules.update": (ID,),
    "triggers.update": (ID, ID),
    "pipeline_definitions.update": (ID, ID),
}


@pytest.mark.parametrize("method", UPDATES)
async def test_an_update_of_nothing_sends_an_empty_object(method: str) -> None:
    async with raw_server(answer(418, "")) as server, CircleCI("t", host=server.url) as circle:
        with pytest.raises(ca.ApiError):
            await call(method, *UPDATES[method])(circle)
        assert [request.body for request in server.requests] == [b"{}"]


@pytest.mark.parametrize("body", ["", "null", "{}"])
@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_success_without_a_message_is_a_confirmation(status: int, body: str) -> None:
    response = answer(status, body if status != 204 else "")
    async with raw_server(response) as server, CircleCI("t", host=server.url) as circle:
        assert (await circle.workflows.cancel("w-1")).message == ""
        assert (await circle.jobs.cancel(P, 1)).message == ""
