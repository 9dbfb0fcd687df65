"""The projects of an organization, which API v2 has no call for."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Final

from ..config.log import log
from ..core.arguments import check_positive_integer
from ..core.paging import Page, Paged
from ..core.session import Session
from ..core.when import When, parse_datetime
from ..endpoints.insights import Insights
from ..endpoints.pipelines import Pipelines
from ..endpoints.resource import OrgRef
from ..errors import ApiError
from ..models.projects import ListedProject
from ..slug import OrgSlug

LOOK_BACK: Final = 1_000
"""Pipelines of an organization that are read by default."""

_REFUSALS = {400, 402, 403, 404, 410, 422}
"""Statuses of a source that the token, the plan or the installation does not give access to."""


class OrgProjects(Paged[ListedProject]):
    """The projects of an organization: those of its newest pipelines, then others that Insights knows."""

    def __init__(
        self, session: Session, organization: OrgRef, *, since: When | None = None, look_back: int = LOOK_BACK
    ) -> None:
        super().__init__(self._all_as_one_page)
        self._organization = OrgSlug.parse(organization)
        self._since = parse_datetime("since", since)
        self._look_back = check_positive_integer("look_back", look_back)
        self._pipelines = Pipelines(session).list_for_org(self._organization)
        self._insights = Insights(session)

    async def pages(self, start: str | None = None) -> AsyncGenerator[Page[ListedProject], None]:
        """Iterate the pages with projects that no page before had.

        `start` is the token of a page of the organization's pipelines. `is_truncated` is True afterwards if `look_back`
        left out pipelines.
        """
        self.is_truncated = False
        listed: dict[str, ListedProject] = {}
        names: tuple[str, ...] = ()
        refusals: dict[str, ApiError] = {}
        try:
            async with aclosing(self._of_pipelines(listed, start)) as pages:
                async for page in pages:
                    yield page
        except ApiError as error:
            if error.page_token is not None or error.status not in _REFUSALS:
                raise
            refusals["pipelines"] = error
        try:
            if self._organization.vcs != "circleci":  # there, slugs contain ids; Insights knows names only
                names = (await self._insights.org_summary(self._organization)).all_projects or ()
        except ApiError as error:
            if error.status not in _REFUSALS:
                raise
            refusals["Insights"] = error
        might_not_exist = not (listed or start or self._since)  # an organization without pipelines
        if refusals and not names and ("pipelines" in refusals or might_not_exist):
            raise next(iter(refusals.values()))
        for source, refusal in refusals.items():
            log.warning("projects of %s: listed without %s: %s", self._organization, source, refusal)
        organization = next((each.organization_slug for each in listed.values()), str(self._organization))
        if added := _add(listed, ((f"{organization}/{name}", None) for name in names)):
            yield Page(added, None)

    async def _of_pipelines(
        self, listed: dict[str, ListedProject], start: str | None
    ) -> AsyncGenerator[Page[ListedProject], None]:
        left = self._look_back
        async with aclosing(self._pipelines.pages(start)) as pages:
            async for page in pages:
                pipelines = page.items[:left]
                recent = [each for each in pipelines if self._since is None or each.created_at >= self._since]
                if added := _add(listed, ((each.project_slug, each.created_at) for each in recent)):
                    yield Page(added, page.next_page_token)
                left -= len(pipelines)
                if len(recent) < len(pipelines):
                    return
                if left == 0:
                    self.is_truncated: bool = len(pipelines) < len(page.items) or page.next_page_token is not None
                    return

    async def _all_as_one_page(self, start: str | None) -> Page[ListedProject]:
        async with aclosing(self.pages(start)) as pages:
            return Page(tuple([project async for page in pages for project in page.items]), None)


def _add(listed: dict[str, ListedProject], found: Iterable[tuple[str, datetime | None]]) -> tuple[ListedProject, ...]:
    """Add projects that are not yet listed, and return them. `found`: slugs, and dates of their newest pipelines."""
    added: list[ListedProject] = []
    for slug, created_at in found:
        if slug.lower() not in listed:
            organization, _, name = slug.rpartition("/")
            project = ListedProject(slug=slug, name=name, organization_slug=organization, last_pipeline_at=created_at)
            listed[slug.lower()] = project
            added.append(project)
    return tuple(added)
