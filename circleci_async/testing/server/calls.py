"""What a handler of an API call gets to work with: the parts of the request, checked as the real API checks them."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from attrs import define
from multidict import MultiMapping

from ...errors import InvalidArgument
from ..state.accounts import Organization, User
from ..state.builds import Pipeline, Workflow
from ..state.engine import Engine
from ..state.jobs import Job
from ..state.projects import Project
from ..state.world import World, canonical, is_opaque
from .pages import PageTokens

Json = dict[str, Any]

_T = TypeVar("_T")
_UNEXPECTED = "Unexpected request body provided."


class Refusal(Exception):
    """The request is answered with an error: `status` and `{"message": message}`, or `error` where the API says so."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def valid_uuid(name: str, value: object) -> str:
    """Read a UUID, wherever it comes from; 400 for anything else. `name` is what the request calls it."""
    try:
        id = str(UUID(str(value)))
    except ValueError:
        id = ""
    if id != str(value).lower():
        raise Refusal(400, f"{name}: not a valid UUID.")
    return id


@define
class Call:
    """One API call on its way through a handler. Whatever is wrong with it is raised as a `Refusal`."""

    world: World
    engine: Engine
    pages: PageTokens
    artifacts_url: str
    user: User | None
    headers: Mapping[str, str]
    query: MultiMapping[str]
    content: bytes
    values: Mapping[str, str]
    sign: Callable[[str], str]
    """Makes the signed address of a path of the storage, for those who are to read it without a token."""
    lend: Callable[[str], str]
    """Makes such an address that is good for a short time."""

    def caller(self) -> User:
        """Give the user whose token was sent; 401 for nobody."""
        if self.user is None:
            raise Refusal(401, "You must log in first.")
        return self.user

    # What the path names

    def uuid(self, name: str) -> str:
        """Read a UUID of the path; 400 for anything else."""
        return valid_uuid(name, self.values[name])

    def number(self, name: str) -> int:
        """Read a number of the path; 400 for anything else."""
        value = self.values[name]
        if not (value.isascii() and value.isdigit()):
            raise Refusal(400, f"{name}: not a valid number.")
        return int(value)

    def project(self) -> Project:
        """Find the project; 404 if there is none, 400 for a `circleci/…` slug of names, 401 if it can't be seen."""
        try:
            slug = canonical(self.values["project"], parts=3)
        except InvalidArgument:
            raise Refusal(404, "Project not found") from None
        project = self.world.projects.get(slug)
        if project is None:
            self.caller()  # without a token, nobody learns whether it exists
            if slug.startswith("circleci/") and not is_opaque(slug):
                raise Refusal(400, "The organization and the project of this slug must be ids.")
            raise Refusal(404, "Project not found")
        return self._seen(project)

    def project_by_id(self, name: str) -> Project:
        """Find the project whose id stands in the path; 404 if there is none."""
        project = self.world.project_by_id(self.uuid(name))
        if project is None:
            raise Refusal(404, "Project not found")
        return project

    def organization(self, slug: str) -> Organization:
        """Find an organization by its slug; 404 if there is none."""
        try:
            return self.world.organizations[canonical(slug, parts=2)]
        except (InvalidArgument, KeyError):
            raise Refusal(404, "Organization not found") from None

    def organization_by_id(self, name: str) -> Organization:
        """Find the organization whose id stands in the path; 404 if there is none."""
        organization = self.world.organization_by_id(self.uuid(name))
        if organization is None:
            raise Refusal(404, "Organization not found")
        return organization

    def organization_named(self, name: str) -> Organization:
        """Find the organization whose id, or whose slug in one segment, stands in the path; 404 if there is none."""
        value = self.values[name]
        return self.organization(value) if "/" in value else self.organization_by_id(name)

    def pipeline(self, name: str) -> Pipeline:
        """Find the pipeline whose id stands in the path; 404 if there is none."""
        pipeline = self.world.pipelines_by_id.get(self.uuid(name))
        if pipeline is None:
            raise self._missing("Pipeline not found")
        self._seen(pipeline.project)
        return self.present(pipeline)

    def present(self, pipeline: Pipeline) -> Pipeline:
        """Give a pipeline back; 404 if it was triggered so lately that it can't be found yet."""
        if pipeline.found_from is not None and self.world.clock() < pipeline.found_from:
            raise Refusal(404, "Pipeline not found")
        return pipeline

    def workflow(self, name: str) -> Workflow:
        """Find the workflow whose id stands in the path; 404 if there is none."""
        workflow = self.world.workflows.get(self.uuid(name))
        if workflow is None:
            raise self._missing("Workflow not found")
        self._seen(workflow.pipeline.project)
        return workflow

    def job(self) -> Job:
        """Find the job of the project whose number stands in the path; 404 if there is none."""
        project = self.project()
        job = project.jobs.get(self.number("job"))
        if job is None:
            raise Refusal(404, "Job not found")
        return job

    def _missing(self, message: str) -> Refusal:
        return Refusal(404, message) if self.user else Refusal(401, "You must log in first.")

    def _seen(self, project: Project) -> Project:
        if not project.public:
            self.caller()
        return project

    # What the query asks for

    def flag(self, name: str) -> bool:
        """Read a boolean of the query, False when absent."""
        return self.choice(name, ("true", "false"), "false") == "true"

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        """Read one of several words of the query."""
        value = self.query.get(name, default)
        if value not in options:
            raise Refusal(400, f"{name}: expected one of {', '.join(options)}.")
        return value

    def moment(self, name: str) -> datetime | None:
        """Read a date and time of the query."""
        value = self.query.get(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise Refusal(400, f"{name}: expected a date and time such as 2026-05-04T10:00:00Z.")
        return moment

    # What the body says

    def body(self, types: Mapping[str, type], *, required: Collection[str] = ()) -> Json:
        """Read the JSON object of the body; `types` says what each key must be, if it is there and if it is `required`.

        Other keys are ignored, as the real API does. An absent body is an empty object.
        """
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if self.content and kind != "application/json":
            raise Refusal(415, "The Content-Type must be application/json.")
        try:
            body = json.loads(self.content or b"{}")
            json.dumps(body, ensure_ascii=False, allow_nan=False).encode()  # half a character is not text
        except (ValueError, RecursionError):
            raise Refusal(400, "Malformed JSON in request body.") from None
        if not isinstance(body, dict):
            raise Refusal(400, _UNEXPECTED)
        fields = cast(Json, body)
        if not fields.keys() >= set(required) or any(
            type(fields.get(key, kind())) is not kind for key, kind in types.items()
        ):
            raise Refusal(400, _UNEXPECTED)
        return fields

    # The answer

    def page(
        self,
        items: Sequence[_T],
        render: Callable[[_T], Json],
        *,
        scope: str,
        newest_first: bool = False,
        size: int | None = None,
    ) -> Json:
        """Give the page that was asked for of a list, oldest first; `scope` names this list and its filters.

        `size`: how many items the caller wants at most.
        """
        token = self.query.get("page-token")
        place = None if token is None else self.pages.read(token, scope)
        if token is not None and place is None:
            raise Refusal(400, "Invalid page token.")
        size = min(size or self.pages.size, self.pages.size)
        if newest_first:
            stop = len(items) if place is None else place
            start = max(0, stop - size)
            shown, following = items[start:stop][::-1], start if start > 0 else None
        else:
            start = place or 0
            shown, following = items[start : start + size], start + size if start + size < len(items) else None
        return {
            "items": [render(item) for item in shown],
            "next_page_token": None if following is None else self.pages.write(following, scope),
        }
