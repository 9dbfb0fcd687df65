"""Triggers of pipeline definitions."""

from typing import Any

import pytest

from circleci_async.testing import Project, World

from .caller import Caller

UNKNOWN = "00000000-0000-4000-8000-000000000000"
REPO = {"external_id": "123"}
DEFINITION: dict[str, Any] = {
    "name": "api",
    "config_source": {"provider": "github_app", "repo": REPO, "file_path": ".circleci/config.yml"},
    "checkout_source": {"provider": "github_app", "repo": REPO},
}
REFS = {"event_name": "nightly", "checkout_ref": "main", "config_ref": "v1"}
PUSH: dict[str, Any] = {"event_source": {"provider": "github_app", "repo": REPO}, "event_preset": "all-pushes"}
WEBHOOK: dict[str, Any] = {"event_source": {"provider": "webhook", "webhook": {"sender": "registry"}}, **REFS}
CRON = {"cron_expression": "0 3 * * *"}
SCHEDULE: dict[str, Any] = {"event_source": {"provider": "schedule", "schedule": CRON}, **REFS}


@pytest.fixture(autouse=True)
def project(world: World) -> Project:
    return world.project("gh/acme/api")


@pytest.fixture
async def definition(api: Caller, project: Project) -> str:
    created = await api.post(f"/projects/{project.id}/pipeline-definitions", DEFINITION, status=200)
    return f"/projects/{project.id}/pipeline-definitions/{created['id']}"


@pytest.fixture
def triggers(definition: str) -> str:
    return f"{definition}/triggers"


def path_of(triggers: str, trigger: Any) -> str:
    return f"{triggers.partition('/pipeline-definitions')[0]}/triggers/{trigger['id']}"


async def test_a_trigger_is_created_read_listed_changed_and_deleted(api: Caller, triggers: str) -> None:
    created = await api.post(triggers, PUSH, status=200)
    assert created == {
        "id": created["id"],
        "created_at": "2026-05-04T10:00:00.250Z",
        "event_source": {"provider": "github_app", "repo": {"full_name": "acme/api", "external_id": "123"}},
        "event_preset": "all-pushes",
    }
    path = path_of(triggers, created)
    assert await api.get(path) == created
    assert await api.get(triggers) == {"items": [created]}

    changes = {"event_preset": "only-tags", "disabled": True, "checkout_ref": "main", "config_ref": "main"}
    assert await api.patch(path, changes) == created | changes
    enabled = await api.patch(path, {"disabled": False})
    assert "disabled" not in enabled, "the API does not say so of an enabled trigger"

    assert isinstance((await api.delete(path))["message"], str)
    for call in (api.get, api.patch, api.delete):
        await call(path, status=404)
    assert await api.get(triggers) == {"items": []}


async def test_the_secret_of_a_webhook_url_is_shown_once(api: Caller, triggers: str) -> None:
    created = await api.post(triggers, WEBHOOK, status=200)
    source = created.pop("event_source")
    address, _, secret = source["webhook"]["url"].partition("?secret=")
    assert len(secret) == 40
    assert source["webhook"]["sender"] == "registry"
    assert (created["name"], created["description"], created["event_name"]) == ("registry", "nightly", "nightly")

    hidden = {"provider": "webhook", "webhook": {"url": f"{address}?secret=**REDACTED**", "sender": "registry"}}
    path = path_of(triggers, created)
    assert await api.get(path) == created | {"event_source": hidden}
    assert await api.get(triggers) == {"items": [created | {"event_source": hidden}]}
    changed = await api.patch(path, {"event_source": {"webhook": {"sender": "other"}}, "event_name": "pushed"})
    assert changed["event_source"]["webhook"] == {"url": f"{address}?secret=**REDACTED**", "sender": "other"}
    assert (changed["event_name"], changed["description"]) == ("pushed", "pushed")


async def test_a_schedule_has_the_id_of_its_actor(api: Caller, triggers: str) -> None:
    created = await api.post(triggers, SCHEDULE | {"parameters": {"a-b": [1], "a_b": None}}, status=200)
    me = api.fake.world.me.id
    assert created["event_source"] == {"provider": "schedule", "schedule": CRON | {"attribution_actor": {"id": me}}}
    assert created["parameters"] == {"a-b": [1], "a_b": None}

    source = {"provider": "schedule", "schedule": {"attribution_actor": "system"}}
    changed = await api.patch(path_of(triggers, created), {"event_source": source, "parameters": {}})
    assert changed["event_source"]["schedule"]["cron_expression"] == "0 3 * * *"
    assert changed["event_source"]["schedule"]["attribution_actor"]["id"] != me
    assert changed["parameters"] == {}


async def test_another_repository_is_ignored(api: Caller, triggers: str) -> None:
    created = await api.post(triggers, PUSH, status=200)
    other = {"provider": "github_app", "repo": {"external_id": "456"}}
    assert await api.patch(path_of(triggers, created), {"event_source": other}) == created


def _source(base: dict[str, Any], **source: Any) -> dict[str, Any]:
    return {"event_source": base["event_source"] | source}


WRONG: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (PUSH, {"event_source": None}),
    (PUSH, {"event_preset": "every-push"}),
    (PUSH, {"event_name": "push"}),
    (PUSH, {"disabled": "yes"}),
    (PUSH, {"parameters": []}),
    (PUSH, _source(PUSH, webhook={"sender": "x"})),
    (PUSH, _source(PUSH, schedule=CRON)),
    (PUSH, _source(PUSH, provider="gitlab")),
    (WEBHOOK, {"event_preset": "all-pushes"}),
    (WEBHOOK, _source(WEBHOOK, schedule=CRON)),
    (WEBHOOK, _source(WEBHOOK, webhook={"sender": 1})),
    (SCHEDULE, {"event_preset": "all-pushes"}),
    (SCHEDULE, _source(SCHEDULE, webhook={})),
    (SCHEDULE, _source(SCHEDULE, schedule={"cron_expression": "nightly"})),
    (SCHEDULE, _source(SCHEDULE, schedule=CRON | {"attribution_actor": "me"})),
    (SCHEDULE, _source(SCHEDULE, schedule=CRON | {"attribution_actor": {"id": UNKNOWN}})),
]


@pytest.mark.parametrize(("right", "wrong"), WRONG, ids=str)
async def test_an_invalid_body_is_rejected_and_changes_nothing(
    api: Caller, triggers: str, right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    created = await api.post(triggers, right, status=200)
    path = path_of(triggers, created)
    before = await api.get(path)

    await api.post(triggers, right | wrong, status=400)
    await api.patch(path, wrong, status=400)

    assert await api.get(triggers) == {"items": [before]}


INCOMPLETE: list[dict[str, Any]] = [
    {},
    {"event_source": {}},
    {"event_source": {"provider": "github_app"}},
    {"event_source": {"provider": "github_oauth", "repo": {}}},
    {"event_source": {"provider": "webhook", "repo": REPO}, **REFS},
    {"event_source": {"provider": "schedule"}, **REFS},
    {"event_source": {"provider": "schedule", "schedule": {}}, **REFS},
    *({key: value for key, value in base.items() if key != name} for base in (WEBHOOK, SCHEDULE) for name in REFS),
]


@pytest.mark.parametrize("body", INCOMPLETE, ids=str)
async def test_a_new_trigger_requires_the_fields_of_its_source(
    api: Caller, triggers: str, body: dict[str, Any]
) -> None:
    await api.post(triggers, body, status=400)


async def test_triggers_are_deleted_with_their_definition(api: Caller, definition: str, triggers: str) -> None:
    created = await api.post(triggers, PUSH, status=200)

    await api.delete(definition)

    await api.get(triggers, status=404)
    await api.get(path_of(triggers, created), status=404)


async def test_a_trigger_is_found_in_its_own_project_only(api: Caller, triggers: str, world: World) -> None:
    created = await api.post(triggers, PUSH, status=200)
    web = world.project("gh/acme/web")

    for call in (api.get, api.patch, api.delete):
        await call(f"/projects/{web.id}/triggers/{created['id']}", status=404)
        await call(f"/projects/{UNKNOWN}/triggers/{created['id']}", status=404)
        await call(f"/projects/{web.id}/triggers/push", status=400)
    await api.post(f"/projects/{web.id}/pipeline-definitions/{UNKNOWN}/triggers", PUSH, status=404)
