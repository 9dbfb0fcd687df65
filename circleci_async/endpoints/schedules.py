"""Schedules: pipelines started at fixed times."""

from collections.abc import Mapping
from typing import Any

from ..core.arguments import check_word, check_words
from ..core.encoding import omit_none
from ..core.paging import Paged
from ..errors import InvalidArgument
from ..models.attribution import AttributionActor
from ..models.messages import Message
from ..models.schedules import DayOfWeek, Month, Schedule, Timetable
from ..slug import project_path, segment
from .resource import Id, ProjectRef, Resource


class Schedules(Resource):
    """Schedules: pipelines started at fixed times.

    For projects of GitHub OAuth and Bitbucket Cloud. Projects with pipeline definitions use a trigger with a
    `ScheduleSource` instead.
    """

    def list(self, project: ProjectRef) -> Paged[Schedule]:
        """Iterate over the schedules of a project.

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
        sent unchanged, with the API's own keys such as `per-hour`. `parameters`: the pipeline parameters, and either
        `branch` or `tag`.
        """
        _check_timetable(timetable, complete=True)
        check_word("attribution_actor", attribution_actor, AttributionActor, required=True)
        _check_parameters(parameters)
        return await self._session.request(
            Schedule,
            "POST",
            f"/project/{project_path(project)}/schedule",
            json={
                "name": name,
                "timetable": _serialize(timetable),
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
        """Update a schedule. Omitted fields stay unchanged.

        `PATCH /schedule/{schedule-id}`

        Omitted fields of `timetable` stay unchanged, too. `parameters` must contain `branch` or `tag`.
        """
        _check_timetable(timetable, complete=False)
        check_word("attribution_actor", attribution_actor, AttributionActor)
        if parameters is not None:
            _check_parameters(parameters)
        return await self._session.request(
            Schedule,
            "PATCH",
            f"/schedule/{segment(schedule_id)}",
            json={
                **omit_none(name=name, timetable=_serialize(timetable), parameters=parameters, description=description),
                **omit_none(**{"attribution-actor": attribution_actor}),
            },
        )

    async def delete(self, schedule_id: Id) -> Message:
        """Delete a schedule.

        `DELETE /schedule/{schedule-id}`
        """
        return await self._session.request(Message, "DELETE", f"/schedule/{segment(schedule_id)}")


def _check_timetable(timetable: object, *, complete: bool) -> None:
    """Check the ranges of a `Timetable`; a `complete` one must have all fields that a new schedule requires."""
    if not isinstance(timetable, Timetable):
        return
    per_hour, hours, days = timetable.per_hour, timetable.hours_of_day, timetable.days_of_month
    if (complete or per_hour is not None) and per_hour not in range(1, 61):
        raise InvalidArgument(f"timetable: per_hour must be from 1 to 60, got {per_hour!r}")
    if (complete and not hours) or any(hour not in range(24) for hour in hours):
        raise InvalidArgument(f"timetable: hours_of_day must be hours from 0 to 23, got {hours!r}")
    if any(day not in range(1, 32) for day in days):
        raise InvalidArgument(f"timetable: days_of_month must be days from 1 to 31, got {days!r}")
    check_words("timetable: days_of_week", timetable.days_of_week, DayOfWeek)
    check_words("timetable: months", timetable.months, Month)
    if days and timetable.days_of_week:
        raise InvalidArgument("timetable: days_of_week and days_of_month cannot be combined")
    if complete and not (days or timetable.days_of_week):
        raise InvalidArgument("timetable: days_of_week or days_of_month is required")


def _check_parameters(parameters: Mapping[str, str | int | bool]) -> None:
    if ("branch" in parameters) == ("tag" in parameters):
        raise InvalidArgument(f"parameters must contain either 'branch' or 'tag', got {dict(parameters)!r}")


def _serialize(timetable: Timetable | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a `Timetable` with the API's names, which are hyphenated in schedules only."""
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
