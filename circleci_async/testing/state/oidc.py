"""The claims that an organization or a project sets for its OIDC tokens."""

from collections.abc import Sequence
from datetime import datetime

from attrs import define


@define(eq=False)
class OidcClaimSet:
    """What is set, and since when; None for what isn't."""

    audience: Sequence[str] | None = None
    audience_updated_at: datetime | None = None
    ttl: str | None = None
    ttl_updated_at: datetime | None = None
