"""Schedules: pipelines at set times."""

from collections.abc import Mapping
from typing import Any

from ..core.encoding import omit_none
from ..core.paging import Paged
from ..errors import InvalidArgument
from ..models.attribution import AttributionActor
from ..models.messages import Message
from ..models.schedules import Schedule, Timetable
from ..slug import project_path, segment
from .resource import Id, ProjectRef, Resource


class Schedules(Resource):
    """Schedules: pipelines at set times.

    For projects of GitHub OAuth and Bitbucket Cloud. Where there are pipeline definitions, a trigger with a
    `ScheduleSource` does the same.
    """

    def list(self, project: ProjectRef) -> Paged[Schedule]:
        """Iterate the schedules of a project.

        `GET /project/{project-slug}/schedule`
        """
        return self._session.paged(Schedule, f"/project/{project_path(project)}/schedule")

    async def create(
        self,
        project: ProjectRef,
        *,
        name: str,
        timetable: Timetable | Mapping[str, Any],
        attribution_actor: AttributionActor | str,
        parameters: Mapping[str, str | int | bool],
        description: str | None = None,
    ) -> Schedule:
        """Create a schedule.

        `POST /project/{project-slug}/schedule`

        `timetable`: in UTC, with `per_hour`, `hours_of_day`, and either `days_of_week` or `days_of_month`. A mapping is
        sent as it is, so its keys are the API's: `per-hour`. `parameters` are those of the pipelines, and `branch` or
        `tag`, what to run for.
        """
        _check(timetable, whole=True)
        _check_parameters(parameters)
        return await self._session.request(
            Schedule,
            "POST",
            f"/project/{project_path(project)}/schedule",
            json={
                "name": name,
                "timetable": _written(timetable),
                "attribution-actor": attribution_actor,
                "parameters": parameters,
                **omit_none(description=description),
            },
        )

    async def get(self, schedule_id: Id) -> Schedule:
        """Return a schedule.

        `GET /schedule/{schedule-id}`
        """
        return await self._session.request(Schedule, "GET", f"/schedule/{segment(schedule_id)}")

    async def update(
        self,
        schedule_id: Id,
        *,
        name: str | None = None,
        timetable: Timetable | Mapping[str, Any] | None = None,
        attribution_actor: AttributionActor | str | None = None,
        parameters: Mapping[str, str | int | bool] | None = None,
        description: str | None = None,
    ) -> Schedule:
        """Change what is given of a schedule.

        `PATCH /schedule/{schedule-id}`

        Of `timetable` too only the fields given. `parameters` must hold `branch` or `tag`.
        """
        _check(timetable, whole=False)
        if parameters is not None:
            _check_parameters(parameters)
        return await self._session.request(
            Schedule,
            "PATCH",
            f"/schedule/{segment(schedule_id)}",
            json={
                **omit_none(name=name, timetable=_written(timetable), parameters=parameters, description=description),
                **omit_none(**{"attribution-actor": attribution_actor}),
            },
        )

    async def delete(self, schedule_id: Id) -> Message:
        """Delete a schedule.

        `DELETE /schedule/{schedule-id}`
        """
        return await self._session.request(Message, "DELETE", f"/schedule/{segment(schedule_id)}")


def _check(timetable: object, *, whole: bool) -> None:
    """Refuse a `Timetable` that can't be right; a `whole` one must say all that a new schedule needs."""
    if not isinstance(timetable, Timetable):
        return
    per_hour, hours, days = timetable.per_hour, timetable.hours_of_day, timetable.days_of_month
    if (whole or per_hour is not None) and per_hour not in range(1, 61):
        raise InvalidArgument(f"timetable: per_hour={per_hour!r}: give a number from 1 to 60")
    if (whole and not hours) or any(hour not in range(24) for hour in hours):
        raise InvalidArgument(f"timetable: hours_of_day={hours!r}: give hours from 0 to 23")
    if any(day not in range(1, 32) for day in days):
        raise InvalidArgument(f"timetable: days_of_month={days!r}: give days from 1 to 31")
    if days and timetable.days_of_week:
        raise InvalidArgument("timetable: days_of_week=..., days_of_month=...: give one of the two, not both")
    if whole and not (days or timetable.days_of_week):
        raise InvalidArgument("timetable: give days_of_week or days_of_month")


def _check_parameters(parameters: Mapping[str, str | int | bool]) -> None:
    if ("branch" in parameters) == ("tag" in parameters):
        raise InvalidArgument("parameters: give `branch` or `tag`, one of the two, as what the pipelines run for")


def _written(timetable: Timetable | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Spell a `Timetable` as the API does, which hyphenates schedules, and no other bodies."""
    if not isinstance(timetable, Timetable):
        return timetable
    fields = {
        "per-hour": timetable.per_hour,
        "hours-of-day": timetable.hours_of_day,
        "days-of-week": timetable.days_of_week,
        "days-of-month": timetable.days_of_month,
        "months": timetable.months,
    }
    return {name: value for name, value in fields.items() if value}
