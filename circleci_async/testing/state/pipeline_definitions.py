"""Pipeline definitions and their triggers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import define, field

from .repositories import Repository
from .users import User


@define(eq=False)
class Trigger:
    """A trigger of a pipeline definition. It never triggers a pipeline.

    Fields of another kind of source are None. `secret` is part of the URL of a webhook.
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
    """A pipeline definition of a project. The external ids are those of repositories; `created_at` may be None."""

    id: str
    project: Repository = field(repr=False)
    name: str
    description: str | None
    config_provider: str
    config_external_id: str | None
    file_path: str
    checkout_provider: str
    checkout_external_id: str
    created_at: datetime | None
    triggers: dict[str, Trigger] = field(factory=dict[str, Trigger], repr=False)
