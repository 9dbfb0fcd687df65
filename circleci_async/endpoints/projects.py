"""Projects."""

from ..models.projects import Project
from ..slug import project_path
from .group import Group, ProjectRef


class Projects(Group):
    """Projects."""

    async def get(self, project: ProjectRef) -> Project:
        """Return a project.

        `GET /project/{project-slug}`
        """
        return await self._session.request(Project, "GET", f"/project/{project_path(project)}")
