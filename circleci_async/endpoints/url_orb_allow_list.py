"""The URL orb allow-list: the URL prefixes from which orbs may be loaded."""

import builtins

from ..core.arguments import check_word
from ..models.url_orb_allow_list import UrlOrbAllowListEntry, UrlOrbAuth, UrlOrbConfirmation
from ..slug import org_segment, segment
from .resource import Id, OrgSlugOrId, Resource, require


class UrlOrbAllowList(Resource):
    """The URL orb allow-list: the URL prefixes from which orbs may be loaded."""

    async def list(self, organization: OrgSlugOrId) -> builtins.list[UrlOrbAllowListEntry]:
        """Return the allow-list of an organization.

        `GET /organization/{org-slug-or-id}/url-orb-allow-list`
        """
        return await self._session.listed(UrlOrbAllowListEntry, _path(organization))

    async def create(
        self, organization: OrgSlugOrId, *, name: str, prefix: str | None, auth: UrlOrbAuth | str | None
    ) -> UrlOrbConfirmation:
        """Allow orbs whose URL starts with `prefix`.

        `POST /organization/{org-slug-or-id}/url-orb-allow-list`
        """
        require("prefix", prefix)
        check_word("auth", auth, UrlOrbAuth, required=True)
        return await self._session.request(
            UrlOrbConfirmation, "POST", _path(organization), json={"name": name, "prefix": prefix, "auth": auth}
        )

    async def delete(self, organization: OrgSlugOrId, entry_id: Id) -> UrlOrbConfirmation:
        """Remove an entry from the allow-list.

        `DELETE /organization/{org-slug-or-id}/url-orb-allow-list/{allow-list-entry-id}`
        """
        return await self._session.request(UrlOrbConfirmation, "DELETE", f"{_path(organization)}/{segment(entry_id)}")


def _path(organization: OrgSlugOrId) -> str:
    return f"/organization/{org_segment(organization)}/url-orb-allow-list"
