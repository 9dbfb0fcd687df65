"""Environment variables of a project."""

from ..config.redacted import Redacted
from ..core.paging import Paged
from ..core.redaction import checked_value, redact_errors
from ..errors import InvalidArgument
from ..models.environment_variables import EnvironmentVariable
from ..models.messages import Message
from ..slug import project_path, segment
from .resource import ProjectRef, Resource


class EnvironmentVariables(Resource):
    """Environment variables of a project.

    The API masks values: all but the last four characters, and more of a short value.
    """

    def list(self, project: ProjectRef) -> Paged[EnvironmentVariable]:
        """Iterate over the variables of a project, with masked values.

        `GET /project/{project-slug}/envvar`
        """
        return self._session.paged(EnvironmentVariable, f"/project/{project_path(project)}/envvar")

    async def set(self, project: ProjectRef, name: str, value: str) -> EnvironmentVariable:
        """Set a variable of a project: add it, or replace its value. Returns it with a masked value.

        `POST /project/{project-slug}/envvar`

        Not retried once the server may have received it. Setting the same variable again is safe.
        """
        secret = Redacted(value)
        del value  # a traceback that prints local variables must not print it
        if not name:
            raise InvalidArgument(f"name must be the name of a variable, such as 'AWS_REGION', got {name!r}")
        with redact_errors(checked_value(name, secret)):
            return await self._session.request(
                EnvironmentVariable,
                "POST",
                f"/project/{project_path(project)}/envvar",
                json={"name": name, "value": secret},
            )

    async def get(self, project: ProjectRef, name: str) -> EnvironmentVariable:
        """Return a variable of a project, with a masked value.

        `GET /project/{project-slug}/envvar/{name}`
        """
        return await self._session.request(
            EnvironmentVariable, "GET", f"/project/{project_path(project)}/envvar/{segment(name)}"
        )

    async def delete(self, project: ProjectRef, name: str) -> Message:
        """Delete a variable of a project.

        `DELETE /project/{project-slug}/envvar/{name}`
        """
        return await self._session.request(
            Message, "DELETE", f"/project/{project_path(project)}/envvar/{segment(name)}"
        )
