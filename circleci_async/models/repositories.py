"""Repositories, as pipeline definitions and their triggers name them."""

from attrs import frozen

__all__ = ["Repository"]


@frozen(kw_only=True)
class Repository:
    """A repository. To name one in a call, `external_id` is enough."""

    full_name: str | None = None
    """Owner and name: `acme/api`."""
    external_id: str | None = None
    """The provider's own id; a number on GitHub."""
