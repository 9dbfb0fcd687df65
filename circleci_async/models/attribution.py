"""The actor of scheduled pipelines."""

from typing import Final

from .open_enum import OpenEnum

__all__ = ["AttributionActor"]


class AttributionActor(OpenEnum):
    """The actor whose permissions scheduled pipelines run with."""

    CURRENT = "current"
    """The user whose token creates the schedule."""
    SYSTEM = "system"
    """CircleCI's own actor for scheduled pipelines."""


SYSTEM_ACTOR: Final = frozenset({"d9b3fcaa-6032-405a-8c75-40079ce33c3e", "system-actor"})
"""The id and the login of CircleCI's own actor, the same everywhere."""


def attribution_actor(*identity: str) -> AttributionActor:
    """Return the argument that attributes pipelines to the actor with this id or login."""
    return AttributionActor.CURRENT if SYSTEM_ACTOR.isdisjoint(identity) else AttributionActor.SYSTEM
