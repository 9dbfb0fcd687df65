"""The projects API, with the list of an organization's projects."""

from ..core.paging import Paged
from ..core.when import When
from ..endpoints.projects import Projects as Endpoints
from ..endpoints.resource import OrgRef
from ..models.projects import ListedProject


class Projects(Endpoints):
    """Projects."""

    def list(self, organization: OrgRef, *, since: When | None = None, look_back: int = 1_000) -> Paged[ListedProject]:
        """Iterate over the projects of an organization, for which API v2 has no call.

        First the projects of its `look_back` newest pipelines (with `since`, of those created since then), most
        recently built first (`GET /pipeline`), then others that Insights knows from the last 90 days
        (`GET /insights/{org-slug}/summary`). If the API refuses one of the two (403, 404 and so on), the other gives
        the list; if both, or if the other is empty, the error is raised. `is_truncated` of the list is True after an
        iteration that ended reading pipelines at `look_back`.

        Misses projects that the token's user does not follow or cannot access, and projects that have neither a
        pipeline within `look_back` nor runs in the last 90 days. In `circleci/...` organizations, pipelines are the
        only source.
        """
        from ..projects.of_organization import OrgProjects  # only now: it loads the models of other groups

        return OrgProjects(self._session, organization, since=since, look_back=look_back)
