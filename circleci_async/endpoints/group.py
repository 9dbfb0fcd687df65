"""What every group of calls has: the session that they go through."""

from typing import TypeAlias
from uuid import UUID

from ..session import Session
from ..slug import OrgSlug, ProjectSlug

Id: TypeAlias = str | UUID
"""An id as the API gives it, or as a UUID."""

ProjectRef: TypeAlias = str | ProjectSlug
"""A project by its slug: `gh/acme/api`, or whatever `ProjectSlug.parse` takes."""

OrgRef: TypeAlias = str | OrgSlug
"""An organization by its slug: `gh/acme`."""


class Group:
    """A group of calls; made by `CircleCI`, not by hand."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.core.api}>"
