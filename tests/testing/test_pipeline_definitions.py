"""Pipeline definitions of a project."""

from typing import Any

import pytest

from circleci_async.testing import Project, World

from .caller import Caller

UNKNOWN = "00000000-0000-4000-8000-000000000000"
REPO = {"external_id": "123"}
NAMED = {"external_id": "123", "full_name": "acme/api"}
BODY: dict[str, Any] = {
    "name": "api",
    "config_source": {"provider": "github_app", "repo": REPO, "file_path": ".circleci/config.yml"},
    "checkout_source": {"provider": "github_app", "repo": REPO},
}


@pytest.fixture(autouse=True)
def project(world: World) -> Project:
    return world.project("gh/acme/api")


@pytest.fixture
def definitions(project: Project) -> str:
    return f"/projects/{project.id}/pipeline-definitions"


async def test_a_definition_is_created_read_listed_changed_and_deleted(api: Caller, definitions: str) -> None:
    created = await api.post(definitions, BODY, status=200)
    assert created == {
        "id": created["id"],
        "name": "api",
        "created_at": "2026-05-04T10:00:00.250Z",
        "config_source": {"provider": "github_app", "repo": NAMED, "file_path": ".circleci/config.yml"},
        "checkout_source": {"provider": "github_app", "repo": NAMED},
    }
    path = f"{definitions}/{created['id']}"
    assert await api.get(path) == created
    assert await api.get(definitions) == {"items": [created]}

    changes = {
        "name": "web",
        "description": "of the web",
        "config_source": {"file_path": "web.yml"},
        "checkout_source": {"repo": {"external_id": "456"}},
    }
    changed = await api.patch(path, changes)
    assert changed == created | {
        "name": "web",
        "description": "of the web",
        "config_source": created["config_source"] | {"file_path": "web.yml"},
        "checkout_source": {"provider": "github_app", "repo": NAMED | {"external_id": "456"}},
    }
    assert await api.patch(path, {"checkout_source": {"provider": "github_app"}}) == changed

    assert isinstance((await api.delete(path))["message"], str)
    for call in (api.get, api.patch, api.delete):
        await call(path, status=404)
    assert await api.get(definitions) == {"items": []}


async def test_a_config_source_can_lack_a_repository(api: Caller, definitions: str) -> None:
    source = {"provider": "circleci", "file_path": "a.yml"}
    created = await api.post(definitions, BODY | {"config_source": source, "description": ""}, status=200)
    assert (created["config_source"], created["description"]) == (source, "")


async def test_a_changed_config_source_is_ignored(api: Caller, definitions: str) -> None:
    created = await api.post(definitions, BODY, status=200)
    other = {"provider": "circleci", "repo": {"external_id": "456"}}
    assert await api.patch(f"{definitions}/{created['id']}", {"config_source": other}) == created


async def test_an_old_definition_has_no_date(api: Caller, definitions: str, project: Project) -> None:
    created = await api.post(definitions, BODY, status=200)
    project.definitions[created["id"]].created_at = None
    assert "created_at" not in await api.get(f"{definitions}/{created['id']}")


def _without(source: str, missing: str) -> dict[str, Any]:
    return {source: {key: value for key, value in BODY[source].items() if key != missing}}


WRONG: list[dict[str, Any]] = [
    {"name": 1},
    {"description": None},
    {"config_source": []},
    {"config_source": BODY["config_source"] | {"file_path": 1}},
    {"checkout_source": {"provider": "github_oauth", "repo": REPO}},
    {"checkout_source": {"provider": "github_app", "repo": {}}},
    {"checkout_source": {"provider": "github_app", "repo": {"external_id": 123}}},
    {"checkout_source": {"provider": "github_app", "repo": {"external_id": ""}}},
]
INCOMPLETE: list[dict[str, Any]] = [
    {"config_source": BODY["config_source"] | {"provider": "github"}},
    *(_without("config_source", missing) for missing in BODY["config_source"]),
    *(_without("checkout_source", missing) for missing in BODY["checkout_source"]),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_an_invalid_body_is_rejected_and_changes_nothing(
    api: Caller, definitions: str, wrong: dict[str, Any]
) -> None:
    created = await api.post(definitions, BODY, status=200)

    await api.post(definitions, BODY | wrong, status=400)
    await api.patch(f"{definitions}/{created['id']}", wrong, status=400)

    assert await api.get(definitions) == {"items": [created]}


@pytest.mark.parametrize("wrong", INCOMPLETE, ids=str)
async def test_a_new_definition_requires_all_fields(api: Caller, definitions: str, wrong: dict[str, Any]) -> None:
    await api.post(definitions, BODY | wrong, status=400)


@pytest.mark.parametrize("missing", BODY)
async def test_a_new_definition_requires_a_name_and_both_sources(api: Caller, definitions: str, missing: str) -> None:
    await api.post(definitions, {key: value for key, value in BODY.items() if key != missing}, status=400)


async def test_a_definition_is_found_in_its_own_project_only(api: Caller, definitions: str, world: World) -> None:
    created = await api.post(definitions, BODY, status=200)
    web = world.project("gh/acme/web")

    await api.get(f"/projects/{web.id}/pipeline-definitions/{created['id']}", status=404)
    assert await api.get(f"/projects/{web.id}/pipeline-definitions") == {"items": []}


@pytest.mark.parametrize(("id", "status"), [(UNKNOWN, 404), ("api", 400)])
async def test_an_unknown_project_is_not_found(api: Caller, id: str, status: int) -> None:
    await api.get(f"/projects/{id}/pipeline-definitions", status=status)
    await api.post(f"/projects/{id}/pipeline-definitions", BODY, status=status)
