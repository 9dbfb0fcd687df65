"""Organizations: create, read, delete."""

from ..core.arguments import check_word
from ..models.messages import Message
from ..models.organizations import Organization, VcsType
from ..slug import org_segment
from .resource import OrgSlugOrId, Resource


class Organizations(Resource):
    """Organizations: create, read, delete."""

    async def create(self, name: str, *, vcs_type: VcsType | str | None) -> Organization:
        """Create an organization.

        `POST /organization`
        """
        check_word("vcs_type", vcs_type, VcsType, required=True)
        return await self._session.request(
            Organization, "POST", "/organization", json={"name": name, "vcs_type": vcs_type}
        )

    async def get(self, organization: OrgSlugOrId) -> Organization:
        """Return an organization.

        `GET /organization/{org-slug-or-id}`
        """
        return await self._session.request(Organization, "GET", f"/organization/{org_segment(organization)}")

    async def delete(self, organization: OrgSlugOrId) -> Message:
        """Delete an organization with all its projects and settings. The deletion is asynchronous.

        `DELETE /organization/{org-slug-or-id}`

        It cannot be undone.
        """
        return await self._session.request(Message, "DELETE", f"/organization/{org_segment(organization)}")
