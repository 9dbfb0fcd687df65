"""What every group of calls has: the session that they go through."""

from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from ..core.session import Session
from ..errors import InvalidArgument
from ..slug import OrgSlug, ProjectSlug

__all__ = ["Id", "OrgRef", "OrgSlugOrId", "ProjectRef"]

Id: TypeAlias = str | UUID
"""An id as the API gives it, or as a UUID."""

ProjectRef: TypeAlias = str | ProjectSlug
"""A project by its slug: `gh/acme/api`, or whatever `ProjectSlug.parse` takes."""

OrgRef: TypeAlias = str | OrgSlug
"""An organization by its slug: `gh/acme`."""

OrgSlugOrId: TypeAlias = str | OrgSlug | UUID
"""An organization by its slug, `gh/acme`, or by its id."""


class Resource:
    """A group of calls; made by `CircleCI`, not by hand."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.state.api}>"


def known(name: str, id: Id) -> Id:
    """Return the id that the argument `name` is; None and "" would ask for nothing, or for everything."""
    if not id or not isinstance(id, str | UUID):  # pyright: ignore[reportUnnecessaryIsInstance]  # for those who check no types
        raise InvalidArgument(f"{name}={id!r}: give an id, such as '5034460f-c7c4-4c43-9457-de07e2029e7b'")
    return id


def moment(name: str, date: datetime | str | None) -> datetime | None:
    """Read the date and time of the argument `name`, which must have a time zone."""
    try:
        read = datetime.fromisoformat(date) if isinstance(date, str) else date
    except ValueError:
        read = None
    given: object = read  # a date without a time, say, of those who check no types
    if isinstance(given, datetime) and given.tzinfo is not None:
        return given
    if date is not None:
        raise InvalidArgument(
            f"{name}={date!r}: give a datetime with a time zone, such as datetime.now(UTC), or '2026-11-24T00:00:00Z'"
        )
    return None
