"""Outbound webhooks."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from .projects import Project


@define(eq=False)
class Webhook:
    """An outbound webhook of a project. Nothing is ever delivered to it."""

    id: str
    project: "Project" = field(repr=False)
    name: str
    url: str
    events: Sequence[str]
    verify_tls: bool
    signing_secret: str = field(repr=False)
    """Empty for none. Only tests see it: the API answers with a mask."""
    created_at: datetime
    updated_at: datetime
