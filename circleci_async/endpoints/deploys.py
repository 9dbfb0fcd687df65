"""Deploys: environments, components and their versions."""

from ..core.paging import Paged
from ..errors import InvalidArgument
from ..models.deploys import DeployComponent, DeployEnvironment, DeployVersion
from ..slug import segment
from .resource import Id, Resource, known


class Deploys(Resource):
    """Deploys: environments, components and their versions.

    They come from the deploy markers that jobs set; the API only reads them. `page_size` is how many items one answer
    brings.
    """

    def environments(self, organization_id: Id, *, page_size: int = 20) -> Paged[DeployEnvironment]:
        """Iterate the environments of an organization.

        `GET /deploy/environments`
        """
        _check_size(page_size)
        return self._session.paged(
            DeployEnvironment,
            "/deploy/environments",
            query={"org-id": known("organization_id", organization_id), "page-size": page_size},
            items_optional=True,
        )

    async def environment(self, environment_id: Id) -> DeployEnvironment:
        """Return an environment.

        `GET /deploy/environments/{environment_id}`
        """
        return await self._session.request(DeployEnvironment, "GET", f"/deploy/environments/{segment(environment_id)}")

    def components(
        self,
        organization_id: Id,
        *,
        project_id: Id | None = None,
        name: str | None = None,
        page_size: int = 20,
    ) -> Paged[DeployComponent]:
        """Iterate the components of an organization, or of one project of it.

        `GET /deploy/components`

        `name`: only those whose name holds this. `release_count` is wrong in this list, and right from `component`.
        """
        _check_size(page_size)
        return self._session.paged(
            DeployComponent,
            "/deploy/components",
            query={
                "org-id": known("organization_id", organization_id),
                "page-size": page_size,
                "project-id": project_id,
                "component-name": name,
            },
            items_optional=True,
        )

    async def component(self, component_id: Id) -> DeployComponent:
        """Return a component.

        `GET /deploy/components/{component_id}`
        """
        return await self._session.request(DeployComponent, "GET", f"/deploy/components/{segment(component_id)}")

    def versions(self, component_id: Id, *, environment_id: Id | None = None) -> Paged[DeployVersion]:
        """Iterate the versions of a component, in all environments or in one.

        `GET /deploy/components/{component_id}/versions`

        `pipeline_id`, `workflow_id` and `job_id` are all zeros where nobody knows them.
        """
        return self._session.paged(
            DeployVersion,
            f"/deploy/components/{segment(component_id)}/versions",
            query={"environment-id": environment_id},
            items_optional=True,
        )


def _check_size(page_size: int) -> None:
    if type(page_size) is not int or page_size < 1:
        raise InvalidArgument(f"page_size={page_size!r}: give a whole number from 1")
