"""Schedules, and whom their pipelines are put down to."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .accounts import User

if TYPE_CHECKING:
    from .projects import Project
    from .world import World

ATTRIBUTION_ACTORS = ("current", "system")
_SYSTEM = "system-actor"


@define(eq=False)
class Schedule:
    """A schedule; `timetable` has the keys of the API. It never runs."""

    id: str
    project: "Project" = field(repr=False)
    name: str
    timetable: Mapping[str, Any]
    parameters: Mapping[str, str | int | bool]
    actor: User
    description: str | None
    created_at: datetime
    updated_at: datetime


def attributed(world: "World", word: str, caller: User) -> User:
    """Give the user that `current` or `system` stands for."""
    if word == "current":
        return caller
    known = (user for user in world.users.values() if user.login == _SYSTEM)
    return next(known, None) or world.user(_SYSTEM, name="Scheduled")
