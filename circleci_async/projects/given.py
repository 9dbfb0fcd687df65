"""The projects that an argument names, each alone or through its organization."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from typing import Any, NamedTuple, cast

from ..core.fan_out import stream
from ..core.session import Session
from ..endpoints.resource import OrgRef, ProjectRef, ProjectsRef
from ..errors import CircleCIError, InvalidArgument
from ..slug import OrgSlug, ProjectSlug, project_or_organization
from .of_organization import OrgProjects


async def each_project(
    session: Session, projects: ProjectsRef
) -> AsyncGenerator[tuple[Any, ProjectSlug | CircleCIError], None]:
    """Iterate over `(project, slug)`, with organizations replaced by their projects, and no project twice.

    A project is as it was given. Those of an organization are text if the organization was, else `ProjectSlug`.
    Anything invalid, and an organization whose list fails, is yielded with its error, and does not stop the others.
    """
    seen: set[object] = set()
    async with aclosing(stream(several(projects))) as given:
        async for each in given:
            async with aclosing(_expanded(session, each)) as found:
                async for project, slug in found:
                    key = project if isinstance(project, str) else slug
                    if key not in seen:
                        seen.add(key)
                        yield project, slug


async def _expanded(session: Session, given: object) -> AsyncGenerator[tuple[Any, ProjectSlug | CircleCIError], None]:
    """Iterate over the projects of an organization, or yield the given project."""
    try:
        slug = project_or_organization(given)
        if isinstance(slug, ProjectSlug):
            yield given, slug
            return
        async with aclosing(aiter(OrgProjects(session, slug))) as listed:
            async for project in listed:
                found = ProjectSlug.parse(project)
                yield (project.slug if isinstance(given, str) else found), found
    except CircleCIError as error:
        yield given, error


class GivenProjects(NamedTuple):
    """What an argument names."""

    projects: tuple[str, ...]
    """The slugs of all projects, each once."""
    organizations: dict[str, CircleCIError | None]
    """The slugs of organizations, each with the error if its projects could not be listed."""


async def given_projects(session: Session, projects: ProjectsRef) -> GivenProjects:
    """Return the slugs that an argument names.

    Raises `InvalidArgument` before anything is sent if one is invalid or none is given, and the error of an
    organization if no project can be listed.
    """
    given = several(projects)
    if not isinstance(given, AsyncIterable):
        given = list(given)
        for each in given:
            project_or_organization(each)
    slugs: dict[str, None] = {}
    organizations: dict[str, CircleCIError | None] = {}
    async with aclosing(stream(given)) as items:
        async for each in items:
            named = project_or_organization(each)
            if isinstance(named, OrgSlug):
                organizations.setdefault(str(named))
            async with aclosing(_expanded(session, named)) as found:
                async for _, slug in found:
                    if isinstance(slug, CircleCIError):
                        organizations[str(named)] = slug
                    else:
                        slugs[str(slug)] = None
    if slugs:
        return GivenProjects(tuple(slugs), organizations)
    for error in filter(None, organizations.values()):
        raise error
    raise InvalidArgument(f"projects must contain at least one project, such as 'gh/acme/api', got {projects!r}")


def several(projects: ProjectsRef) -> Iterable[ProjectRef | OrgRef] | AsyncIterable[ProjectRef | OrgRef]:
    """Return an iterable of what an argument for projects names."""
    if isinstance(projects, str | ProjectSlug | OrgSlug) or hasattr(projects, "slug"):
        return [cast("ProjectRef | OrgRef", projects)]
    if isinstance(projects, Iterable | AsyncIterable):
        return projects
    raise InvalidArgument(
        f"projects must be projects such as 'gh/acme/api', or an organization such as 'gh/acme', got {projects!r}"
    )
