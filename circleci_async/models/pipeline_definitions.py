"""Pipeline definitions: the sources of configuration and code."""

from datetime import datetime

from attrs import frozen

from .repositories import Repository

__all__ = ["CheckoutSource", "ConfigSource", "PipelineDefinition"]


@frozen(kw_only=True)
class ConfigSource:
    """The source of the configuration, in arguments and in results."""

    provider: str | None = None
    """`github_app`, `github_oauth`, `circleci` (stored by CircleCI, not in a repository), ..."""
    repo: Repository | None = None
    file_path: str | None = None
    """The path of the configuration, such as `.circleci/config.yml`."""


@frozen(kw_only=True)
class CheckoutSource:
    """The source of the code, in arguments and in results."""

    provider: str | None = None
    """`github_app`, `github_oauth`, ..."""
    repo: Repository | None = None


@frozen(kw_only=True)
class PipelineDefinition:
    """A pipeline definition: `GET /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}`."""

    id: str = ""
    """Empty if the response lacks it."""
    name: str | None = None
    description: str | None = None
    created_at: datetime | None = None
    """None for an old definition."""
    config_source: ConfigSource | None = None
    checkout_source: CheckoutSource | None = None
