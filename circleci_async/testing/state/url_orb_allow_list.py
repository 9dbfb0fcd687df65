"""The URL orb allow-list of an organization."""

from attrs import define


@define(eq=False)
class AllowListEntry:
    """A prefix of URLs; `auth` is `github-oauth`, `github-app`, `bitbucket-oauth` or `none`."""

    id: str
    name: str
    prefix: str
    auth: str
