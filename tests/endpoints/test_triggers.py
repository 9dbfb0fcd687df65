"""Triggers: sources that the API would not take are refused, and the address of a webhook stays secret."""

from typing import Any

import pytest

import circleci_async as ca
from tests.endpoints.refusal import refusal
from tests.raw_server import answer, raw_server

REPOSITORY = ca.RepositorySource(external_id="1")
URL = "https://internal.circleci.com/private/soc/e/1?secret=s3cret"


@pytest.mark.parametrize("expression", [None, ""])
async def test_a_schedule_needs_its_times(expression: str | None) -> None:
    source = ca.ScheduleSource(cron_expression=expression, attribution_actor="system")
    message = await refusal(lambda c: c.triggers.create("p", "d", event_source=source))
    assert message == "event_source.cron_expression: give when to run, such as '0 3 * * *'"


async def test_events_of_a_repository_are_given_no_name() -> None:
    message = await refusal(lambda c: c.triggers.create("p", "d", event_source=REPOSITORY, event_name="push"))
    assert message.startswith("event_name='push': ")


async def test_the_repository_of_a_trigger_can_not_be_changed() -> None:
    message = await refusal(lambda c: c.triggers.update("p", "t", event_source=REPOSITORY))
    assert "the repository of a trigger can't be changed" in message


@pytest.mark.parametrize("wrong", ["", "..", None, 1.5], ids=repr)
async def test_what_can_not_be_part_of_a_path_is_refused(wrong: Any) -> None:
    for do in (
        lambda c: c.triggers.list(wrong, "d"),
        lambda c: c.triggers.list("p", wrong),
        lambda c: c.triggers.create(wrong, "d", event_source=REPOSITORY),
        lambda c: c.triggers.create("p", wrong, event_source=REPOSITORY),
        lambda c: c.triggers.get(wrong, "t"),
        lambda c: c.triggers.get("p", wrong),
        lambda c: c.triggers.update(wrong, "t"),
        lambda c: c.triggers.update("p", wrong),
        lambda c: c.triggers.delete(wrong, "t"),
        lambda c: c.triggers.delete("p", wrong),
    ):
        assert "can't be part of a path" in await refusal(do)


async def test_an_answer_that_says_next_to_nothing_is_read() -> None:
    source = {"provider": "schedule", "schedule": {"cron_expression": "0 0 * * *", "attribution_actor": {}}}
    full = {"items": [{}, {"event_source": source, "event_preset": "github_app.push"}]}
    async with raw_server(answer(200, {}), answer(200, full)) as server, ca.CircleCI("t", host=server.url) as circle:
        assert await circle.triggers.list("p", "d") == []
        bare, scheduled = await circle.triggers.list("p", "d")
    assert bare == ca.Trigger(id="", event_source=None, disabled=None)
    assert scheduled.event_source == ca.TriggerEventSource(
        provider="schedule",
        schedule=ca.TriggerSchedule(cron_expression="0 0 * * *", attribution_actor=ca.TriggerActor(id="")),
    )
    assert scheduled.event_preset == "github_app.push"


async def test_the_address_of_a_webhook_is_given_but_never_shown() -> None:
    body = {"id": "t", "event_source": {"provider": "webhook", "webhook": {"url": URL, "sender": "registry"}}}
    async with raw_server(answer(200, body)) as server, ca.CircleCI("t", host=server.url) as circle:
        trigger = await circle.triggers.create("p", "d", event_source=ca.WebhookSource(sender="registry"))
    assert trigger.event_source
    assert trigger.event_source.webhook
    assert trigger.event_source.webhook.url == URL
    assert "s3cret" not in repr(trigger)


async def test_parameters_keep_their_keys() -> None:
    body = {"id": "t", "parameters": {"a-b": 1, "a_b": [None]}}
    async with raw_server(answer(200, body)) as server, ca.CircleCI("t", host=server.url) as circle:
        assert (await circle.triggers.get("p", "t")).parameters == {"a-b": 1, "a_b": [None]}
