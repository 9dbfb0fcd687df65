"""OIDC tokens: custom claims in the tokens of jobs."""

from datetime import datetime

from attrs import frozen

from .open_enum import OpenEnum

__all__ = ["OidcClaim", "OidcClaimSet"]


class OidcClaim(OpenEnum):
    """A claim that can be customized."""

    AUDIENCE = "audience"
    TTL = "ttl"


@frozen(kw_only=True)
class OidcClaimSet:
    """The custom claims of an organization or a project: `GET /org/{orgID}/oidc-custom-claims`."""

    org_id: str = ""
    """Empty if the response to a deletion has no body."""
    project_id: str | None = None
    """None for the claims of an organization."""
    audience: tuple[str, ...] = ()
    """Empty if not customized: the audience is the organization's id."""
    audience_updated_at: datetime | None = None
    ttl: str | None = None
    """The time to live of a token, such as `1h30m`. None if not customized."""
    ttl_updated_at: datetime | None = None
