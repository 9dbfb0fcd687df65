"""Groups of an organization's users."""

from attrs import define


@define(eq=False)
class OrganizationGroup:
    """A group of users."""

    id: str
    name: str
    description: str | None = None
