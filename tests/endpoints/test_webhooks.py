"""Outbound webhooks: what can't be right is refused, and the secret stays one."""

import json
from typing import Any

import pytest

import circleci_async as ca
from tests.endpoints.refusal import refusal
from tests.raw_server import answer, raw_server

ID = "503464fe-1c2d-4e3f-8a9b-c7c4a83d9919"
SECRET = "s3cret-of-mine"
BODY = {"id": ID, "name": "deploys", "url": "https://hooks.acme.dev"}


def create(circle: ca.CircleCI, **other: Any) -> Any:
    arguments: dict[str, Any] = {"url": "https://hooks.acme.dev", "events": ["job-completed"]} | other
    return circle.webhooks.create(name="deploys", scope_id=ID, signing_secret=SECRET, **arguments)


@pytest.mark.parametrize("url", ["", "http://hooks.acme.dev/T0K3N", "hooks.acme.dev", "https:/hooks.acme.dev"])
async def test_an_address_that_is_not_https_is_refused_and_not_shown(url: str) -> None:
    for do in (lambda c: create(c, url=url), lambda c: c.webhooks.update(ID, url=url, signing_secret=SECRET)):
        message = await refusal(do)
        assert message.startswith("url: give an address that begins with https://")
        assert "T0K3N" not in message
        assert SECRET not in message


@pytest.mark.parametrize("events", ["job-completed", ca.WebhookEventType.JOB_COMPLETED], ids=repr)
async def test_events_are_a_list_even_if_there_is_only_one(events: str) -> None:
    message = "events='job-completed': give a list, such as ['job-completed']"
    assert await refusal(lambda c: create(c, events=events)) == message
    assert await refusal(lambda c: c.webhooks.update(ID, events=events)) == message


@pytest.mark.parametrize("events", [[], ()], ids=repr)
async def test_a_webhook_without_events_is_refused(events: Any) -> None:
    assert "give at least one, such as 'workflow-completed'" in await refusal(lambda c: create(c, events=events))
    assert "events=" in await refusal(lambda c: c.webhooks.update(ID, events=events))


@pytest.mark.parametrize("wrong", ["", "..", None, 1.5], ids=repr)
async def test_what_can_not_be_part_of_a_path_is_refused(wrong: Any) -> None:
    for do in (
        lambda c: c.webhooks.get(wrong),
        lambda c: c.webhooks.update(wrong),
        lambda c: c.webhooks.delete(wrong),
    ):
        assert "can't be part of a path" in await refusal(do)


@pytest.mark.parametrize("separator", ["-", "_"])
async def test_answers_are_read_in_either_spelling(separator: str) -> None:
    spelt = {f"verify{separator}tls": False, f"signing{separator}secret": "****", f"created{separator}at": "2026-05-04"}
    async with raw_server(answer(200, BODY | spelt)) as server, ca.CircleCI("t", host=server.url) as circle:
        webhook = await circle.webhooks.get(ID)
    assert (webhook.verify_tls, webhook.signing_secret) == (False, "****")
    assert webhook.created_at is not None


async def test_a_secret_that_comes_back_is_not_shown() -> None:
    shown = answer(201, BODY | {"signing_secret": SECRET})
    async with raw_server(shown) as server, ca.CircleCI("t", host=server.url) as circle:
        webhook = await create(circle)
    assert webhook.signing_secret == SECRET
    assert SECRET not in repr(webhook)


async def test_the_secret_is_in_no_error() -> None:
    refused = answer(400, {"message": "Unexpected request body provided."})
    async with raw_server(refused) as server, ca.CircleCI("t", host=server.url) as circle:
        with pytest.raises(ca.BadRequest) as caught:
            await create(circle)
        assert json.loads(server.requests[0].body)["signing-secret"] == SECRET
    assert SECRET not in f"{caught.value!r} {caught.value}"


async def test_a_secret_that_is_sent_back_in_an_error_is_not_shown() -> None:
    said = answer(400, {"message": f"signing_secret {SECRET} is too short"})
    async with raw_server(said) as server, ca.CircleCI("t-o-k-e-n", host=server.url) as circle:
        for write in (
            circle.webhooks.create(
                name="n", url="https://x.dev", events=["job-completed"], scope_id=ID, signing_secret=SECRET
            ),
            circle.webhooks.update(ID, signing_secret=SECRET),
        ):
            with pytest.raises(ca.BadRequest) as caught:
                await write
            assert caught.value.message == "signing_secret [value] is too short"
            assert SECRET not in repr(caught.value) + str(caught.value) + caught.value.body
