"""OIDC tokens: the claims that jobs' tokens make."""

from datetime import datetime

from attrs import frozen

from .open_enum import OpenEnum

__all__ = ["OidcClaim", "OidcClaimSet"]


class OidcClaim(OpenEnum):
    """A claim that can be set, and taken back to CircleCI's default."""

    AUDIENCE = "audience"
    TTL = "ttl"


@frozen(kw_only=True)
class OidcClaimSet:
    """What an organization or a project sets for its tokens: `GET /org/{orgID}/oidc-custom-claims` and its like."""

    org_id: str = ""
    """Empty where a deletion was confirmed without a word."""
    project_id: str | None = None
    """None for the claims of a whole organization."""
    audience: tuple[str, ...] = ()
    """Empty if none is set: the audience is the organization's id then."""
    audience_updated_at: datetime | None = None
    ttl: str | None = None
    """How long a token is good for, such as `1h30m`; None if it isn't set."""
    ttl_updated_at: datetime | None = None
