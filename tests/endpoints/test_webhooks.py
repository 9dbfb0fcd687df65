"""Outbound webhooks: spellings, and the signing secret."""

import json
from typing import Any

import pytest

import circleci_async as ca
from tests.raw_server import answer, raw_server

ID = "503464fe-1c2d-4e3f-8a9b-c7c4a83d9919"
SECRET = "s3cret-of-mine"
BODY = {"id": ID, "name": "deploys", "url": "https://hooks.acme.dev"}


def create(circle: ca.CircleCI, **other: Any) -> Any:
    arguments: dict[str, Any] = {"url": "https://hooks.acme.dev", "events": ["job-completed"]} | other
    return circle.webhooks.create(name="deploys", scope_id=ID, signing_secret=SECRET, **arguments)


@pytest.mark.parametrize("separator", ["-", "_"])
async def test_responses_are_decoded_with_hyphens_and_underscores(separator: str) -> None:
    spelt = {f"verify{separator}tls": False, f"signing{separator}secret": "****", f"created{separator}at": "2026-05-04"}
    async with raw_server(answer(200, BODY | spelt)) as server, ca.CircleCI("t", host=server.url) as circle:
        webhook = await circle.webhooks.get(ID)
    assert (webhook.verify_tls, webhook.signing_secret) == (False, "****")
    assert webhook.created_at is not None


async def test_a_returned_secret_is_not_in_the_repr() -> None:
    shown = answer(201, BODY | {"signing_secret": SECRET})
    async with raw_server(shown) as server, ca.CircleCI("t", host=server.url) as circle:
        webhook = await create(circle)
    assert webhook.signing_secret == SECRET
    assert SECRET not in repr(webhook)


async def test_the_secret_is_not_in_errors() -> None:
    refused = answer(400, {"message": "Unexpected request body provided."})
    async with raw_server(refused) as server, ca.CircleCI("t", host=server.url) as circle:
        with pytest.raises(ca.BadRequest) as caught:
            await create(circle)
        assert json.loads(server.requests[0].body)["signing-secret"] == SECRET
    assert SECRET not in f"{caught.value!r} {caught.value}"


async def test_a_secret_in_an_error_response_is_redacted() -> None:
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
