"""Schedules: timetables that can't be right are refused, and their hyphens come and go."""

from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from tests.endpoints.refusal import refusal
from tests.raw_server import answer, raw_server

P = "gh/acme/api"
RIGHT: dict[str, Any] = {"per_hour": 1, "hours_of_day": (3,), "days_of_week": (ca.DayOfWeek.MON,)}
MONTHLY: dict[str, Any] = {"per_hour": 1, "hours_of_day": (3,), "days_of_month": (1,)}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing per hour": (RIGHT | {"per_hour": 0}, "per_hour=0: give a number from 1 to 60"),
    "too often": (RIGHT | {"per_hour": 61}, "per_hour=61: give a number from 1 to 60"),
    "text": (RIGHT | {"per_hour": "1"}, "per_hour='1': give a number from 1 to 60"),
    "negative hour": (RIGHT | {"hours_of_day": (3, -1)}, "hours_of_day=(3, -1): give hours from 0 to 23"),
    "hour 24": (RIGHT | {"hours_of_day": (24,)}, "hours_of_day=(24,): give hours from 0 to 23"),
    "day 0": (MONTHLY | {"days_of_month": (0,)}, "days_of_month=(0,): give days from 1 to 31"),
    "day 32": (MONTHLY | {"days_of_month": (1, 32)}, "days_of_month=(1, 32): give days from 1 to 31"),
    "both": (RIGHT | MONTHLY, "days_of_week=..., days_of_month=...: give one of the two, not both"),
}
INCOMPLETE: dict[str, tuple[dict[str, Any], str]] = {
    "no days": ({"per_hour": 1, "hours_of_day": (3,)}, "give days_of_week or days_of_month"),
    "no hours": (RIGHT | {"hours_of_day": ()}, "hours_of_day=(): give hours from 0 to 23"),
    "how often": (RIGHT | {"per_hour": None}, "per_hour=None: give a number from 1 to 60"),
    "nothing": ({}, "per_hour=None"),
}


def create(circle: ca.CircleCI, **other: Any) -> Any:
    arguments: dict[str, Any] = {"timetable": ca.Timetable(**RIGHT), "parameters": {"branch": "main"}} | other
    return circle.schedules.create(P, name="nightly", attribution_actor="current", **arguments)


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_timetable_out_of_bounds_is_refused(wrong: str) -> None:
    fields, named = WRONG[wrong]
    timetable = ca.Timetable(**fields)
    assert await refusal(lambda c: create(c, timetable=timetable)) == f"timetable: {named}"
    assert await refusal(lambda c: c.schedules.update("s", timetable=timetable)) == f"timetable: {named}"


@pytest.mark.parametrize("missing", INCOMPLETE)
async def test_a_timetable_that_does_not_say_all_is_refused_of_a_new_schedule(missing: str) -> None:
    fields, named = INCOMPLETE[missing]
    assert named in await refusal(lambda c: create(c, timetable=ca.Timetable(**fields)))


@pytest.mark.parametrize("parameters", [{}, {"n": 1}, {"branch": "main", "tag": "v1"}], ids=str)
async def test_parameters_must_say_what_to_run_for(parameters: dict[str, Any]) -> None:
    assert "parameters: give `branch` or `tag`" in await refusal(lambda c: create(c, parameters=parameters))
    assert "parameters:" in await refusal(lambda c: c.schedules.update("s", parameters=parameters))


@pytest.mark.parametrize("wrong", ["", "..", None, 1.5], ids=repr)
async def test_what_can_not_be_part_of_a_path_is_refused(wrong: Any) -> None:
    for do in (
        lambda c: c.schedules.get(wrong),
        lambda c: c.schedules.update(wrong),
        lambda c: c.schedules.delete(wrong),
    ):
        assert "can't be part of a path" in await refusal(do)
    assert await refusal(lambda c: c.schedules.list(wrong))


async def test_only_the_keys_of_the_api_are_spelt_anew() -> None:
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
    assert schedule.timetable == ca.Timetable(
        per_hour=2, hours_of_day=(3,), days_of_month=(1,), months=(ca.Month.MAY, ca.Month("UND"))
    )
    assert (schedule.project_slug, schedule.actor) == (P, ca.User(id="u-1", login="octo-dev"))
    assert (schedule.description, schedule.updated_at) == (None, None)


async def test_a_schedule_that_was_read_can_be_made_again_elsewhere() -> None:
    world = World()
    world.project(P)
    world.project("gh/acme/web")
    async with FakeCircleCI(world) as fake, ca.CircleCI(fake.token, host=fake.url) as circle:
        first = await create(circle, timetable=ca.Timetable(**MONTHLY, months=(ca.Month.JUN,)))
        second = await circle.schedules.create(
            "gh/acme/web",
            name=first.name,
            timetable=first.timetable,
            attribution_actor=ca.AttributionActor.SYSTEM,
            parameters=first.parameters,
        )
        assert second.timetable == first.timetable == ca.Timetable(**MONTHLY, months=(ca.Month.JUN,))
        assert await circle.schedules.list("gh/acme/web").collect() == [second]
