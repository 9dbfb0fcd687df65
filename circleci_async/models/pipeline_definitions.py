"""Pipeline definitions: where configuration and code come from."""

from datetime import datetime

from attrs import frozen

from .repositories import Repository

__all__ = ["CheckoutSource", "ConfigSource", "PipelineDefinition"]


@frozen(kw_only=True)
class ConfigSource:
    """Where the configuration comes from; of a call and of an answer."""

    provider: str | None = None
    """`github_app`, `github_oauth`, `circleci` (kept by CircleCI itself, in no repository), ..."""
    repo: Repository | None = None
    file_path: str | None = None
    """The path of the configuration: `.circleci/config.yml`."""


@frozen(kw_only=True)
class CheckoutSource:
    """Where the code comes from; of a call and of an answer."""

    provider: str | None = None
    """`github_app`, `github_oauth`, ..."""
    repo: Repository | None = None


@frozen(kw_only=True)
class PipelineDefinition:
    """A pipeline definition: `GET /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}`."""

    id: str = ""
    """Empty if the answer lacks it; the specification does not promise it."""
    name: str | None = None
    description: str | None = None
    created_at: datetime | None = None
    """None of an old definition."""
    config_source: ConfigSource | None = None
    checkout_source: CheckoutSource | None = None
