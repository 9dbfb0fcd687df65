"""Groups of an organization's users."""

from attrs import frozen

__all__ = ["OrganizationGroup"]


@frozen(kw_only=True)
class OrganizationGroup:
    """A group of users, to whom contexts can be restricted: `GET /organizations/{org_id}/groups`."""

    id: str
    name: str
    description: str | None = None
