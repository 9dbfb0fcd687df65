"""The actor of scheduled pipelines."""

from .open_enum import OpenEnum

__all__ = ["AttributionActor"]


class AttributionActor(OpenEnum):
    """The actor whose permissions scheduled pipelines run with."""

    CURRENT = "current"
    """The user whose token creates the schedule."""
    SYSTEM = "system"
    """CircleCI's own actor for scheduled pipelines."""
