"""What every group of calls has: the session that they go through."""

from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from ..errors import InvalidArgument
from ..session import Session
from ..slug import OrgSlug, ProjectSlug

Id: TypeAlias = str | UUID
"""An id as the API gives it, or as a UUID."""

ProjectRef: TypeAlias = str | ProjectSlug
"""A project by its slug: `gh/acme/api`, or whatever `ProjectSlug.parse` takes."""

OrgRef: TypeAlias = str | OrgSlug
"""An organization by its slug: `gh/acme`."""

OrgSlugOrId: TypeAlias = str | OrgSlug | UUID
"""An organization by its slug, `gh/acme`, or by its id."""


class Group:
    """A group of calls; made by `CircleCI`, not by hand."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.core.api}>"


def moment(name: str, date: datetime | str | None) -> datetime | None:
    """Read the date and time of the argument `name`, which must have a time zone."""
    try:
        read = datetime.fromisoformat(date) if isinstance(date, str) else date
    except ValueError:
        read = None
    if date is not None and (read is None or read.tzinfo is None):
        raise InvalidArgument(
            f"{name}={date!r}: give a datetime with a time zone, such as datetime.now(UTC), or '2026-11-24T00:00:00Z'"
        )
    return read
