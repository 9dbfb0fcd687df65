"""Environment variables of a project, with masked values."""

from datetime import datetime

from attrs import field, frozen

__all__ = ["EnvironmentVariable"]


@frozen(kw_only=True)
class EnvironmentVariable:
    """An environment variable of a project: `GET` and `POST /project/{project-slug}/envvar`."""

    name: str
    value: str = field(repr=False)
    """Masked: `xxxx` and the last characters, four at most. Also masked in the result of `set`."""
    created_at: datetime | None = None
    """None for old variables."""
