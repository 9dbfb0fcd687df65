"""Projects."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack, cast

from ..core.arguments import check_bool
from ..core.encoding import omit_none
from ..errors import InvalidArgument
from ..models.messages import Message
from ..models.projects import AdvancedSettingsUpdate, Project, ProjectSettings, Rollback
from ..slug import org_segment, project_path, segment
from .resource import Id, OrgSlugOrId, ProjectRef, Resource

_SETTINGS = sorted(AdvancedSettingsUpdate.__optional_keys__)
_BRANCHES = "pr_only_branch_overrides"


class Projects(Resource):
    """Projects."""

    async def get(self, project: ProjectRef) -> Project:
        """Return a project.

        `GET /project/{project-slug}`
        """
        return await self._session.request(Project, "GET", f"/project/{project_path(project)}")

    async def create(self, organization: OrgSlugOrId, name: str) -> Project:
        """Create a project in an organization.

        `POST /organization/{org-slug-or-id}/project`
        """
        return await self._session.request(
            Project, "POST", f"/organization/{org_segment(organization)}/project", json={"name": name}
        )

    async def delete(self, project: ProjectRef) -> Message:
        """Delete a project with its pipelines and settings.

        `DELETE /project/{project-slug}`

        It cannot be undone. The repository is not changed.
        """
        return await self._session.request(Message, "DELETE", f"/project/{project_path(project)}")

    async def set_up(self, project: ProjectRef) -> ProjectSettings:
        """Create a project from a repository, and return its settings. A preview.

        `POST /project/{provider}/{organization}/{project}`

        Only for repositories of GitHub OAuth and Bitbucket Cloud organizations; use `create` for others.
        """
        return await self._session.request(ProjectSettings, "POST", f"/project/{project_path(project)}")

    async def settings(self, project: ProjectRef) -> ProjectSettings:
        """Return the settings of a project. A preview.

        `GET /project/{provider}/{organization}/{project}/settings`
        """
        return await self._session.request(ProjectSettings, "GET", f"/project/{project_path(project)}/settings")

    async def update_settings(self, project: ProjectRef, **advanced: Unpack[AdvancedSettingsUpdate]) -> ProjectSettings:
        """Change settings of a project, and return all settings. A preview.

        `PATCH /project/{provider}/{organization}/{project}/settings`

        Accepts the fields of `AdvancedSettings`; without any, nothing changes. `pr_only_branch_overrides` replaces the
        whole list. The API may reject `oss` with `BadRequest`, although it is documented.
        """
        settings = _check_settings(cast(Mapping[str, object], advanced))
        return await self._session.request(
            ProjectSettings,
            "PATCH",
            f"/project/{project_path(project)}/settings",
            json={"advanced": settings} if settings else {},
        )

    async def rollback(
        self,
        project_id: Id,
        *,
        component_name: str,
        environment_name: str,
        current_version: str,
        target_version: str,
        namespace: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> Rollback:
        """Roll a component back from one of its versions to another. The rollback is asynchronous.

        `POST /projects/{project_id}/rollback`

        A pipeline does it, which receives the `parameters`, or CircleCI's agent in a cluster, which can require the
        `namespace`. `rollback_type` of the result shows which.
        """
        return await self._session.request(
            Rollback,
            "POST",
            f"/projects/{segment(project_id)}/rollback",
            json=omit_none(
                component_name=component_name,
                environment_name=environment_name,
                current_version=current_version,
                target_version=target_version,
                namespace=namespace,
                parameters=parameters,
                reason=reason,
            ),
        )


def _check_settings(advanced: Mapping[str, object]) -> Mapping[str, object]:
    """Check the names and types of settings, for callers without a type checker."""
    for name, value in advanced.items():
        if name not in _SETTINGS:
            raise InvalidArgument(f"{name} is not a project setting: expected one of {', '.join(_SETTINGS)}")
        if name == _BRANCHES:
            if not _is_list_of_str(value):
                raise InvalidArgument(f"{name} must be a list of branches such as ['main'], got {value!r}")
        else:
            check_bool(name, value)
    return advanced


def _is_list_of_str(value: object) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return is_list and all(isinstance(item, str) for item in cast(Sequence[object], value))
