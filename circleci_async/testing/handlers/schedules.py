"""Schedules."""

from collections.abc import Mapping
from typing import Any

from ..server.calls import ID, Call, HttpError, find, nested, numbers, one_of, words
from ..server.routing import Routes
from ..state.project_records import ATTRIBUTION_ACTORS, Schedule, attribution_actor
from ..state.registry import Json, timestamp
from . import bodies, pipelines

ROUTES = Routes()

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_TIMETABLE = {"per-hour": int, "hours-of-day": list, "days-of-week": list, "days-of-month": list, "months": list}
_BODY = {"name": str, "timetable": dict, "attribution-actor": str, "parameters": dict}


@ROUTES.get("/project/{project}/schedule", public=False)
def of_project(call: Call) -> Json:
    project = call.project()
    return call.page(list(project.schedules.values()), _described, key=ID, scope=f"schedules {project.id}")


@ROUTES.post("/project/{project}/schedule", status=201)
def create(call: Call) -> Json:
    project = call.project()
    body = call.body(_BODY, required=_BODY)
    timetable = _timetable(body)
    if not timetable.keys() >= {"per-hour", "hours-of-day"} or not timetable.keys() & {"days-of-week", "days-of-month"}:
        raise HttpError(400, "timetable: expected per-hour, hours-of-day and either days-of-week or days-of-month.")
    now = call.world.clock()
    schedule = Schedule(
        id=call.world.new_id(),
        project=project,
        name=body["name"],
        timetable=timetable,
        parameters=_parameters(body),
        actor=attribution_actor(call.world, _actor(body), call.caller()),
        description=_description(body),
        created_at=now,
        updated_at=now,
    )
    project.schedules[schedule.id] = schedule
    return _described(schedule)


@ROUTES.get("/schedule/{id}", public=False)
def schedule(call: Call) -> Json:
    return _described(_find(call))


@ROUTES.patch("/schedule/{id}")
def update(call: Call) -> Json:
    schedule = _find(call)
    body = call.body(_BODY)
    timetable = _timetable(body)
    parameters = _parameters(body) if "parameters" in body else schedule.parameters
    actor = (
        attribution_actor(call.world, _actor(body), call.caller()) if "attribution-actor" in body else schedule.actor
    )
    description = _description(body) if "description" in body else schedule.description
    # One kind of days replaces the other.
    replaced = {"days-of-week", "days-of-month"} if timetable.keys() & {"days-of-week", "days-of-month"} else set[str]()
    kept = {key: value for key, value in schedule.timetable.items() if key not in replaced}
    schedule.name = body.get("name", schedule.name)
    schedule.timetable = {**kept, **timetable}
    schedule.parameters = parameters
    schedule.actor = actor
    schedule.description = description
    schedule.updated_at = call.world.clock()
    return _described(schedule)


@ROUTES.delete("/schedule/{id}")
def delete(call: Call) -> Json:
    schedule = _find(call)
    del call.project_with_id("id", schedule.project.id).schedules[schedule.id]
    return {"message": "Schedule deleted."}


def _find(call: Call) -> Schedule:
    return find((project.schedules for project in call.world.projects.values()), call.uuid("id"), "Schedule")


def _timetable(body: Json) -> Json:
    """Return the known fields of a timetable. Names with an underscore are ignored."""
    given = nested(body, "timetable", _TIMETABLE)
    if not 1 <= given.get("per-hour", 1) <= 60:
        raise HttpError(400, "timetable.per-hour: expected a number from 1 to 60.")
    if "days-of-week" in given and "days-of-month" in given:
        raise HttpError(400, "timetable: days-of-week and days-of-month cannot be given together.")
    numbers(given.get("hours-of-day", []), 0, 23, "timetable.hours-of-day")
    numbers(given.get("days-of-month", []), 1, 31, "timetable.days-of-month")
    words(given.get("days-of-week", []), _DAYS, "timetable.days-of-week")
    words(given.get("months", []), _MONTHS, "timetable.months")
    return {key: given[key] for key in _TIMETABLE if key in given}


def _parameters(body: Json) -> Mapping[str, str | int | bool]:
    given = pipelines.parameters(body)
    if len(given.keys() & {"branch", "tag"}) != 1:
        raise HttpError(400, "parameters: must contain branch or tag.")
    return given


def _actor(body: Json) -> str:
    return one_of("attribution-actor", body["attribution-actor"], ATTRIBUTION_ACTORS)


def _description(body: Json) -> str | None:
    description: Any = body.get("description")
    if description is not None and not isinstance(description, str):
        raise HttpError(400, "description: expected a string.")
    return description


def _described(schedule: Schedule) -> Json:
    """Describe a schedule, with hyphens in the names."""
    return {
        "id": schedule.id,
        "timetable": schedule.timetable,
        "updated-at": timestamp(schedule.updated_at),
        "name": schedule.name,
        "created-at": timestamp(schedule.created_at),
        "project-slug": schedule.project.slug,
        "parameters": schedule.parameters,
        "actor": bodies.user(schedule.actor),
        "description": schedule.description,
    }
