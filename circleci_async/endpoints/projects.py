"""Projects."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack, cast

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
        """Create a project in an organization (200).

        `POST /organization/{org-slug-or-id}/project`
        """
        return await self._session.request(
            Project, "POST", f"/organization/{org_segment(organization)}/project", json={"name": name}
        )

    async def delete(self, project: ProjectRef) -> Message:
        """Delete a project, its pipelines and settings included.

        `DELETE /project/{project-slug}`

        Nothing brings it back; the repository stays as it is.
        """
        return await self._session.request(Message, "DELETE", f"/project/{project_path(project)}")

    async def set_up(self, project: ProjectRef) -> ProjectSettings:
        """Make a project of a repository, and return its settings (201). A preview.

        `POST /project/{provider}/{organization}/{project}`

        For repositories of GitHub OAuth and Bitbucket Cloud organizations only; `create` is for the others.
        """
        return await self._session.request(ProjectSettings, "POST", f"/project/{project_path(project)}")

    async def settings(self, project: ProjectRef) -> ProjectSettings:
        """Return the settings of a project. A preview.

        `GET /project/{provider}/{organization}/{project}/settings`
        """
        return await self._session.request(ProjectSettings, "GET", f"/project/{project_path(project)}/settings")

    async def update_settings(self, project: ProjectRef, **advanced: Unpack[AdvancedSettingsUpdate]) -> ProjectSettings:
        """Change settings of a project, those that are named; return them all. A preview.

        `PATCH /project/{provider}/{organization}/{project}/settings`

        The names are those of `AdvancedSettings`. `pr_only_branch_overrides` replaces the whole list. `oss` is
        documented, but the API has been seen to refuse it (`BadRequest`).
        """
        return await self._session.request(
            ProjectSettings,
            "PATCH",
            f"/project/{project_path(project)}/settings",
            json={"advanced": _checked(cast(Mapping[str, object], advanced))},
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
        """Roll a component back from one of its versions to another; it happens a little later (202).

        `POST /projects/{project_id}/rollback`

        A pipeline does it, which is given the `parameters`, or CircleCI's agent in a cluster, which may need the
        `namespace`; the answer says which.
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


def _checked(advanced: Mapping[str, object]) -> Mapping[str, object]:
    """Refuse what is no setting, for those who have no type checker to tell them."""
    if not advanced:
        raise InvalidArgument(f"name at least one setting to change: {', '.join(_SETTINGS)}")
    for name, value in advanced.items():
        if name not in _SETTINGS:
            raise InvalidArgument(f"{name} is no setting of a project: {', '.join(_SETTINGS)} are")
        if name == _BRANCHES:
            if not _is_list_of_texts(value):
                raise InvalidArgument(f"{name}={value!r}: give a list of branches, such as ['main']")
        elif not isinstance(value, bool):
            raise InvalidArgument(f"{name}={value!r}: give True or False")
    return advanced


def _is_list_of_texts(value: object) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return is_list and all(isinstance(item, str) for item in cast(Sequence[object], value))
