"""What is deployed, and where to."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from .jobs import Job
    from .projects import Project


@define(eq=False)
class DeployEnvironment:
    """An environment of an organization."""

    id: str
    name: str
    description: str
    labels: Mapping[str, str]
    created_at: datetime
    updated_at: datetime


@define(eq=False)
class DeployVersion:
    """A version of a component in an environment; `job` is the one that deployed it, if anybody knows."""

    name: str
    environment: DeployEnvironment
    namespace: str
    is_live: bool
    deployed_at: datetime
    job: "Job | None" = None


@define(eq=False)
class DeployComponent:
    """A component of a project."""

    project: "Project" = field(repr=False)
    id: str
    name: str
    labels: Mapping[str, str]
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    versions: list[DeployVersion] = field(factory=list[DeployVersion], repr=False)

    def version(
        self,
        name: str,
        environment: DeployEnvironment,
        *,
        namespace: str = "default",
        is_live: bool = True,
        deployed_at: datetime | None = None,
        job: "Job | None" = None,
    ) -> DeployVersion:
        """Deploy a version: it takes the place of the one that is live in this environment, unless `is_live=False`.

        `deployed_at` is now unless given. Without a `job`, the API gives ids of zeros for what deployed it.
        """
        at = deployed_at or self.project.world.clock()
        if is_live:
            for each in self.versions:
                each.is_live = each.is_live and each.environment is not environment
        version = DeployVersion(name, environment, namespace, is_live, at, job)
        self.versions.append(version)
        self.updated_at = at
        return version
