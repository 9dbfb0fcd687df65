"""Environment variables of a project, with setting many at once."""

from collections.abc import Mapping

from ..config.redacted import Redacted
from ..endpoints.environment_variables import EnvironmentVariables as Endpoints
from ..endpoints.resource import ProjectRef
from ..models.environment_variables import EnvironmentVariable
from ..slug import project_path
from .variables import set_all


class EnvironmentVariables(Endpoints):
    """Environment variables of a project.

    The API masks values: all but the last four characters, and more of a short value.
    """

    async def set_variables(
        self, project: ProjectRef, variables: Mapping[str, str], *, concurrency: int = 8
    ) -> dict[str, EnvironmentVariable]:
        """Set variables of a project: add them, or replace their values. `concurrency`: requests at once.

        Returns the results by name, in the order of `variables`. All names and values are checked before the first
        request. A failure does not stop the others; at the end, `PartialFailure` reports the failed variables. Requests
        are not retried once the server may have received them; setting the failed variables again is safe.
        """
        values = Redacted(variables)
        del variables  # a traceback that prints local variables must not print them
        project_path(project)
        return await set_all(values, lambda name, value: self.set(project, name, value), concurrency)
