"""Claims of OIDC tokens: durations are written as the API wants them, and nothing is changed by mistake."""

import json
from datetime import timedelta
from typing import Any

import pytest

from circleci_async import BadRequest, CircleCI, OidcClaim, OidcClaimSet
from tests.endpoints.examples import ID, ID_2
from tests.endpoints.refusal import refusal
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
async def test_a_time_to_live_is_text_or_a_timedelta(ttl: str | timedelta, written: str) -> None:
    said = answer(200, {"org_id": str(ID), "ttl": written})
    async with raw_server(said, said) as server, CircleCI("t", host=server.url) as circle:
        assert (await circle.oidc.update_org_claims(ID, ttl=ttl)).ttl == written
        await circle.oidc.update_project_claims(ID, ID_2, ttl=ttl)
        assert [json.loads(request.body) for request in server.requests] == [{"ttl": written}] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "90",
        "1h 30m",
        "1.5h",
        "-1h",
        "1y",
        "1H",
        "1h\n",
        "\u0661h",
        "1s1s1s1s1s1s1s1s",
        90,
        True,
        timedelta(0),
        timedelta(seconds=-1),
        timedelta(microseconds=1500),
    ],
    ids=repr,
)
async def test_what_is_no_time_to_live_is_refused(wrong: Any) -> None:
    assert await refusal(lambda c: c.oidc.update_org_claims(ID, ttl=wrong)) == (
        f"ttl={wrong!r}: give text such as '1h30m' or '90s', or a timedelta of whole milliseconds"
    )
    assert "ttl=" in await refusal(lambda c: c.oidc.update_project_claims(ID, ID_2, ttl=wrong))


async def test_an_audience_in_one_text_is_refused() -> None:
    wrong: Any = "vault"
    expected = "audience='vault': give a list of texts, such as ['vault']"
    assert await refusal(lambda c: c.oidc.update_org_claims(ID, audience=wrong)) == expected
    assert await refusal(lambda c: c.oidc.update_project_claims(ID, ID_2, audience=wrong)) == expected


async def test_a_change_of_nothing_is_refused() -> None:
    assert "audience, ttl:" in await refusal(lambda c: c.oidc.update_org_claims(ID))
    assert "audience, ttl:" in await refusal(lambda c: c.oidc.update_project_claims(ID, ID_2))


@pytest.mark.parametrize("claims", [[], (), "", [""], ["ttl", ""]], ids=repr)
async def test_taking_nothing_back_is_refused(claims: Any) -> None:
    expected = f"claims={claims!r}: name what to take back: 'audience', 'ttl' or both"
    assert await refusal(lambda c: c.oidc.delete_org_claims(ID, claims)) == expected
    assert await refusal(lambda c: c.oidc.delete_project_claims(ID, ID_2, claims)) == expected


@pytest.mark.parametrize("wrong", ["", "..", None, 1.5], ids=repr)
async def test_a_project_that_is_none_never_means_its_whole_organization(wrong: Any) -> None:
    for do in (
        lambda c: c.oidc.project_claims(ID, wrong),
        lambda c: c.oidc.update_project_claims(ID, wrong, ttl="1h"),
        lambda c: c.oidc.delete_project_claims(ID, wrong, "ttl"),
        lambda c: c.oidc.project_claims(wrong, ID),
        lambda c: c.oidc.org_claims(wrong),
        lambda c: c.oidc.update_org_claims(wrong, ttl="1h"),
        lambda c: c.oidc.delete_org_claims(wrong, "ttl"),
    ):
        assert "can't be part of a path" in await refusal(do)


async def test_what_is_not_set_is_empty_or_none() -> None:
    async with raw_server(answer(200, {"org_id": str(ID)})) as server, CircleCI("t", host=server.url) as circle:
        assert await circle.oidc.delete_org_claims(ID, OidcClaim.TTL) == OidcClaimSet(org_id=str(ID))


async def test_an_error_without_a_message_has_the_words_under_error() -> None:
    said = answer(400, {"error": "ttl is too long"})
    async with raw_server(said) as server, CircleCI("fake-token", host=server.url) as circle:
        with pytest.raises(BadRequest) as caught:
            await circle.oidc.update_org_claims(ID, ttl="52w")
        assert caught.value.message == "ttl is too long"


@pytest.mark.parametrize(("status", "body"), [(204, ""), (200, ""), (200, "null")])
async def test_a_deletion_is_confirmed_by_any_success(status: int, body: str) -> None:
    async with raw_server(answer(status, body)) as server, CircleCI("t", host=server.url) as circle:
        assert await circle.oidc.delete_org_claims(ID, ["ttl"]) == OidcClaimSet()
        assert await circle.oidc.delete_project_claims(ID, ID_2, ["ttl"]) == OidcClaimSet()
