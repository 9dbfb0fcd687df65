"""Pipelines: what triggered them, what they run for, and the configuration they run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from ..errors import InvalidArgument
from .open_enum import OpenEnum

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
    """How far the creation of a pipeline has come. It never tells how the build went: its workflows do."""

    CREATED = "created"
    ERRORED = "errored"
    PENDING = "pending"
    SETUP = "setup"
    SETUP_PENDING = "setup-pending"


class TriggerType(OpenEnum):
    """What kind of event made a pipeline."""

    API = "api"
    DECOUPLED_INGESTION_SYSTEM = "decoupled_ingestion_system"
    EXPLICIT = "explicit"
    SCHEDULED_PIPELINE = "scheduled_pipeline"
    WEBHOOK = "webhook"


class PipelineErrorType(OpenEnum):
    """What went wrong while a pipeline was created."""

    CONFIG = "config"
    CONFIG_FETCH = "config-fetch"
    OTHER = "other"
    PERMISSION = "permission"
    PLAN = "plan"
    TIMEOUT = "timeout"


@frozen(kw_only=True)
class PipelineError:
    """An error met while a pipeline was created. The message may have several lines."""

    type: PipelineErrorType
    message: str


@frozen(kw_only=True)
class PipelineWarning:
    """A warning given while a pipeline was created."""

    type: str
    message: str


@frozen(kw_only=True)
class Actor:
    """Who or what triggered a pipeline."""

    login: str | None = None
    avatar_url: str | None = None


@frozen(kw_only=True)
class PipelineTrigger:
    """The event that made a pipeline."""

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
    """The revision that a pipeline runs for. It has a branch or a tag, never both."""

    provider_name: str
    origin_repository_url: str
    """The repository that the code comes from; it differs from the target for a pull request of a fork."""
    target_repository_url: str
    """The repository whose configuration is run."""
    revision: str
    """The commit's hash."""
    branch: str | None = None
    tag: str | None = None
    commit: PipelineCommit | None = None
    review_id: str | None = None
    review_url: str | None = None
    """The pull request or merge request."""


@frozen(kw_only=True)
class Pipeline:
    """A pipeline: `GET /pipeline/{pipeline-id}` and every list of pipelines."""

    id: str
    number: int
    """Counts up within the project."""
    project_slug: str
    state: PipelineState
    created_at: datetime
    trigger: PipelineTrigger
    updated_at: datetime | None = None
    vcs: PipelineVcs | None = None
    """None where a pipeline definition takes its place; `trigger_parameters` tells the revision then."""
    trigger_parameters: Mapping[str, Any] | None = field(default=None, hash=False)
    """What the provider sent along, by provider (`git`, `github_app`, `gitlab`, `webhook`); its shape is not fixed."""
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
    """A pipeline just made: `POST` of `/project/{project-slug}/pipeline` and of `.../pipeline/run`."""

    id: str
    number: int
    state: PipelineState
    created_at: datetime


@frozen(kw_only=True)
class Ref:
    """Where `pipelines.run` takes a configuration or the code from: a branch or a tag, one of the two.

    Raises `InvalidArgument` when it is none or both.
    """

    branch: str | None = None
    tag: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.branch is None) == (self.tag is None) or "" in (self.branch, self.tag):
            raise InvalidArgument(f"branch={self.branch!r}, tag={self.tag!r}: give the name of a branch or of a tag")
