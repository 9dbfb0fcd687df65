"""Contexts: owners, truncated lists of variables, and secret values."""

import asyncio
import json
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.models import ContextVariable, ContextVariableResult
from circleci_async.testing import FakeCircleCI, World
from tests.endpoints.examples import ID
from tests.endpoints.refusal import refusal
from tests.raw_server import Behaviour, Request, answer, raw_server

VARIABLE = {
    "variable": "AWS_REGION",
    "created_at": "2026-05-04T10:00:00.042Z",
    "updated_at": "2026-05-04T10:12:30.511Z",
    "context_id": str(ID),
}
HUNDRED = [{**VARIABLE, "variable": f"V{number}"} for number in range(100)]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "must be a string, got NoneType"),
        (b"s3cret", "must be a string, got bytes"),
        (["s3cret"], "must be a string, got list"),
        (53, "must be a string, got int"),
        ("s3cret\udcff", "must be valid Unicode: it contains a lone surrogate"),
    ],
    ids=ascii,
)
async def test_an_invalid_value_is_refused_without_showing_it(value: Any, problem: str) -> None:
    message = await refusal(lambda c: c.contexts.set_variable(ID, "KEY", value))
    assert message == f"the value of 'KEY' {problem}"
    message = await refusal(lambda c: c.environment_variables.set("gh/acme/api", "KEY", value))
    assert message == f"the value of 'KEY' {problem}"


def repeat_first_page(*, new_tokens: bool) -> Behaviour:
    """Answer every request with the first page; `new_tokens`: with another token each time."""
    count = 0

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal count
        count += new_tokens
        return await answer(200, {"items": HUNDRED, "next_page_token": f"token {count}"})(request, writer)

    return behave


@pytest.mark.parametrize("new_tokens", [False, True], ids=["the same token", "new tokens"])
async def test_a_repeated_page_of_variables_ends_the_list_with_a_warning(new_tokens: bool) -> None:
    async with (
        raw_server(repeat_first_page(new_tokens=new_tokens)) as server,
        ca.CircleCI("t", host=server.url) as circle,
    ):
        with pytest.warns(ca.TruncatedListWarning) as warned:
            names = [each.variable async for each in circle.contexts.variables(ID)]
        with pytest.warns(ca.TruncatedListWarning):
            collected = await circle.contexts.variables(ID).collect()
        assert len(server.requests) == 4
    assert names == [each.variable for each in collected] == [f"V{number}" for number in range(100)]
    [warning] = warned
    assert str(warning.message) == f"context {ID} may have more variables: the API lists only the first 100"


async def test_a_limit_within_the_first_page_gives_no_warning() -> None:
    async with raw_server(repeat_first_page(new_tokens=False)) as server, ca.CircleCI("t", host=server.url) as circle:
        assert (await circle.contexts.variables(ID).first()) is not None
        assert len(await circle.contexts.variables(ID).collect(limit=100)) == 100
        assert len(server.requests) == 2


@pytest.mark.parametrize("count", [0, 99, 100])
async def test_up_to_a_hundred_variables_give_no_warning(count: int) -> None:
    context = (world := World()).context("gh/acme", "aws")
    for number in range(count):
        context.variable(f"V{number}", "")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert len(await circle.contexts.variables(context.id).collect()) == count


async def test_more_than_a_hundred_variables_are_truncated_with_a_warning() -> None:
    context = (world := World()).context("gh/acme", "aws")
    for number in range(101):
        context.variable(f"V{number}", "")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        with pytest.warns(ca.TruncatedListWarning):
            found = await circle.contexts.variables(context.id).collect()
        assert [each.variable for each in found] == [f"V{number}" for number in range(100)]


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": [], "next_page_token": None}], ids=repr)
async def test_restrictions_default_to_an_empty_list(body: Any) -> None:
    async with raw_server(answer(200, body)) as server, ca.CircleCI("t", host=server.url) as circle:
        assert await circle.contexts.restrictions(ID).collect() == []


async def test_the_result_of_setting_a_variable_is_the_variable_or_a_message() -> None:
    answers = answer(200, VARIABLE), answer(200, {"message": "Set."}), answer(200, {})
    async with raw_server(*answers) as server, ca.CircleCI("t", host=server.url) as circle:
        assert (await circle.contexts.set_variable(ID, "A", "x")).variable == "AWS_REGION"
        assert (await circle.contexts.set_variable(ID, "A", "x")) == ContextVariableResult(message="Set.")
        assert (await circle.contexts.set_variable(ID, "A", "x")) == ContextVariableResult()


async def test_a_value_is_sent_unchanged_and_never_shown() -> None:
    context = (world := World()).context("gh/acme", "aws")
    value = '-----BEGIN KEY-----\n"\u00e9\U0001f511"\t\\ %2F+\r\n'
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        await circle.contexts.set_variable(context.id, "KEY", value)
        [listed] = await circle.contexts.variables(context.id).collect()
        details = await circle.contexts.get(context.id)
    assert context.variables["KEY"].value == value
    assert value not in repr(context.variables["KEY"])
    assert listed.truncated_value == value[-4:]
    assert [each.variable for each in details.environment_variables] == ["KEY"]
    assert details.org_id == context.organization_id


async def test_only_identifying_fields_of_contexts_and_variables_are_required() -> None:
    old = {"id": str(ID), "name": "aws", "created_at": "2019-05-04T10:00:00.042Z"}
    page = {"items": [{"variable": "A"}], "next_page_token": None}
    async with raw_server(answer(200, old), answer(200, page)) as server, ca.CircleCI("t", host=server.url) as circle:
        details = await circle.contexts.get(ID)
        assert (details.org_id, details.environment_variables, details.restrictions) == (None, (), ())
        assert await circle.contexts.variables(ID).collect() == [ContextVariable(variable="A")]


async def test_a_missing_context_raises_permission_denied() -> None:
    async with FakeCircleCI(World()) as fake, fake.client() as circle:
        with pytest.raises(ca.PermissionDenied):
            await circle.contexts.get(ID)


async def test_contexts_are_listed_by_owner_and_name() -> None:
    world = World()
    world.organization("gh/acme")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        made = await circle.contexts.create("aws", owner_slug="github/acme")
        await circle.contexts.create("gcp", owner_id=world.organizations["gh/acme"].id)
        assert [each.name async for each in circle.contexts.list(owner_slug="gh/acme")] == ["aws", "gcp"]
        assert await circle.contexts.list(owner_slug="gh/acme", name="aws").collect() == [made]
        sent = json.loads(fake.requests[0].body)
    assert sent == {"name": "aws", "owner": {"slug": "gh/acme", "type": "organization"}}
