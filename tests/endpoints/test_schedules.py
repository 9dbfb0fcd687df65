"""Schedules: the spelling of keys, and copying a schedule."""

from typing import Any

import circleci_async as ca
from circleci_async.models import AttributionActor, DayOfWeek, Month, Timetable, User
from circleci_async.testing import FakeCircleCI, World
from tests.raw_server import answer, raw_server

P = "gh/acme/api"
RIGHT: dict[str, Any] = {"per_hour": 1, "hours_of_day": (3,), "days_of_week": (DayOfWeek.MON,)}
MONTHLY: dict[str, Any] = {"per_hour": 1, "hours_of_day": (3,), "days_of_month": (1,)}


def create(circle: ca.CircleCI, **other: Any) -> Any:
    arguments: dict[str, Any] = {"timetable": Timetable(**RIGHT), "parameters": {"branch": "main"}} | other
    return circle.schedules.create(P, name="nightly", attribution_actor="current", **arguments)


async def test_only_keys_of_the_api_lose_their_hyphens() -> None:
    body = {
        "id": "s-1",
        "name": "nightly",
        "project-slug": P,
        "created-at": "2026-05-04T10:00:00.042Z",
        "timetable": {"per-hour": 2, "hours-of-day": [3], "days-of-month": [1], "months": ["MAY", "UND"]},
        "parameters": {"deploy-to": "a", "deploy_to": "b", "branch": "main"},
        "actor": {"id": "u-1", "login": "octo-dev"},
    }
    async with raw_server(answer(200, body)) as server, ca.CircleCI("t", host=server.url) as circle:
        schedule = await circle.schedules.get("s-1")
    assert schedule.parameters == {"deploy-to": "a", "deploy_to": "b", "branch": "main"}
    assert schedule.timetable == Timetable(
        per_hour=2, hours_of_day=(3,), days_of_month=(1,), months=(Month.MAY, Month("UND"))
    )
    assert (schedule.project_slug, schedule.actor) == (P, User(id="u-1", login="octo-dev"))
    assert (schedule.description, schedule.updated_at) == (None, None)


async def test_a_schedule_can_be_copied_to_another_project() -> None:
    world = World()
    world.project(P)
    world.project("gh/acme/web")
    async with FakeCircleCI(world) as fake, ca.CircleCI(fake.token, host=fake.url) as circle:
        first = await create(circle, timetable=Timetable(**MONTHLY, months=(Month.JUN,)))
        second = await circle.schedules.create(
            "gh/acme/web",
            name=first.name,
            timetable=first.timetable,
            attribution_actor=AttributionActor.SYSTEM,
            parameters=first.parameters,
        )
        assert second.timetable == first.timetable == Timetable(**MONTHLY, months=(Month.JUN,))
        assert await circle.schedules.list("gh/acme/web").collect() == [second]
