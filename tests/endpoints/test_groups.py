"""Groups: the server truncates the list, which raises a warning."""

import warnings
from typing import Any

import pytest

from circleci_async import CircleCI, TruncatedListWarning
from circleci_async.testing import FakeCircleCI, OrganizationGroup, World
from tests.endpoints.examples import ID
from tests.raw_server import answer, raw_server


def world_with(count: int) -> tuple[World, str]:
    world = World()
    acme = world.organization("gh/acme")
    for number in range(count):
        group = OrganizationGroup(world.new_id(), f"group {number}")
        acme.groups[group.id] = group
    return world, acme.id


async def test_up_to_a_hundred_groups_give_no_warning() -> None:
    world, acme = world_with(100)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        with warnings.catch_warnings(action="error", category=TruncatedListWarning):
            groups = await circle.groups.list(acme, limit=10).collect()
        assert [group.name for group in groups] == [f"group {number}" for number in range(100)]
        assert len(fake.requests) == 1


async def test_more_than_a_hundred_groups_are_truncated_with_a_warning() -> None:
    world, acme = world_with(101)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        with pytest.warns(TruncatedListWarning, match="may have more groups: the API lists only the first 100"):
            groups = await circle.groups.list(acme).collect()
        assert [group.name for group in groups] == [f"group {number}" for number in range(100)]
        assert len(fake.requests) == 2


async def test_page_tokens_of_groups_are_followed() -> None:
    pages: list[dict[str, Any]] = [
        {"items": [{"id": str(ID), "name": "a"}], "next_page_token": "t"},
        {"items": [{"id": str(ID), "name": "b", "description": None}]},
    ]
    answers = [answer(200, page) for page in pages]
    async with raw_server(*answers) as server, CircleCI("t", host=server.url) as circle:
        assert [group.name async for group in circle.groups.list(ID, limit=1)] == ["a", "b"]
        assert server.requests[1].target.endswith("/groups?limit=1&page-token=t")
