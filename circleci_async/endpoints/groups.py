"""Groups of an organization's users."""

from ..core.encoding import omit_none
from ..core.paging import IfTruncated, Paged
from ..errors import InvalidArgument
from ..models.groups import OrganizationGroup
from ..models.messages import Message
from ..slug import segment
from .resource import Id, Resource


class Groups(Resource):
    """Groups of an organization's users."""

    async def create(self, organization_id: Id, name: str, *, description: str | None = None) -> OrganizationGroup:
        """Create a group.

        `POST /organizations/{org_id}/groups`
        """
        return await self._session.request(
            OrganizationGroup,
            "POST",
            f"/organizations/{segment(organization_id)}/groups",
            json=omit_none(name=name, description=description),
        )

    def list(
        self, organization_id: Id, *, limit: int | None = None, if_truncated: IfTruncated = "warn"
    ) -> Paged[OrganizationGroup]:
        """Iterate over the groups of an organization.

        `GET /organizations/{org_id}/groups`

        The server returns at most 100 and ignores `limit`, the page size. If there may be more, the iteration ends with
        a `TruncatedListWarning`, which `if_truncated` can make an error ("raise") or turn off ("ignore"), and
        `is_truncated` of the list is True. The `total_count` of the response is not returned; `circle.request` has it.
        """
        if limit is not None and (type(limit) is not int or limit < 1):
            raise InvalidArgument(f"limit must be a positive integer or None, got {limit!r}")
        return self._session.paged(
            OrganizationGroup,
            f"/organizations/{segment(organization_id)}/groups",
            query={"limit": limit},
            truncation_warning="the organization may have more groups: the API lists only the first 100",
            if_truncated=if_truncated,
        )

    async def get(self, organization_id: Id, group_id: Id) -> OrganizationGroup:
        """Return a group.

        `GET /organizations/{org_id}/groups/{group_id}`
        """
        return await self._session.request(OrganizationGroup, "GET", _path(organization_id, group_id))

    async def delete(self, organization_id: Id, group_id: Id) -> Message:
        """Delete a group.

        `DELETE /organizations/{org_id}/groups/{group_id}`
        """
        return await self._session.request(Message, "DELETE", _path(organization_id, group_id))


def _path(organization_id: Id, group_id: Id) -> str:
    return f"/organizations/{segment(organization_id)}/groups/{segment(group_id)}"
