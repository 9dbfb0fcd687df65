"""Triggers: optional fields, and the secret URL of a webhook."""

import circleci_async as ca
from circleci_async.models import Trigger, TriggerActor, TriggerEventSource, TriggerSchedule, WebhookSource
from tests.raw_server import answer, raw_server

URL = "https://internal.circleci.com/private/soc/e/1?secret=s3cret"


async def test_all_fields_are_optional() -> None:
    source = {"provider": "schedule", "schedule": {"cron_expression": "0 0 * * *", "attribution_actor": {}}}
    full = {"items": [{}, {"event_source": source, "event_preset": "github_app.push"}]}
    async with raw_server(answer(200, {}), answer(200, full)) as server, ca.CircleCI("t", host=server.url) as circle:
        assert await circle.triggers.list("p", "d") == []
        bare, scheduled = await circle.triggers.list("p", "d")
    assert bare == Trigger(id="", event_source=None, disabled=None)
    assert scheduled.event_source == TriggerEventSource(
        provider="schedule",
        schedule=TriggerSchedule(cron_expression="0 0 * * *", attribution_actor=TriggerActor(id="")),
    )
    assert scheduled.event_preset == "github_app.push"


async def test_the_url_of_a_webhook_is_not_in_the_repr() -> None:
    body = {"id": "t", "event_source": {"provider": "webhook", "webhook": {"url": URL, "sender": "registry"}}}
    async with raw_server(answer(200, body)) as server, ca.CircleCI("t", host=server.url) as circle:
        trigger = await circle.triggers.create("p", "d", event_source=WebhookSource(sender="registry"))
    assert trigger.event_source
    assert trigger.event_source.webhook
    assert trigger.event_source.webhook.url == URL
    assert "s3cret" not in repr(trigger)


async def test_keys_of_parameters_are_unchanged() -> None:
    body = {"id": "t", "parameters": {"a-b": 1, "a_b": [None]}}
    async with raw_server(answer(200, body)) as server, ca.CircleCI("t", host=server.url) as circle:
        assert (await circle.triggers.get("p", "t")).parameters == {"a-b": 1, "a_b": [None]}
