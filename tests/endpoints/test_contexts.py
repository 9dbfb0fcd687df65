"""Contexts: whose they are, the variables that the API does not list, and values that stay unseen."""

import asyncio
import json
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from tests.endpoints.case import ID
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
    ("owner", "message"),
    [
        ({}, "owner_id=None, owner_slug=None: give exactly one of the two"),
        ({"owner_id": "i", "owner_slug": "gh/acme"}, "owner_id='i', owner_slug='gh/acme': give exactly one of the two"),
        ({"owner_type": "organization"}, "owner_id=None, owner_slug=None: give exactly one of the two"),
        ({"owner_id": ""}, "owner_id='': give the id of an organization"),
        ({"owner_slug": ""}, "organization can't be '': give vcs/name, such as gh/acme"),
        ({"owner_slug": "gh/acme/api"}, "organization can't be 'gh/acme/api': give vcs/name, such as gh/acme"),
        (
            {"owner_slug": "gh/acme", "owner_type": ca.OwnerType.ACCOUNT},
            "owner_type='account', owner_slug='gh/acme': an account is named by owner_id",
        ),
    ],
    ids=repr,
)
async def test_a_context_has_one_owner_that_is_named_in_one_way(owner: dict[str, Any], message: str) -> None:
    assert (await refusal(lambda c: c.contexts.list(**owner))).startswith(message)
    assert (await refusal(lambda c: c.contexts.create("aws", **owner))).startswith(message)


@pytest.mark.parametrize("wrong", ["", ".", "..", None, True, b"x"], ids=repr)
async def test_what_can_not_be_part_of_a_path_is_refused(wrong: Any) -> None:
    for do in (
        lambda c: c.contexts.get(wrong),
        lambda c: c.contexts.delete(wrong),
        lambda c: c.contexts.variables(wrong),
        lambda c: c.contexts.set_variable(wrong, "A", "s3cret"),
        lambda c: c.contexts.set_variable(ID, wrong, "s3cret"),
        lambda c: c.contexts.delete_variable(wrong, "A"),
        lambda c: c.contexts.delete_variable(ID, wrong),
        lambda c: c.contexts.restrictions(wrong),
        lambda c: c.contexts.add_restriction(wrong, type="expression", value="true"),
        lambda c: c.contexts.delete_restriction(wrong, ID),
        lambda c: c.contexts.delete_restriction(ID, wrong),
    ):
        message = await refusal(do)
        assert "can't be part of a path" in message
        assert "s3cret" not in message


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "is of type NoneType: give text (a str)"),
        (b"s3cret", "is of type bytes: give text (a str)"),
        (["s3cret"], "is of type list: give text (a str)"),
        (53, "is of type int: give text (a str)"),
        ("s3cret\udcff", "is not whole text, and can't be sent"),
    ],
    ids=ascii,
)
async def test_a_value_that_is_no_text_is_refused_and_not_shown(value: Any, problem: str) -> None:
    message = await refusal(lambda c: c.contexts.set_variable(ID, "KEY", value))
    assert message == f"the value of 'KEY' {problem}"
    message = await refusal(lambda c: c.environment_variables.set("gh/acme/api", "KEY", value))
    assert message == f"the value of 'KEY' {problem}"


def for_ever(*, afresh: bool) -> Behaviour:
    """Answer with the first page whatever page is asked for; `afresh`: under another token each time."""
    count = 0

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        nonlocal count
        count += afresh
        return await answer(200, {"items": HUNDRED, "next_page_token": f"token {count}"})(request, writer)

    return behave


@pytest.mark.parametrize("afresh", [False, True], ids=["the same token", "ever new tokens"])
async def test_a_list_of_variables_that_repeats_ends_with_a_warning_and_nothing_twice(afresh: bool) -> None:
    async with raw_server(for_ever(afresh=afresh)) as server, ca.CircleCI("t", host=server.url) as circle:
        with pytest.warns(ca.TruncatedListWarning) as warned:
            names = [each.variable async for each in circle.contexts.variables(ID)]
        with pytest.warns(ca.TruncatedListWarning):
            collected = await circle.contexts.variables(ID).collect()
        assert len(server.requests) == 4
    assert names == [each.variable for each in collected] == [f"V{number}" for number in range(100)]
    [warning] = warned
    assert str(warning.message) == f"context {ID} may have more variables: the API lists only the first 100"


async def test_no_more_variables_than_are_wanted_need_no_warning() -> None:
    async with raw_server(for_ever(afresh=False)) as server, ca.CircleCI("t", host=server.url) as circle:
        assert (await circle.contexts.variables(ID).first()) is not None
        assert len(await circle.contexts.variables(ID).collect(limit=100)) == 100
        assert len(server.requests) == 2


@pytest.mark.parametrize("count", [0, 99, 100])
async def test_a_hundred_variables_are_all_there_are_without_a_warning(count: int) -> None:
    context = (world := World()).context("gh/acme", "aws")
    for number in range(count):
        context.variable(f"V{number}", "")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert len(await circle.contexts.variables(context.id).collect()) == count


async def test_more_than_a_hundred_are_cut() -> None:
    context = (world := World()).context("gh/acme", "aws")
    for number in range(101):
        context.variable(f"V{number}", "")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        with pytest.warns(ca.TruncatedListWarning):
            found = await circle.contexts.variables(context.id).collect()
        assert [each.variable for each in found] == [f"V{number}" for number in range(100)]


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": [], "next_page_token": None}], ids=repr)
async def test_an_answer_without_restrictions_is_an_empty_list(body: Any) -> None:
    async with raw_server(answer(200, body)) as server, ca.CircleCI("t", host=server.url) as circle:
        assert await circle.contexts.restrictions(ID).collect() == []


async def test_setting_a_variable_answers_with_it_or_with_a_message() -> None:
    answers = answer(200, VARIABLE), answer(200, {"message": "Set."}), answer(200, {})
    async with raw_server(*answers) as server, ca.CircleCI("t", host=server.url) as circle:
        assert (await circle.contexts.set_variable(ID, "A", "x")).variable == "AWS_REGION"
        assert (await circle.contexts.set_variable(ID, "A", "x")) == ca.ContextVariableResult(message="Set.")
        assert (await circle.contexts.set_variable(ID, "A", "x")) == ca.ContextVariableResult()


async def test_a_value_arrives_as_it_is_and_stays_unseen() -> None:
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


async def test_an_older_answer_says_less_of_a_variable_and_of_a_context() -> None:
    old = {"id": str(ID), "name": "aws", "created_at": "2019-05-04T10:00:00.042Z"}
    page = {"items": [{"variable": "A"}], "next_page_token": None}
    async with raw_server(answer(200, old), answer(200, page)) as server, ca.CircleCI("t", host=server.url) as circle:
        details = await circle.contexts.get(ID)
        assert (details.org_id, details.environment_variables, details.restrictions) == (None, (), ())
        assert await circle.contexts.variables(ID).collect() == [ca.ContextVariable(variable="A")]


async def test_a_context_that_is_not_there_is_denied() -> None:
    async with FakeCircleCI(World()) as fake, fake.client() as circle:
        with pytest.raises(ca.PermissionDenied):
            await circle.contexts.get(ID)


async def test_a_context_is_found_by_its_name_and_its_owner() -> None:
    world = World()
    world.organization("gh/acme")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        made = await circle.contexts.create("aws", owner_slug="github/acme")
        await circle.contexts.create("gcp", owner_id=world.organizations["gh/acme"].id)
        assert [each.name async for each in circle.contexts.list(owner_slug="gh/acme")] == ["aws", "gcp"]
        assert await circle.contexts.list(owner_slug="gh/acme", name="aws").collect() == [made]
        sent = json.loads(fake.requests[0].body)
    assert sent == {"name": "aws", "owner": {"slug": "gh/acme", "type": "organization"}}
