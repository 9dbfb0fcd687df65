"""The URL orb allow-list: from where orbs may be used by URL."""

from attrs import frozen

from .messages import Message
from .open_enum import OpenEnum

__all__ = ["UrlOrbAllowListEntry", "UrlOrbAuth", "UrlOrbConfirmation"]


class UrlOrbAuth(OpenEnum):
    """As whom CircleCI fetches the orbs of an entry."""

    BITBUCKET_OAUTH = "bitbucket-oauth"
    GITHUB_APP = "github-app"
    GITHUB_OAUTH = "github-oauth"
    NONE = "none"


@frozen(kw_only=True)
class UrlOrbAllowListEntry:
    """A place from where orbs may be used: `GET /organization/{org-slug-or-id}/url-orb-allow-list`."""

    id: str
    name: str
    prefix: str | None = None
    """What the URL of an orb must begin with."""
    auth: UrlOrbAuth | None = None


@frozen(kw_only=True)
class UrlOrbConfirmation(Message):
    """An entry was added or removed: `POST` and `DELETE` of the allow-list."""

    id: str = ""
    """The entry's id. Empty if the server confirmed without a word."""
