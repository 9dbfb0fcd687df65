"""Custom claims of OIDC tokens."""

from collections.abc import Sequence
from datetime import datetime

from attrs import define


@define(eq=False)
class OidcClaimSet:
    """The custom claims of an organization or a project, and the time of their last change; None if not set."""

    audience: Sequence[str] | None = None
    audience_updated_at: datetime | None = None
    ttl: str | None = None
    ttl_updated_at: datetime | None = None

    def set(self, name: str, value: object, at: datetime | None) -> None:
        """Set a claim, or remove it with None."""
        setattr(self, name, value)
        setattr(self, f"{name}_updated_at", at)
