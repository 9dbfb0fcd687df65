"""Groups of an organization."""

from typing import Any

import pytest

from circleci_async.testing import World

from .caller import Caller

ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def groups(world: World) -> str:
    return f"/organizations/{world.organization('gh/acme').id}/groups"


async def test_a_group_is_created_read_listed_and_deleted(api: Caller, groups: str) -> None:
    described = await api.post(groups, {"name": "api", "description": "Who builds the API"}, status=201)
    bare = await api.post(groups, {"name": "web"}, status=201)

    assert described == {"id": described["id"], "name": "api", "description": "Who builds the API"}
    assert bare == {"id": bare["id"], "name": "web"}
    assert await api.get(f"{groups}/{bare['id']}") == bare
    assert await api.get(groups) == {"items": [described, bare], "next_page_token": None, "total_count": 2}

    assert (await api.delete(f"{groups}/{bare['id']}"))["message"]
    assert (await api.get(groups))["items"] == [described]
    await api.get(f"{groups}/{bare['id']}", status=404)
    await api.delete(f"{groups}/{bare['id']}", status=404)


async def test_every_page_has_the_first_hundred_groups(api: Caller, groups: str) -> None:
    made = [await api.post(groups, {"name": f"g{number}"}, status=201) for number in range(101)]

    first = await api.get(f"{groups}?limit=10")
    assert (first["items"], first["total_count"]) == (made[:100], 101)
    assert await api.get(f"{groups}?limit=10&page-token={first['next_page_token']}") == first


@pytest.mark.parametrize("body", [None, {}, {"name": ""}, {"name": 1}, {"name": "a", "description": 1}])
async def test_an_invalid_group_is_not_created(api: Caller, groups: str, body: Any) -> None:
    await api.post(groups, body, status=400)

    assert (await api.get(groups))["items"] == []


@pytest.mark.parametrize("organization", ["gh%2Facme", "acme"])
async def test_the_organization_is_identified_by_its_id(api: Caller, groups: str, organization: str) -> None:
    await api.get(f"/organizations/{organization}/groups", status=400)
    await api.get(f"/organizations/{ID}/groups", status=404)
    await api.get(f"{groups}/nonsense", status=400)
