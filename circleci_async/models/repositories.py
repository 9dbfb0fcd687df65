"""Repositories of pipeline definitions and triggers."""

from attrs import frozen

__all__ = ["Repository"]


@frozen(kw_only=True)
class Repository:
    """A repository. As an argument, it needs only `external_id`."""

    full_name: str | None = None
    """Owner and name, such as `acme/api`."""
    external_id: str | None = None
    """The provider's id: a number on GitHub."""
