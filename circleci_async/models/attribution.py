"""Whom pipelines that nobody started are put down to."""

from .open_enum import OpenEnum

__all__ = ["AttributionActor"]


class AttributionActor(OpenEnum):
    """Who counts as the actor of scheduled pipelines, and with whose permissions they run."""

    CURRENT = "current"
    """The user whose token makes the schedule."""
    SYSTEM = "system"
    """CircleCI's own actor for scheduled pipelines."""
