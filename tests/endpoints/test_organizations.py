"""Organizations: slugs and ids in paths, and unknown enum values."""

from typing import Any
from uuid import UUID

import pytest

from circleci_async import CircleCI, NotFound, OrgSlug
from circleci_async.testing import FakeCircleCI, World
from tests.endpoints.examples import ID_2
from tests.raw_server import answer, raw_server

OPAQUE = "circleci/9YytKzouJxzu4TjCRFqAoD"


@pytest.mark.parametrize("organization", ["gh/acme", "github/acme", OrgSlug("gh", "acme"), "id", "UUID"])
async def test_an_organization_is_identified_by_slug_or_id(organization: Any) -> None:
    world = World()
    acme = world.organization("gh/acme")
    given: Any = {"id": acme.id, "UUID": UUID(acme.id)}.get(str(organization), organization)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert (await circle.organizations.get(given)).slug == "gh/acme"
        assert (await circle.projects.create(given, "api")).slug == "gh/acme/api"
        added = await circle.url_orb_allow_list.create(given, name="orbs", prefix="https://orbs/", auth="none")
        assert [entry.id for entry in await circle.url_orb_allow_list.list(given)] == [added.id]
        assert (await circle.url_orb_allow_list.delete(given, added.id)).id == added.id
        assert (await circle.organizations.delete(given)).message == "Accepted."
        with pytest.raises(NotFound):
            await circle.organizations.get(given)


async def test_only_organization_slugs_are_sent_with_an_escaped_slash() -> None:
    world = World()
    world.project("gh/acme/api")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        await circle.organizations.get("gh/acme")
        await circle.projects.settings("gh/acme/api")
        await circle.projects.update_settings("gh/acme/api", disable_ssh=True)
        await circle.pipelines.run("gh/acme/api")
        await circle.projects.set_up("gh/acme/web")
        await circle.projects.delete("gh/acme/api")
        assert [f"{request.method} {request.path}" for request in fake.requests] == [
            "GET /api/v2/organization/gh%2Facme",
            "GET /api/v2/project/gh/acme/api/settings",
            "PATCH /api/v2/project/gh/acme/api/settings",
            "POST /api/v2/project/gh/acme/api/pipeline/run",
            "POST /api/v2/project/gh/acme/web",
            "DELETE /api/v2/project/gh/acme/api",
        ]


async def test_unknown_enum_values_of_responses_are_kept() -> None:
    body = {"id": "1", "name": "acme", "slug": OPAQUE, "vcs_type": "forgejo"}
    entries = {"items": [{"id": str(ID_2), "name": "n", "prefix": "p", "auth": "forgejo-app"}]}
    async with raw_server(answer(200, body), answer(200, entries)) as server, CircleCI("t", host=server.url) as circle:
        assert (await circle.organizations.get(OPAQUE)).vcs_type == "forgejo"
        [entry] = await circle.url_orb_allow_list.list(OPAQUE)
        assert entry.auth == "forgejo-app"


@pytest.mark.parametrize("body", ["", "null", "{}"])
async def test_the_confirmation_of_the_allow_list_can_be_empty(body: str) -> None:
    async with raw_server(answer(200, body)) as server, CircleCI("t", host=server.url) as circle:
        removed = await circle.url_orb_allow_list.delete("gh/acme", ID_2)
        assert (removed.id, removed.message) == ("", "")
