"""Groups of an organization's users."""

from attrs import frozen

__all__ = ["OrganizationGroup"]


@frozen(kw_only=True)
class OrganizationGroup:
    """A group of users, for restrictions of contexts: `GET /organizations/{org_id}/groups`."""

    id: str
    name: str
    description: str | None = None
