"""Deploys: environments, components and their versions."""

from datetime import datetime

from attrs import frozen

__all__ = ["DeployComponent", "DeployEnvironment", "DeployLabel", "DeployVersion"]


@frozen(kw_only=True)
class DeployLabel:
    """A label of an environment or a component."""

    key: str
    value: str | None = None


@frozen(kw_only=True)
class DeployEnvironment:
    """An environment that components are deployed to: `GET /deploy/environments/{environment_id}`."""

    id: str = ""
    """Empty if the response lacks it."""
    name: str | None = None
    description: str | None = None
    labels: tuple[DeployLabel, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


@frozen(kw_only=True)
class DeployComponent:
    """A component that is deployed: `GET /deploy/components/{component_id}`."""

    id: str = ""
    """Empty if the response lacks it."""
    name: str | None = None
    project_id: str | None = None
    labels: tuple[DeployLabel, ...] = ()
    release_count: int | None = None
    """Unreliable in lists, often 0. Correct in the result of `deploys.component`."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    archived_at: datetime | None = None


@frozen(kw_only=True)
class DeployVersion:
    """A version of a component in an environment: `GET /deploy/components/{component_id}/versions`."""

    name: str = ""
    """Empty if the response lacks it."""
    namespace: str | None = None
    environment_id: str | None = None
    is_live: bool | None = None
    """Whether this version is live in the environment."""
    pipeline_id: str | None = None
    """Unknown if all zeros: `00000000-0000-0000-0000-000000000000`."""
    workflow_id: str | None = None
    """Unknown if all zeros."""
    job_id: str | None = None
    """Unknown if all zeros."""
    job_number: int | None = None
    last_deployed_at: datetime | None = None
