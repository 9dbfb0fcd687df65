"""Policies: a whole bundle at a time, decisions by offset, and errors in a shape of their own."""

from typing import Any

import pytest

from circleci_async import BadRequest, CircleCI, DecodeError, InvalidArgument, Paged, Policy, PolicyBundleDiff
from tests.endpoints.examples import ID, ID_2
from tests.raw_server import answer, raw_server


@pytest.mark.parametrize("wrong", ["", ".", "..", None, True], ids=repr)
async def test_what_can_not_be_part_of_a_path_is_refused(wrong: Any) -> None:
    async with CircleCI("t", host="http://localhost:1") as circle:
        for begin in (
            lambda: circle.policies.bundle(wrong),
            lambda: circle.policies.bundle(ID, context=wrong),
            lambda: circle.policies.push_bundle(wrong, {}),
            lambda: circle.policies.document(ID, wrong),
            lambda: circle.policies.decision(ID, wrong),
            lambda: circle.policies.decision_bundle(ID, wrong),
            lambda: circle.policies.decide(wrong, "version: 2.1"),
            lambda: circle.policies.settings(wrong),
            lambda: circle.policies.update_settings(wrong, enabled=True),
        ):
            with pytest.raises(InvalidArgument, match="can't be part of a path"):
                await begin()
        with pytest.raises(InvalidArgument, match="can't be part of a path"):
            circle.policies.decisions(wrong)
        assert circle.stats.requests == 0


@pytest.mark.parametrize("wrong", ["package org", None, ["a.rego"]], ids=repr)
async def test_a_bundle_that_is_no_mapping_deletes_nothing(wrong: Any) -> None:
    async with CircleCI("t", host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument, match="policies="):
            await circle.policies.push_bundle(ID, wrong)
        assert circle.stats.requests == 0


async def test_dates_without_a_time_zone_are_refused_at_the_call() -> None:
    async with CircleCI("t", host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument, match="after='2026-03-01'"):
            circle.policies.decisions(ID, after="2026-03-01")
        with pytest.raises(InvalidArgument, match="before='soon'"):
            circle.policies.decisions(ID, before="soon")
        assert circle.stats.requests == 0


async def test_decisions_are_paged_by_offset_to_an_empty_page() -> None:
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


async def test_names_of_policies_are_kept_as_they_are() -> None:
    bundle = {"a-b_c.rego": {"name": "a-b_c.rego", "content": "package org", "created-by": "u-1"}, "\u00e9/x": {}}
    async with raw_server(answer(200, bundle)) as server, CircleCI("token", host=server.url) as circle:
        for policies in (await circle.policies.bundle(ID), await circle.policies.decision_bundle(ID, ID_2)):
            assert policies == {
                "a-b_c.rego": Policy(name="a-b_c.rego", content="package org", created_by="u-1"),
                "\u00e9/x": Policy(),
            }


async def test_a_bundle_as_lists_is_no_bundle() -> None:
    async with (
        raw_server(answer(200, {"a.rego": [{"name": "a.rego"}]})) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        with pytest.raises(DecodeError, match="expected an object, got a list"):
            await circle.policies.bundle(ID)


@pytest.mark.parametrize("status", [200, 201])
async def test_lists_that_a_push_leaves_out_are_empty(status: int) -> None:
    async with (
        raw_server(answer(status, {"deleted": ["a.rego"]})) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        assert await circle.policies.push_bundle(ID, {}) == PolicyBundleDiff(deleted=("a.rego",))


async def test_what_an_error_says_is_kept() -> None:
    async with (
        raw_server(answer(400, {"error": "policy a.rego: rego_parse_error"})) as server,
        CircleCI("token", host=server.url) as circle,
    ):
        with pytest.raises(BadRequest, match="rego_parse_error"):
            await circle.policies.push_bundle(ID, {"a.rego": "pakcage"})
