"""Deploys: where to, what, and which versions of it."""

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
    """Where things are deployed to: `GET /deploy/environments/{environment_id}`."""

    id: str = ""
    """Empty if the answer lacks it; the specification does not promise it."""
    name: str | None = None
    description: str | None = None
    labels: tuple[DeployLabel, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


@frozen(kw_only=True)
class DeployComponent:
    """What is deployed: `GET /deploy/components/{component_id}`."""

    id: str = ""
    """Empty if the answer lacks it; the specification does not promise it."""
    name: str | None = None
    project_id: str | None = None
    labels: tuple[DeployLabel, ...] = ()
    release_count: int | None = None
    """Wrong in lists, often 0; right if the component is asked for by itself."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    archived_at: datetime | None = None


@frozen(kw_only=True)
class DeployVersion:
    """A version of a component in an environment: `GET /deploy/components/{component_id}/versions`."""

    name: str = ""
    """Empty if the answer lacks it; the specification does not promise it."""
    namespace: str | None = None
    environment_id: str | None = None
    is_live: bool | None = None
    """Whether it is what runs in the environment."""
    pipeline_id: str | None = None
    """Unknown if all zeros: `00000000-0000-0000-0000-000000000000`."""
    workflow_id: str | None = None
    """Unknown if all zeros."""
    job_id: str | None = None
    """Unknown if all zeros."""
    job_number: int | None = None
    last_deployed_at: datetime | None = None
