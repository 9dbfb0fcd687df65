"""Environment variables of a project."""

from ..core.paging import Paged
from ..core.redaction import checked_value, unseen
from ..errors import InvalidArgument
from ..models.environment_variables import EnvironmentVariable
from ..models.messages import Message
from ..slug import project_path, segment
from .resource import ProjectRef, Resource


class EnvironmentVariables(Resource):
    """Environment variables of a project.

    The API never gives back a value: it masks all but the last four characters, fewer of a short value.
    """

    def list(self, project: ProjectRef) -> Paged[EnvironmentVariable]:
        """Iterate the variables of a project, their values masked.

        `GET /project/{project-slug}/envvar`
        """
        return self._session.paged(EnvironmentVariable, f"/project/{project_path(project)}/envvar")

    async def set(self, project: ProjectRef, name: str, value: str) -> EnvironmentVariable:
        """Set a variable of a project: a new one, or a new value of an old one. The answer is masked as well.

        `POST /project/{project-slug}/envvar`

        Never sent a second time once it may have been received. To set it again yourself is safe.
        """
        if not name:
            raise InvalidArgument(f"name={name!r}: give the name of a variable, such as 'AWS_REGION'")
        with unseen(checked_value(name, value)):
            return await self._session.request(
                EnvironmentVariable,
                "POST",
                f"/project/{project_path(project)}/envvar",
                json={"name": name, "value": value},
            )

    async def get(self, project: ProjectRef, name: str) -> EnvironmentVariable:
        """Return a variable of a project, its value masked.

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
