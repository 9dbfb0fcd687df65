"""Schedules and their timetables."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from .attribution import AttributionActor, attribution_actor
from .open_enum import OpenEnum
from .users import User

__all__ = ["DayOfWeek", "Month", "Schedule", "Timetable"]


class DayOfWeek(OpenEnum):
    """A day of the week."""

    MON = "MON"
    TUE = "TUE"
    WED = "WED"
    THU = "THU"
    FRI = "FRI"
    SAT = "SAT"
    SUN = "SUN"


class Month(OpenEnum):
    """A month."""

    JAN = "JAN"
    FEB = "FEB"
    MAR = "MAR"
    APR = "APR"
    MAY = "MAY"
    JUN = "JUN"
    JUL = "JUL"
    AUG = "AUG"
    SEP = "SEP"
    OCT = "OCT"
    NOV = "NOV"
    DEC = "DEC"


@frozen(kw_only=True)
class Timetable:
    """The times of a schedule, in UTC, on either days of the week or days of the month."""

    per_hour: int | None = None
    """Runs per hour: 1 to 60."""
    hours_of_day: tuple[int, ...] = ()
    """0 to 23."""
    days_of_week: tuple[DayOfWeek, ...] = ()
    days_of_month: tuple[int, ...] = ()
    """1 to 31."""
    months: tuple[Month, ...] = ()
    """Empty for every month."""


@frozen(kw_only=True)
class Schedule:
    """A schedule: `GET /schedule/{schedule-id}` and the list of a project's."""

    id: str
    name: str
    project_slug: str
    timetable: Timetable = Timetable()
    parameters: Mapping[str, Any] = field(factory=dict[str, Any], hash=False)
    """The pipeline parameters, and either `branch` or `tag`."""
    actor: User | None = None
    """The actor of its pipelines."""
    description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def attribution_actor(self) -> AttributionActor:
        """The argument of `schedules.create` for this `actor`: `system`, or `current` for a user.

        With `current`, pipelines run with the permissions of the token's user, which need not be `actor`.
        """
        return AttributionActor.CURRENT if self.actor is None else attribution_actor(self.actor.id, self.actor.login)
