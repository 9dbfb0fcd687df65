"""The URL orb allow-list of an organization."""

from typing import Any

import pytest

from circleci_async.testing import World

from .caller import Caller

ENTRY = {"name": "orbs", "prefix": "https://raw.githubusercontent.com/acme/orbs/", "auth": "github-app"}


@pytest.fixture
def allowed(world: World) -> str:
    world.organization("gh/acme")
    return "/organization/gh%2Facme/url-orb-allow-list"


async def test_an_entry_is_added_listed_and_removed(api: Caller, allowed: str, world: World) -> None:
    added = await api.post(allowed, ENTRY, status=200)

    assert await api.get(allowed) == {"items": [{"id": added["id"], **ENTRY}]}
    by_id = f"/organization/{world.organizations['gh/acme'].id}/url-orb-allow-list"
    assert await api.get(by_id) == await api.get(allowed)
    assert (await api.delete(f"{allowed}/{added['id']}"))["id"] == added["id"]
    assert await api.get(allowed) == {"items": []}
    await api.delete(f"{allowed}/{added['id']}", status=404)


@pytest.mark.parametrize(
    "body", [None, {**ENTRY, "auth": "token"}, {**ENTRY, "auth": None}, {**ENTRY, "prefix": 1}, {"auth": "none"}]
)
async def test_an_invalid_entry_is_not_added(api: Caller, allowed: str, body: Any) -> None:
    await api.post(allowed, body, status=400)

    assert await api.get(allowed) == {"items": []}
