"""Schedules, with hyphenated fields."""

from typing import Any

import pytest

from circleci_async.testing import Project, World

from .caller import Caller
from .clock import Clock

SCHEDULES = "/project/gh/acme/api/schedule"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
WEEKLY: dict[str, Any] = {"per-hour": 1, "hours-of-day": [3], "days-of-week": ["MON", "FRI"], "months": ["MAY"]}
BODY: dict[str, Any] = {
    "name": "nightly",
    "timetable": WEEKLY,
    "attribution-actor": "current",
    "parameters": {"branch": "main", "deploy-to": "a", "n": 1, "dry_run": True},
}


@pytest.fixture(autouse=True)
def project(world: World) -> Project:
    return world.project("gh/acme/api")


async def test_a_schedule_is_created_read_listed_changed_and_deleted(api: Caller, clock: Clock) -> None:
    created = await api.post(SCHEDULES, BODY, status=201)
    me = api.fake.world.me
    assert created == {
        "id": created["id"],
        "timetable": WEEKLY,
        "updated-at": "2026-05-04T10:00:00.250Z",
        "name": "nightly",
        "created-at": "2026-05-04T10:00:00.250Z",
        "project-slug": "gh/acme/api",
        "parameters": BODY["parameters"],
        "actor": {"id": me.id, "login": me.login, "name": me.name, "avatar_url": me.avatar_url},
        "description": None,
    }
    path = f"/schedule/{created['id']}"
    assert await api.get(path) == created
    assert await api.walk(SCHEDULES) == [[created]]

    clock.wait(1)
    changes = {"name": "daily", "description": "by day", "parameters": {"tag": "v1"}, "attribution-actor": "system"}
    changed = await api.patch(path, changes)
    assert (changed["name"], changed["description"], changed["parameters"]) == ("daily", "by day", {"tag": "v1"})
    assert (changed["actor"]["login"], changed["timetable"]) == ("system-actor", WEEKLY)
    assert (changed["created-at"], changed["updated-at"]) == (created["created-at"], "2026-05-04T10:00:01.250Z")
    assert (await api.patch(path, {"description": None}))["description"] is None

    assert isinstance((await api.delete(path))["message"], str)
    for call in (api.get, api.patch, api.delete):
        await call(path, status=404)
    assert await api.walk(SCHEDULES) == [[]]


async def test_an_update_keeps_other_fields_and_one_kind_of_days(api: Caller) -> None:
    path = f"/schedule/{(await api.post(SCHEDULES, BODY, status=201))['id']}"

    changed = await api.patch(path, {"timetable": {"hours-of-day": [4, 5]}})
    assert changed["timetable"] == WEEKLY | {"hours-of-day": [4, 5]}
    changed = await api.patch(path, {"timetable": {"days-of-month": [1]}})
    assert changed["timetable"] == {"per-hour": 1, "hours-of-day": [4, 5], "months": ["MAY"], "days-of-month": [1]}


async def test_there_is_one_system_user(api: Caller) -> None:
    body = BODY | {"attribution-actor": "system"}
    first, second = [await api.post(SCHEDULES, body, status=201) for _ in range(2)]

    assert first["actor"] == second["actor"]
    assert first["actor"]["id"] != api.fake.world.me.id


async def test_schedules_are_paged_by_project(api: Caller, world: World) -> None:
    world.project("gh/acme/web")
    for number in range(21):
        await api.post(SCHEDULES, BODY | {"name": f"s{number}"}, status=201)

    pages = await api.walk(SCHEDULES)

    assert [len(page) for page in pages] == [20, 1]
    assert [each["name"] for page in pages for each in page] == [f"s{number}" for number in range(21)]
    assert await api.walk("/project/gh/acme/web/schedule") == [[]]


WRONG: list[dict[str, Any]] = [
    {"timetable": WEEKLY | {"per-hour": 0}},
    {"timetable": WEEKLY | {"per-hour": 61}},
    {"timetable": WEEKLY | {"per-hour": True}},
    {"timetable": WEEKLY | {"hours-of-day": 3}},
    {"timetable": WEEKLY | {"hours-of-day": [24]}},
    {"timetable": WEEKLY | {"hours-of-day": ["3"]}},
    {"timetable": WEEKLY | {"days-of-week": ["MONDAY"]}},
    {"timetable": WEEKLY | {"months": ["may"]}},
    {"timetable": WEEKLY | {"days-of-month": [1]}},
    {"timetable": {"per-hour": 1, "hours-of-day": [3], "days-of-month": [32]}},
    {"timetable": []},
    {"attribution-actor": "me"},
    {"parameters": {"n": 1}},
    {"parameters": {"branch": None}},
    {"parameters": {"branch": "main", "list": []}},
    {"parameters": {"branch": "main"} | {f"p{number}": number for number in range(100)}},
    {"name": None},
    {"description": 1},
]


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
async def test_an_invalid_body_is_rejected_and_changes_nothing(api: Caller, wrong: dict[str, Any]) -> None:
    created = await api.post(SCHEDULES, BODY, status=201)

    await api.post(SCHEDULES, BODY | wrong, status=400)
    await api.patch(f"/schedule/{created['id']}", wrong, status=400)

    assert await api.walk(SCHEDULES) == [[created]]


INCOMPLETE: list[dict[str, Any]] = [
    *({key: value for key, value in BODY.items() if key != missing} for missing in BODY),
    *(BODY | {"timetable": {k: v for k, v in WEEKLY.items() if k != missing}} for missing in list(WEEKLY)[:3]),
    {key.replace("-", "_"): value for key, value in BODY.items()},
    BODY | {"timetable": {key.replace("-", "_"): value for key, value in WEEKLY.items()}},
]


@pytest.mark.parametrize("body", INCOMPLETE, ids=range(len(INCOMPLETE)))
async def test_a_new_schedule_requires_all_fields_with_hyphens(api: Caller, body: dict[str, Any]) -> None:
    await api.post(SCHEDULES, body, status=400)


@pytest.mark.parametrize(("id", "status"), [(UNKNOWN, 404), ("nightly", 400)])
async def test_an_unknown_schedule_is_not_found(api: Caller, id: str, status: int) -> None:
    for call in (api.get, api.patch, api.delete):
        await call(f"/schedule/{id}", status=status)


async def test_schedules_are_not_public(api: Caller, project: Project) -> None:
    project.public = True
    api.headers = {}

    await api.get(SCHEDULES, status=401)
    await api.get(f"/schedule/{UNKNOWN}", status=401)
