"""Pipelines, with their triggers, revisions and configurations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from ..errors import InvalidArgument
from .open_enum import OpenEnum
from .trigger_parameters import WithRevision

__all__ = [
    "Actor",
    "Pipeline",
    "PipelineCommit",
    "PipelineConfig",
    "PipelineCreated",
    "PipelineError",
    "PipelineErrorType",
    "PipelineState",
    "PipelineTrigger",
    "PipelineVcs",
    "PipelineWarning",
    "Ref",
    "TriggerType",
]


class PipelineState(OpenEnum):
    """The state of a pipeline's creation. The result of the build is the status of its workflows."""

    CREATED = "created"
    ERRORED = "errored"
    PENDING = "pending"
    SETUP = "setup"
    SETUP_PENDING = "setup-pending"


class TriggerType(OpenEnum):
    """The type of event that created a pipeline."""

    API = "api"
    DECOUPLED_INGESTION_SYSTEM = "decoupled_ingestion_system"
    EXPLICIT = "explicit"
    SCHEDULED_PIPELINE = "scheduled_pipeline"
    WEBHOOK = "webhook"


class PipelineErrorType(OpenEnum):
    """The type of an error in the creation of a pipeline."""

    CONFIG = "config"
    CONFIG_FETCH = "config-fetch"
    OTHER = "other"
    PERMISSION = "permission"
    PLAN = "plan"
    TIMEOUT = "timeout"


@frozen(kw_only=True)
class PipelineError:
    """An error in the creation of a pipeline. The message can have several lines."""

    type: PipelineErrorType
    message: str


@frozen(kw_only=True)
class PipelineWarning:
    """A warning in the creation of a pipeline."""

    type: str
    message: str


@frozen(kw_only=True)
class Actor:
    """The user or service that triggered a pipeline."""

    login: str | None = None
    avatar_url: str | None = None


@frozen(kw_only=True)
class PipelineTrigger:
    """The event that created a pipeline."""

    type: TriggerType
    received_at: datetime
    actor: Actor | None = None


@frozen(kw_only=True)
class PipelineCommit:
    """The head commit of a pipeline."""

    subject: str | None = None
    """The first line of the commit message."""
    body: str | None = None
    """The rest of the commit message."""


@frozen(kw_only=True)
class PipelineVcs:
    """The revision of a pipeline. It has either a branch or a tag."""

    provider_name: str
    origin_repository_url: str
    """The repository of the code. It differs from the target for a pull request from a fork."""
    target_repository_url: str
    """The repository of the configuration."""
    revision: str
    """The commit hash."""
    branch: str | None = None
    tag: str | None = None
    commit: PipelineCommit | None = None
    review_id: str | None = None
    review_url: str | None = None
    """The pull request or merge request."""


@frozen(kw_only=True)
class Pipeline(WithRevision):
    """A pipeline: `GET /pipeline/{pipeline-id}` and every list of pipelines."""

    id: str
    number: int
    """Unique within the project, and increasing."""
    project_slug: str
    state: PipelineState
    created_at: datetime
    trigger: PipelineTrigger
    updated_at: datetime | None = None
    vcs: PipelineVcs | None = None
    """None for a pipeline of a pipeline definition; `trigger_parameters` has the revision instead."""
    trigger_parameters: Mapping[str, Any] | None = field(default=None, hash=False)
    """Data from the provider, by provider (`git`, `github_app`, `gitlab`, `webhook`). Its structure is not fixed."""
    errors: tuple[PipelineError, ...] = ()
    warnings: tuple[PipelineWarning, ...] = ()


@frozen(kw_only=True)
class PipelineConfig:
    """The configuration of a pipeline, as YAML text: `GET /pipeline/{pipeline-id}/config`."""

    source: str
    compiled: str
    setup_config: str | None = None
    compiled_setup_config: str | None = None


@frozen(kw_only=True)
class PipelineCreated:
    """A created pipeline: `POST` of `/project/{project-slug}/pipeline` and of `.../pipeline/run`."""

    id: str
    number: int
    state: PipelineState
    created_at: datetime


@frozen(kw_only=True)
class Ref:
    """A revision for `pipelines.run`: either a branch or a tag. Raises `InvalidArgument` for neither or both."""

    branch: str | None = None
    tag: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.branch is None) == (self.tag is None) or "" in (self.branch, self.tag):
            raise InvalidArgument(
                f"exactly one of branch and tag must be a name, got branch={self.branch!r}, tag={self.tag!r}"
            )
