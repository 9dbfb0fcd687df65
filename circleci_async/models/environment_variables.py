"""Environment variables of a project, whose values are never given back whole."""

from datetime import datetime

from attrs import field, frozen

__all__ = ["EnvironmentVariable"]


@frozen(kw_only=True)
class EnvironmentVariable:
    """An environment variable of a project: `GET` and `POST /project/{project-slug}/envvar`."""

    name: str
    value: str = field(repr=False)
    """Masked: `xxxx` and the last four characters, fewer of a short value; so in the answer to `set` too."""
    created_at: datetime | None = None
    """None of old variables."""
