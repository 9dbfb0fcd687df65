"""Policies: bundles, the decision log by offset, and error messages."""

import pytest

from circleci_async import BadRequest, CircleCI, DecodeError, Paged
from circleci_async.models import Policy, PolicyBundleDiff
from tests.endpoints.examples import ID, ID_2
from tests.raw_server import answer, raw_server


async def test_decisions_are_paged_by_offset_until_an_empty_page() -> None:
    logs = [{"id": f"d-{number}"} for number in range(5)]
    async with (
        raw_server(answer(200, logs[:3]), answer(200, logs[3:]), answer(200, [])) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        decisions = circle.policies.decisions(ID, status="PASS")
        assert isinstance(decisions, Paged)
        assert [log.id async for log in decisions] == [log["id"] for log in logs]
        path = f"/api/v2/owner/{ID}/context/config/decision?status=PASS"
        assert [request.target for request in server.requests] == [path, f"{path}&offset=3", f"{path}&offset=5"]


async def test_names_of_policies_are_unchanged() -> None:
    bundle = {"a-b_c.rego": {"name": "a-b_c.rego", "content": "package org", "created-by": "u-1"}, "\u00e9/x": {}}
    async with raw_server(answer(200, bundle)) as server, CircleCI("token", host=server.url) as circle:
        for policies in (await circle.policies.bundle(ID), await circle.policies.decision_bundle(ID, ID_2)):
            assert policies == {
                "a-b_c.rego": Policy(name="a-b_c.rego", content="package org", created_by="u-1"),
                "\u00e9/x": Policy(),
            }


async def test_a_bundle_of_lists_raises_decode_error() -> None:
    async with (
        raw_server(answer(200, {"a.rego": [{"name": "a.rego"}]})) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        with pytest.raises(DecodeError, match="expected an object, got a list"):
            await circle.policies.bundle(ID)


@pytest.mark.parametrize("status", [200, 201])
async def test_missing_lists_of_a_push_are_empty(status: int) -> None:
    async with (
        raw_server(answer(status, {"deleted": ["a.rego"]})) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        assert await circle.policies.push_bundle(ID, {}) == PolicyBundleDiff(deleted=("a.rego",))


async def test_the_error_field_is_the_message() -> None:
    async with (
        raw_server(answer(400, {"error": "policy a.rego: rego_parse_error"})) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        with pytest.raises(BadRequest, match="rego_parse_error"):
            await circle.policies.push_bundle(ID, {"a.rego": "pakcage"})
