"""Users and their organizations."""

from attrs import frozen

__all__ = ["Collaboration", "User"]


@frozen(kw_only=True)
class User:
    """A user account: `GET /me` and `GET /user/{id}`."""

    id: str
    login: str
    """The user name on the version control system."""
    name: str | None = None
    """The display name."""
    avatar_url: str | None = None


@frozen(kw_only=True)
class Collaboration:
    """An organization that a user belongs to or collaborates with: `GET /me/collaborations`."""

    name: str
    vcs_type: str
    """The version control system: `github`, `bitbucket` or `circleci`."""
    id: str | None = None
    """None for an organization that does not use CircleCI."""
    slug: str | None = None
    avatar_url: str | None = None
