"""Schedules, and the actors of their pipelines."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import define, field

from .registry import Registry
from .repositories import Repository
from .users import User

ATTRIBUTION_ACTORS = ("current", "system")
_SYSTEM_ID = "d9b3fcaa-6032-405a-8c75-40079ce33c3e"  # the same everywhere


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
    return world.users.setdefault(_SYSTEM_ID, User(_SYSTEM_ID, "system-actor", "Scheduled"))
