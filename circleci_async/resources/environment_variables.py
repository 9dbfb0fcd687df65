"""The calls about a project's variables, with what one call is not enough for: many of them at once."""

from collections.abc import Mapping

from ..endpoints.environment_variables import EnvironmentVariables as Endpoints
from ..endpoints.resource import ProjectRef
from ..models.environment_variables import EnvironmentVariable
from ..slug import project_path
from .variables import set_all


class EnvironmentVariables(Endpoints):
    """Environment variables of a project.

    The API never gives back a value: it masks all but the last four characters, fewer of a short value.
    """

    async def set_variables(
        self, project: ProjectRef, variables: Mapping[str, str], *, concurrency: int = 8
    ) -> dict[str, EnvironmentVariable]:
        """Set variables of a project, new ones and new values of old ones, `concurrency` at a time and in any order.

        Returns the answers by name, in the order of `variables`. A name or a value that can't be right is refused
        before anything is sent. One that fails leaves the others alone: when all are done, `PartialFailure` says which
        failed and why. None is sent a second time once it may have been received, but to set those that failed again
        is safe.
        """
        project_path(project)
        return await set_all(variables, lambda name, value: self.set(project, name, value), concurrency)
