"""The base class of all resources, and the types and checks of their arguments."""

from collections.abc import AsyncIterable, Iterable
from typing import TypeAlias, TypeVar
from uuid import UUID

from ..core.session import Session
from ..errors import InvalidArgument
from ..slug import HasSlug, OrgSlug, ProjectSlug

__all__ = ["ProjectRef"]

T = TypeVar("T")

Id: TypeAlias = str | UUID
"""An id, as text or as a UUID."""

ProjectRef: TypeAlias = str | ProjectSlug | HasSlug
"""A project slug such as `gh/acme/api`, a model that has one, or another form that `ProjectSlug.parse` accepts."""

OrgRef: TypeAlias = str | OrgSlug
"""An organization slug such as `gh/acme`."""

ProjectsRef: TypeAlias = ProjectRef | OrgRef | Iterable[ProjectRef | OrgRef] | AsyncIterable[ProjectRef | OrgRef]
"""A project, an organization for all its projects (see `projects.list`), or several of both."""

OrgSlugOrId: TypeAlias = str | OrgSlug | UUID
"""An organization slug such as `gh/acme`, or an organization id."""


class Resource:
    """Base of the resource classes. The client creates them, for example `circle.pipelines`."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.state.api}>"


def require_id(name: str, id: Id | None) -> Id:
    """Return the id given as the argument `name`. Raises `InvalidArgument` for an empty value or another type."""
    if not id or not isinstance(id, str | UUID):  # pyright: ignore[reportUnnecessaryIsInstance]  # for callers without a type checker
        raise InvalidArgument(f"{name} must be an id such as '5034460f-c7c4-4c43-9457-de07e2029e7b', got {id!r}")
    return id


def require(name: str, value: T | None) -> T:
    """Return the argument `name`. Raises `InvalidArgument` for None, which fields of models can be."""
    if value is None:
        raise InvalidArgument(f"{name} is required, got None")
    return value
