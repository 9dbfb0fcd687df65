"""What a call returns can be passed to the call that creates it, and to the one that updates it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from circleci_async import CircleCI, InvalidArgument
from circleci_async.models import (
    AttributionActor,
    CheckoutSource,
    ConfigSource,
    DayOfWeek,
    Policy,
    Project,
    Repository,
    RepositorySource,
    RestrictionType,
    Schedule,
    ScheduleSource,
    Timetable,
    TriggerEventSource,
    UrlOrbAuth,
    User,
    WebhookSource,
)
from circleci_async.testing import FakeCircleCI, World

OTHERS = {"id", "project_slug", "actor", "created_at", "updated_at"}
"""Fields of a copy that differ."""


@asynccontextmanager
async def two_projects() -> AsyncGenerator[tuple[CircleCI, Project, Project]]:
    world = World()
    for name in ("api", "web"):
        world.project(f"gh/acme/{name}")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        yield circle, await circle.projects.get("gh/acme/api"), await circle.projects.get("gh/acme/web")


def same(one: Any, other: Any, *differ: str) -> bool:
    """Compare two models, except for some fields."""
    names = attrs.fields_dict(type(one)).keys() - {*OTHERS, *differ}
    return all(getattr(one, name) == getattr(other, name) for name in names)


@pytest.mark.parametrize("actor", AttributionActor)
async def test_a_schedule(actor: AttributionActor) -> None:
    async with two_projects() as (circle, api, web):
        made = await circle.schedules.create(
            api.slug,
            name="nightly",
            timetable=Timetable(per_hour=1, hours_of_day=(3,), days_of_week=(DayOfWeek.MON,)),
            attribution_actor=actor,
            parameters={"branch": "main", "n": 1, "deploy": True},
            description="every night",
        )
        one = await circle.schedules.get(made.id)
        assert one.attribution_actor is actor
        copied = await circle.schedules.create(
            web.slug,
            name=one.name,
            timetable=one.timetable,
            parameters=one.parameters,
            attribution_actor=one.attribution_actor,
            description=one.description,
        )
        assert same(one, copied)
        assert copied.actor == one.actor
        updated = await circle.schedules.update(
            copied.id,
            name=one.name,
            timetable=one.timetable,
            parameters=one.parameters,
            attribution_actor=one.attribution_actor,
            description=one.description,
        )
        assert same(updated, copied)


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        (None, "current"),
        (User(id="u", login="octo-dev"), "current"),
        (User(id="d9b3fcaa-6032-405a-8c75-40079ce33c3e", login="renamed"), "system"),
        (User(id="u", login="system-actor"), "system"),
    ],
)
def test_the_attribution_actor_of_a_schedule(actor: User | None, expected: str) -> None:
    schedule = Schedule(id="s", name="n", project_slug="gh/acme/api", actor=actor)
    assert schedule.attribution_actor == expected
    assert (schedule.timetable, schedule.parameters) == (Timetable(), {})


async def test_a_webhook() -> None:
    async with two_projects() as (circle, api, web):
        made = await circle.webhooks.create(
            name="w", url="https://example.com", events=["job-completed"], scope_id=api.id, verify_tls=False
        )
        one = await circle.webhooks.get(made.id)
        assert one.scope_id == api.id
        again = await circle.webhooks.create(
            name=one.name, url=one.url, events=one.events, scope_id=one.scope_id, verify_tls=one.verify_tls
        )
        assert same(one, again)
        copied = await circle.webhooks.create(
            name=one.name,
            url=one.url,
            events=one.events,
            scope_id=web.id,
            verify_tls=one.verify_tls,
            signing_secret=one.signing_secret,  # empty
        )
        assert same(one, copied, "scope")
        updated = await circle.webhooks.update(copied.id, name=one.name, url=one.url, events=one.events)
        assert same(updated, copied)


async def test_the_mask_of_a_signing_secret_is_refused() -> None:
    async with two_projects() as (circle, api, _):
        one = await circle.webhooks.create(
            name="w", url="https://example.com", events=["job-completed"], scope_id=api.id, signing_secret="s3cret"
        )
        with pytest.raises(InvalidArgument, match="signing_secret must be the secret: it is the mask"):
            await circle.webhooks.create(
                name=one.name, url=one.url, events=one.events, scope_id=api.id, signing_secret=one.signing_secret
            )
        with pytest.raises(InvalidArgument, match="signing_secret must be the secret: it is the mask"):
            await circle.webhooks.update(one.id, signing_secret=one.signing_secret)
        assert len(await circle.webhooks.list(str(api.id)).collect()) == 1


async def test_a_pipeline_definition_and_its_triggers() -> None:
    async with two_projects() as (circle, api, web):
        assert api.id
        assert web.id
        repository = Repository(external_id="123")
        made = await circle.pipeline_definitions.create(
            api.id,
            name="build",
            config_source=ConfigSource(provider="github_app", repo=repository, file_path=".circleci/config.yml"),
            checkout_source=CheckoutSource(provider="github_app", repo=repository),
            description="d",
        )
        one = await circle.pipeline_definitions.get(api.id, made.id)
        copied = await circle.pipeline_definitions.create(
            web.id,
            name=one.name,
            config_source=one.config_source,
            checkout_source=one.checkout_source,
            description=one.description,
        )
        assert same(one, copied, "config_source", "checkout_source")
        assert copied.config_source == ConfigSource(
            provider="github_app",
            repo=Repository(full_name="acme/web", external_id="123"),
            file_path=".circleci/config.yml",
        )

        names: Any = {"event_name": "n", "checkout_ref": "main", "config_ref": "main"}
        await circle.triggers.create(
            api.id,
            one.id,
            event_source=RepositorySource(external_id="123", provider="github_oauth"),
            event_preset="only-tags",
            disabled=True,
        )
        for actor in AttributionActor:
            schedule = ScheduleSource(cron_expression="0 3 * * *", attribution_actor=actor)
            await circle.triggers.create(api.id, one.id, event_source=schedule, parameters={"a": 1}, **names)
        await circle.triggers.create(api.id, one.id, event_source=WebhookSource(sender="registry"), **names)
        await circle.triggers.create(api.id, one.id, event_source=WebhookSource(), **names)

        triggers = await circle.triggers.list(api.id, one.id)
        for trigger in triggers:
            await circle.triggers.create(
                web.id,
                copied.id,
                event_source=trigger.event_source,
                event_preset=trigger.event_preset,
                event_name=trigger.event_name,
                checkout_ref=trigger.checkout_ref,
                config_ref=trigger.config_ref,
                disabled=trigger.disabled,
                parameters=trigger.parameters,
            )
        copies = await circle.triggers.list(web.id, copied.id)
        assert len(copies) == len(triggers) == 5
        for trigger, copy in zip(triggers, copies, strict=True):
            assert same(trigger, copy, "event_source")
            assert trigger.event_source is not None
            assert copy.event_source is not None
            assert copy.event_source.schedule == trigger.event_source.schedule
            assert copy.event_source.provider == trigger.event_source.provider
            assert (copy.event_source.webhook is None) is (trigger.event_source.webhook is None)

        scheduled = next(each for each in triggers if each.event_source and each.event_source.schedule)
        changed = await circle.triggers.update(api.id, scheduled.id, event_source=scheduled.event_source)
        assert changed == scheduled
        pushed = next(each for each in triggers if each.event_source and each.event_source.repo)
        with pytest.raises(InvalidArgument, match="create another trigger to change the repository"):
            await circle.triggers.update(api.id, pushed.id, event_source=pushed.event_source)


async def test_the_event_name_that_the_api_sets_is_not_sent_back() -> None:
    async with two_projects() as (circle, api, _):
        assert api.id
        definition = await circle.pipeline_definitions.create(
            api.id,
            name="build",
            config_source=ConfigSource(provider="circleci", file_path="build.yml"),
            checkout_source=CheckoutSource(provider="github_app", repo=Repository(external_id="1")),
        )
        source = TriggerEventSource(provider="github_app", repo=Repository(full_name="a/b", external_id="1"))
        trigger = await circle.triggers.create(
            api.id, definition.id, event_source=source, event_preset="all-pushes", event_name="push"
        )
        assert trigger.event_name is None


async def test_other_copies() -> None:
    async with two_projects() as (circle, api, _):
        organization = await circle.organizations.get("gh/acme")
        await circle.url_orb_allow_list.create(
            organization.id, name="orbs", prefix="https://example.com/", auth=UrlOrbAuth.NONE
        )
        [entry] = await circle.url_orb_allow_list.list(organization.id)
        await circle.url_orb_allow_list.create(organization.id, name="more", prefix=entry.prefix, auth=entry.auth)
        assert [each.prefix for each in await circle.url_orb_allow_list.list(organization.id)] == [entry.prefix] * 2

        context = await circle.contexts.create("deploy", owner_id=organization.id)
        assert api.id
        await circle.contexts.add_restriction(context.id, type="project", value=api.id)
        other = await circle.contexts.create("staging", owner_id=organization.id)
        async for restriction in circle.contexts.restrictions(context.id):
            if restriction.restriction_type != RestrictionType.GROUP:
                await circle.contexts.add_restriction(
                    other.id, type=restriction.restriction_type, value=restriction.restriction_value
                )
        values = [each.restriction_value async for each in circle.contexts.restrictions(other.id)]
        assert api.id in values

        made = await circle.otel.create_exporter(organization.id, endpoint="c:4317", protocol="grpc", insecure=True)
        again = await circle.otel.create_exporter(
            organization.id,
            endpoint=made.endpoint,
            protocol=made.protocol,
            insecure=made.insecure,
            headers=made.headers,
        )
        assert same(made, again)

        await circle.policies.push_bundle(organization.id, {"a.rego": "package org\n"})
        bundle = await circle.policies.bundle(organization.id)
        diff = await circle.policies.push_bundle(organization.id, bundle)
        assert (diff.created, diff.modified, diff.deleted) == ((), (), ())
        assert {name: policy.content for name, policy in bundle.items()} == {"a.rego": "package org\n"}


async def test_masked_headers_of_an_exporter_are_refused() -> None:
    async with two_projects() as (circle, _, _):
        organization = await circle.organizations.get("gh/acme")
        made = await circle.otel.create_exporter(
            organization.id, endpoint="c:4317", protocol="grpc", headers={"x-api-key": "s3cret"}
        )
        with pytest.raises(InvalidArgument, match="headers must have their values: that of 'x-api-key' is the mask"):
            await circle.otel.create_exporter(
                organization.id, endpoint=made.endpoint, protocol=made.protocol, headers=made.headers
            )


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda c: c.triggers.create("p", "d", event_source=None), "event_source is required, got None"),
        (
            lambda c: c.triggers.create("p", "d", event_source=TriggerEventSource(provider="new")),
            "event_source must be of a repository, a webhook or a schedule, got provider 'new': pass a mapping",
        ),
        (
            lambda c: c.triggers.create(
                "p", "d", event_source=TriggerEventSource(provider="github_app", repo=Repository())
            ),
            "event_source.repo.external_id is required, got None",
        ),
        (
            lambda c: c.pipeline_definitions.create("p", name=None, config_source={}, checkout_source={}),
            "name is required, got None",
        ),
        (
            lambda c: c.pipeline_definitions.create("p", name="n", config_source=None, checkout_source={}),
            "config_source is required, got None",
        ),
        (
            lambda c: c.pipeline_definitions.create("p", name="n", config_source={}, checkout_source=None),
            "checkout_source is required, got None",
        ),
        (
            lambda c: c.url_orb_allow_list.create("gh/acme", name="n", prefix=None, auth="none"),
            "prefix is required, got None",
        ),
        (lambda c: c.otel.create_exporter("o", endpoint=None, protocol="grpc"), "endpoint is required, got None"),
        (
            lambda c: c.policies.push_bundle("o", {"a": Policy(name="a")}),
            "the content of policy 'a' is required, got None",
        ),
    ],
)
async def test_a_field_that_a_response_lacks_is_refused_by_name(call: Any, name: str) -> None:
    async with CircleCI("a-token", host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument) as caught:
            await call(circle)
        assert str(caught.value) == name
        assert circle.stats.requests == 0
