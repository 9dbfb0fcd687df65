"""Pipeline definitions and their triggers."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .accounts import User

if TYPE_CHECKING:
    from .projects import Project


@define(eq=False)
class Trigger:
    """A trigger of a pipeline definition; what belongs to another kind of source than its own is None. It never fires.

    `secret` is that of the address of a webhook.
    """

    id: str
    provider: str
    created_at: datetime
    external_id: str | None = None
    sender: str | None = None
    secret: str = field(default="", repr=False)
    cron_expression: str | None = None
    actor: User | None = None
    event_preset: str | None = None
    event_name: str | None = None
    checkout_ref: str | None = None
    config_ref: str | None = None
    disabled: bool = False
    parameters: Mapping[str, Any] | None = None


@define(eq=False)
class PipelineDefinition:
    """A pipeline definition of a project; the ids are those of repositories. `created_at` of an old one is None."""

    id: str
    project: "Project" = field(repr=False)
    name: str
    description: str | None
    config_provider: str
    config_external_id: str | None
    file_path: str
    checkout_provider: str
    checkout_external_id: str
    created_at: datetime | None
    triggers: dict[str, Trigger] = field(factory=dict[str, Trigger], repr=False)
