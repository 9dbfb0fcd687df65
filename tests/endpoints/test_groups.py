"""The list of an organization's groups is cut by the server, which must be said."""

import warnings
from typing import Any

import pytest

from circleci_async import CircleCI, TruncatedListWarning
from circleci_async.testing import FakeCircleCI, OrganizationGroup, World
from tests.endpoints.case import ID
from tests.endpoints.refusal import refusal
from tests.raw_server import answer, raw_server


def world_with(count: int) -> tuple[World, str]:
    world = World()
    acme = world.organization("gh/acme")
    for number in range(count):
        group = OrganizationGroup(world.new_id(), f"group {number}")
        acme.groups[group.id] = group
    return world, acme.id


async def test_a_hundred_groups_are_all_there_are_and_nothing_is_said() -> None:
    world, acme = world_with(100)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        with warnings.catch_warnings(action="error", category=TruncatedListWarning):
            groups = await circle.groups.list(acme, limit=10).collect()
        assert [group.name for group in groups] == [f"group {number}" for number in range(100)]
        assert len(fake.requests) == 1


async def test_of_more_than_a_hundred_groups_the_first_are_given_once_with_a_warning() -> None:
    world, acme = world_with(101)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        with pytest.warns(TruncatedListWarning, match="may have more groups: the API lists only the first 100"):
            groups = await circle.groups.list(acme).collect()
        assert [group.name for group in groups] == [f"group {number}" for number in range(100)]
        assert len(fake.requests) == 2


async def test_a_server_that_pages_after_all_is_followed() -> None:
    pages: list[dict[str, Any]] = [
        {"items": [{"id": str(ID), "name": "a"}], "next_page_token": "t"},
        {"items": [{"id": str(ID), "name": "b", "description": None}]},
    ]
    answers = [answer(200, page) for page in pages]
    async with raw_server(*answers) as server, CircleCI("t", host=server.url) as circle:
        assert [group.name async for group in circle.groups.list(ID, limit=1)] == ["a", "b"]
        assert server.requests[1].target.endswith("/groups?limit=1&page-token=t")


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_page_of_nothing_is_refused(limit: int) -> None:
    assert f"limit={limit}: give a number from 1" in await refusal(lambda c: c.groups.list(ID, limit=limit))
