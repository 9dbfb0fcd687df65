"""Components of a project, and their deployed versions."""

from collections.abc import Mapping
from datetime import datetime

from attrs import define, field

from .builds import Job
from .deploy_environments import DeployEnvironment
from .repositories import Repository


@define(eq=False)
class DeployVersion:
    """A version of a component in an environment; `job` is the job that deployed it, if known."""

    name: str
    environment: DeployEnvironment
    namespace: str
    is_live: bool
    deployed_at: datetime
    job: Job | None = None


@define(eq=False)
class DeployComponent:
    """A component of a project."""

    project: Repository = field(repr=False)
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
        job: Job | None = None,
    ) -> DeployVersion:
        """Deploy a version. It replaces the live version of this environment, unless `is_live=False`.

        `deployed_at` defaults to now. Without a `job`, the API answers with ids of zeros for the deploying job.
        """
        at = deployed_at or self.project.world.clock()
        if is_live:
            for each in self.versions:
                each.is_live = each.is_live and each.environment is not environment
        version = DeployVersion(name, environment, namespace, is_live, at, job)
        self.versions.append(version)
        self.updated_at = at
        return version
