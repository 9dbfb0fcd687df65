"""Webhooks: at most five per project, with masked secrets."""

from typing import Any

import pytest

from circleci_async.testing import Project, World

from .caller import Caller
from .clock import Clock

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def project(world: World) -> Project:
    return world.project("gh/acme/api")


@pytest.fixture
def body(project: Project) -> dict[str, Any]:
    return {
        "name": "deploys",
        "url": "https://hooks.acme.dev/circleci",
        "events": ["workflow-completed"],
        "scope": {"id": project.id, "type": "project"},
        "verify_tls": False,
        "signing_secret": "s3cret",
    }


async def test_a_webhook_is_created_read_listed_changed_and_deleted(
    api: Caller, body: dict[str, Any], project: Project, clock: Clock
) -> None:
    created = await api.post("/webhook", body, status=201)
    assert created == {
        "url": "https://hooks.acme.dev/circleci",
        "verify_tls": False,
        "id": created["id"],
        "signing_secret": "****",
        "updated_at": "2026-05-04T10:00:00.250Z",
        "name": "deploys",
        "created_at": "2026-05-04T10:00:00.250Z",
        "scope": {"id": project.id, "type": "project"},
        "events": ["workflow-completed"],
    }
    assert project.webhooks[created["id"]].signing_secret == "s3cret"
    assert "s3cret" not in repr(project.webhooks[created["id"]])
    path = f"/webhook/{created['id']}"
    listing = f"/webhook?scope-id={project.id}&scope-type=project"
    assert await api.get(path) == created
    assert await api.get(listing) == {"items": [created], "next_page_token": None}

    clock.wait(1)
    changed = await api.put(path, {"name": "jobs", "events": ["job-completed"], "scope": {"id": UNKNOWN}})
    assert changed == created | {
        "name": "jobs",
        "events": ["job-completed"],
        "updated_at": "2026-05-04T10:00:01.250Z",
    }
    changed = await api.put(path, {"url": "https://other.dev", "verify_tls": True, "signing_secret": ""})
    assert (changed["url"], changed["verify_tls"], changed["signing_secret"]) == ("https://other.dev", True, "")

    assert isinstance((await api.delete(path))["message"], str)
    for call in (api.get, api.put, api.delete):
        await call(path, status=404)
    assert (await api.get(listing))["items"] == []


async def test_names_with_a_hyphen_are_accepted_and_ignored(
    api: Caller, body: dict[str, Any], project: Project
) -> None:
    hyphenated = {key.replace("_", "-"): value for key, value in body.items()}
    created = await api.post("/webhook", hyphenated, status=201)
    assert (created["verify_tls"], created["signing_secret"]) == (True, "")
    assert project.webhooks[created["id"]].signing_secret == ""

    path = f"/webhook/{created['id']}"
    await api.put(path, {"signing_secret": "s3cret"})
    changed = await api.put(path, {"verify-tls": False, "signing-secret": ""})
    assert (changed["verify_tls"], changed["signing_secret"]) == (True, "****")


async def test_a_project_has_at_most_five_webhooks(
    api: Caller, body: dict[str, Any], project: Project, world: World
) -> None:
    ids = [(await api.post("/webhook", body, status=201))["id"] for _ in range(5)]
    await api.post("/webhook", body, status=400)
    await api.post("/webhook", body | {"scope": {"id": world.project("gh/acme/web").id, "type": "project"}}, status=201)
    await api.delete(f"/webhook/{ids[0]}")
    await api.post("/webhook", body, status=201)
    assert len(project.webhooks) == 5


WRONG: list[dict[str, Any]] = [
    {"url": "http://hooks.acme.dev"},
    {"url": 1},
    {"events": []},
    {"events": "job-completed"},
    {"events": ["job-started"]},
    {"events": [["job-completed"]]},
    {"verify_tls": "yes"},
    {"signing_secret": None},
    {"name": 7},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_an_invalid_body_is_rejected_and_changes_nothing(
    api: Caller, body: dict[str, Any], wrong: dict[str, Any]
) -> None:
    created = await api.post("/webhook", body, status=201)

    await api.post("/webhook", body | wrong, status=400)
    await api.put(f"/webhook/{created['id']}", wrong, status=400)

    assert await api.get(f"/webhook/{created['id']}") == created


@pytest.mark.parametrize("missing", ["name", "url", "events", "scope", "verify_tls", "signing_secret"])
async def test_a_new_webhook_requires_all_fields(api: Caller, body: dict[str, Any], missing: str) -> None:
    del body[missing]
    await api.post("/webhook", body, status=400)


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"id": UNKNOWN, "type": "project"}, 404),
        ({"id": "gh/acme/api", "type": "project"}, 400),
        ({"id": UNKNOWN, "type": "organization"}, 400),
        ({"id": UNKNOWN}, 400),
        ({"type": "project"}, 400),
        ({"id": 1, "type": "project"}, 400),
    ],
    ids=str,
)
async def test_a_webhook_belongs_to_a_project(api: Caller, body: dict[str, Any], scope: Any, status: int) -> None:
    await api.post("/webhook", body | {"scope": scope}, status=status)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        (f"?scope-id={UNKNOWN}", 400),
        ("?scope-type=project", 400),
        (f"?scope-id={UNKNOWN}&scope-type=organization", 400),
        (f"?scope-id={UNKNOWN}&scope-type=project", 404),
    ],
)
async def test_webhooks_are_listed_by_project_only(api: Caller, query: str, status: int) -> None:
    await api.get(f"/webhook{query}", status=status)


@pytest.mark.parametrize(("id", "status"), [(UNKNOWN, 404), ("deploys", 400)])
async def test_an_unknown_webhook_is_not_found(api: Caller, id: str, status: int) -> None:
    for call in (api.get, api.put, api.delete):
        await call(f"/webhook/{id}", status=status)
