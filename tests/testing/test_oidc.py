"""OIDC claims."""

from typing import Any

import pytest

from circleci_async.testing import World

from .caller import Caller
from .clock import Clock

ID = "00000000-0000-4000-8000-000000000000"
AT = "2026-05-04T10:00:00.250Z"


@pytest.fixture
def org(world: World) -> str:
    return f"/org/{world.project('gh/acme/api').organization.id}"


async def test_claims_are_set_and_deleted_separately(api: Caller, org: str, clock: Clock) -> None:
    path = f"{org}/oidc-custom-claims"
    owner = {"org_id": org.removeprefix("/org/")}

    assert await api.get(path) == owner
    assert await api.patch(path, {"ttl": "1h30m"}) == {**owner, "ttl": "1h30m", "ttl_updated_at": AT}
    clock.wait(60)
    both = await api.patch(path, {"audience": ["vault", "aws"]})
    assert both == {
        **owner,
        "audience": ["vault", "aws"],
        "audience_updated_at": "2026-05-04T10:01:00.250Z",
        "ttl": "1h30m",
        "ttl_updated_at": AT,
    }
    assert await api.get(path) == both
    assert await api.delete(f"{path}?claims=ttl") == {key: both[key] for key in both if not key.startswith("ttl")}
    await api.patch(path, {"ttl": "1h"})
    assert await api.delete(f"{path}?claims=audience%2Cttl") == owner


async def test_project_and_organization_have_separate_claims(api: Caller, org: str, world: World) -> None:
    id = world.projects["gh/acme/api"].id
    path = f"{org}/project/{id}/oidc-custom-claims"
    await api.patch(f"{org}/oidc-custom-claims", {"ttl": "1h"})

    owner = {"org_id": org.removeprefix("/org/"), "project_id": id}
    assert await api.get(path) == owner
    assert await api.patch(path, {"audience": ["vault"]}) == {**owner, "audience": ["vault"], "audience_updated_at": AT}
    assert "audience" not in await api.get(f"{org}/oidc-custom-claims")
    assert await api.delete(f"{path}?claims=audience") == owner


@pytest.mark.parametrize(
    "body", [{"ttl": "90"}, {"ttl": "1h 30m"}, {"ttl": ""}, {"ttl": 90}, {"audience": "vault"}, {"audience": [1]}, []]
)
async def test_invalid_claims_answer_400(api: Caller, org: str, body: Any) -> None:
    path = f"{org}/oidc-custom-claims"

    assert (await api.patch(path, body, status=400)).keys() == {"error"}
    assert (await api.get(path)).keys() == {"org_id"}


@pytest.mark.parametrize("query", ["", "?claims=", "?claims=sub", "?claims=ttl,", "?claim=ttl"])
async def test_delete_requires_the_names_of_claims(api: Caller, org: str, query: str) -> None:
    await api.patch(f"{org}/oidc-custom-claims", {"ttl": "1h"})

    await api.delete(f"{org}/oidc-custom-claims{query}", status=400)

    assert (await api.get(f"{org}/oidc-custom-claims"))["ttl"] == "1h"


async def test_a_missing_owner_answers_404(api: Caller, org: str, world: World) -> None:
    elsewhere = world.project("gh/other/web")

    assert (await api.get(f"/org/{ID}/oidc-custom-claims", status=404)).keys() == {"error"}
    await api.get("/org/gh%2Facme/oidc-custom-claims", status=400)
    await api.get(f"{org}/project/{ID}/oidc-custom-claims", status=404)
    await api.get(f"{org}/project/{elsewhere.id}/oidc-custom-claims", status=404)
    await api.get(f"{org}/project/api/oidc-custom-claims", status=400)
