"""The URL orb allow-list: the URL prefixes from which orbs may be loaded."""

from attrs import frozen

from .messages import Message
from .open_enum import OpenEnum

__all__ = ["UrlOrbAllowListEntry", "UrlOrbAuth", "UrlOrbConfirmation"]


class UrlOrbAuth(OpenEnum):
    """The authentication of CircleCI's requests for the orbs of an entry."""

    BITBUCKET_OAUTH = "bitbucket-oauth"
    GITHUB_APP = "github-app"
    GITHUB_OAUTH = "github-oauth"
    NONE = "none"


@frozen(kw_only=True)
class UrlOrbAllowListEntry:
    """An allowed URL prefix of orbs: `GET /organization/{org-slug-or-id}/url-orb-allow-list`."""

    id: str
    name: str
    prefix: str | None = None
    """The start of the allowed URLs."""
    auth: UrlOrbAuth | None = None


@frozen(kw_only=True)
class UrlOrbConfirmation(Message):
    """The confirmation of a new or removed entry: `POST` and `DELETE` of the allow-list."""

    id: str = ""
    """The id of the entry. Empty if the response lacks it."""
