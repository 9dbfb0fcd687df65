"""Schedules, and the actors of their pipelines."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import define, field

from .registry import Registry
from .repositories import Repository
from .users import User

ATTRIBUTION_ACTORS = ("current", "system")
_SYSTEM = "system-actor"


@define(eq=False)
class Schedule:
    """A schedule; `timetable` has the keys of the API. It never triggers a pipeline."""

    id: str
    project: Repository = field(repr=False)
    name: str
    timetable: Mapping[str, Any]
    parameters: Mapping[str, str | int | bool]
    actor: User
    description: str | None
    created_at: datetime
    updated_at: datetime


def attribution_actor(world: Registry, word: str, caller: User) -> User:
    """Return the user that `current` or `system` denotes."""
    if word == "current":
        return caller
    existing = (user for user in world.users.values() if user.login == _SYSTEM)
    return next(existing, None) or world.user(_SYSTEM, name="Scheduled")
