"""Deploys: environments, components and their versions."""

from ..core.arguments import check_positive_integer
from ..core.paging import Paged
from ..models.deploys import DeployComponent, DeployEnvironment, DeployVersion
from ..slug import segment
from .resource import Id, Resource, require_id


class Deploys(Resource):
    """Deploys: environments, components and their versions.

    Jobs create them with deploy markers; the API is read-only. `page_size`: items per page.
    """

    def environments(self, organization_id: Id, *, page_size: int = 20) -> Paged[DeployEnvironment]:
        """Iterate over the environments of an organization.

        `GET /deploy/environments`
        """
        check_positive_integer("page_size", page_size)
        return self._session.paged(
            DeployEnvironment,
            "/deploy/environments",
            query={"org-id": require_id("organization_id", organization_id), "page-size": page_size},
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
        """Iterate over the components of an organization, or of one of its projects.

        `GET /deploy/components`

        `name`: only components whose name contains this text. `release_count` is unreliable in this list; `component`
        returns the correct number.
        """
        check_positive_integer("page_size", page_size)
        return self._session.paged(
            DeployComponent,
            "/deploy/components",
            query={
                "org-id": require_id("organization_id", organization_id),
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
        """Iterate over the versions of a component, in all environments or in one.

        `GET /deploy/components/{component_id}/versions`

        Unknown values of `pipeline_id`, `workflow_id` and `job_id` are all zeros.
        """
        return self._session.paged(
            DeployVersion,
            f"/deploy/components/{segment(component_id)}/versions",
            query={"environment-id": environment_id},
            items_optional=True,
        )
