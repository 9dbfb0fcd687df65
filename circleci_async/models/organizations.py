"""Organizations."""

from attrs import frozen

from .open_enum import OpenEnum

__all__ = ["Organization", "VcsType"]


class VcsType(OpenEnum):
    """The version control system of an organization. `circleci` covers all integrations except the oldest two."""

    BITBUCKET = "bitbucket"
    CIRCLECI = "circleci"
    GITHUB = "github"


@frozen(kw_only=True)
class Organization:
    """An organization: `GET /organization/{org-slug-or-id}`."""

    id: str
    slug: str
    name: str
    vcs_type: str | None = None
    """The version control system: `github`, `bitbucket` or `circleci`."""
