"""OIDC claims: the format of a time to live, and empty responses."""

import json
from datetime import timedelta

import pytest

from circleci_async import BadRequest, CircleCI
from circleci_async.models import OidcClaim, OidcClaimSet
from tests.endpoints.examples import ID, ID_2
from tests.raw_server import answer, raw_server


@pytest.mark.parametrize(
    ("ttl", "written"),
    [
        ("1h30m", "1h30m"),
        ("1w1d1h1m1s1ms0s", "1w1d1h1m1s1ms0s"),
        ("007ms", "007ms"),
        (timedelta(minutes=5), "300s"),
        (timedelta(days=7), "604800s"),
        (timedelta(milliseconds=1), "1ms"),
        (timedelta(seconds=90, milliseconds=250), "90250ms"),
    ],
)
async def test_a_time_to_live_is_sent_in_the_format_of_the_api(ttl: str | timedelta, written: str) -> None:
    said = answer(200, {"org_id": str(ID), "ttl": written})
    async with raw_server(said, said) as server, CircleCI("t", host=server.url) as circle:
        assert (await circle.oidc.update_org_claims(ID, ttl=ttl)).ttl == written
        await circle.oidc.update_project_claims(ID, ID_2, ttl=ttl)
        assert [json.loads(request.body) for request in server.requests] == [{"ttl": written}] * 2


async def test_missing_claims_are_empty_or_none() -> None:
    async with raw_server(answer(200, {"org_id": str(ID)})) as server, CircleCI("t", host=server.url) as circle:
        assert await circle.oidc.delete_org_claims(ID, OidcClaim.TTL) == OidcClaimSet(org_id=str(ID))


async def test_the_error_field_of_a_response_is_the_message() -> None:
    said = answer(400, {"error": "ttl is too long"})
    async with raw_server(said) as server, CircleCI("fake-token", host=server.url) as circle:
        with pytest.raises(BadRequest) as caught:
            await circle.oidc.update_org_claims(ID, ttl="52w")
        assert caught.value.message == "ttl is too long"


@pytest.mark.parametrize(("status", "body"), [(204, ""), (200, ""), (200, "null")])
async def test_any_success_confirms_a_deletion(status: int, body: str) -> None:
    async with raw_server(answer(status, body)) as server, CircleCI("t", host=server.url) as circle:
        assert await circle.oidc.delete_org_claims(ID, ["ttl"]) == OidcClaimSet()
        assert await circle.oidc.delete_project_claims(ID, ID_2, ["ttl"]) == OidcClaimSet()
