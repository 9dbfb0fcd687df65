"""An API call as a handler receives it, with its parts checked as the real API checks them."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from operator import attrgetter
from typing import Any, TypeVar, cast
from uuid import UUID

from attrs import define
from multidict import MultiMapping

from ...errors import InvalidArgument
from ..state.builds import Job, Pipeline, Workflow
from ..state.engine import Engine
from ..state.organizations import Organization, Repository
from ..state.projects import Project
from ..state.registry import Json, User
from ..state.world import World, canonical, is_opaque

_T = TypeVar("_T")

_DIGITS = re.compile("[0-9]{1,18}")


class HttpError(Exception):
    """Answers the request with an error: `status` and `{"message": message}`, or `{"error": message}`."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers: Mapping[str, str] = headers or {}


def found(record: _T | None, name: str) -> _T:
    """Return the record; 404 if it is None."""
    if record is None:
        raise HttpError(404, f"{name} not found")
    return record


def find(collections: Iterable[Mapping[str, _T]], id: str, name: str) -> _T:
    """Return the record with this id from the first collection that has it; 404 if none has."""
    return found(next((each[id] for each in collections if id in each), None), name)


def parse_uuid(name: str, value: object) -> str:
    """Parse a UUID."""
    try:
        id = str(UUID(str(value)))
    except ValueError:
        id = ""
    if id != str(value).lower():
        raise HttpError(400, f"{name}: not a valid UUID.")
    return id


def digits(text: str) -> int | None:
    """Return the number in decimal digits, or None for other text and for more digits than any number here has."""
    return int(text) if _DIGITS.fullmatch(text) else None


def parse_number(name: str, value: str, *, minimum: int = 0) -> int:
    """Parse a decimal number without sign."""
    number = digits(value)
    if number is None or number < minimum:
        raise HttpError(400, f"{name}: expected a number from {minimum}.")
    return number


def parse_time(name: str, value: str) -> datetime:
    """Parse an aware datetime."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise HttpError(400, f"{name}: expected a date and time such as 2026-05-04T10:00:00Z.")
    return at


def one_of(name: str, value: str, options: Collection[str]) -> str:
    """Return a value that must be one of the options."""
    if value not in options:
        raise HttpError(400, f"{name}: expected one of {', '.join(options)}.")
    return value


def nested(body: Mapping[str, Any], name: str, types: Mapping[str, type], *, required: Collection[str] = ()) -> Json:
    """Return the object in a field, {} if it is absent. Its own fields are checked as by `Call.body`."""
    if name not in body:
        return {}
    fields = cast(Json, body[name])
    for key in required:
        if key not in fields:
            raise HttpError(400, f"{name}.{key}: required.")
    for key, kind in types.items():
        if key in fields and type(fields[key]) is not kind:
            raise HttpError(400, f"{name}.{key}: not of the right type.")
    return fields


def is_strings(values: Iterable[object]) -> bool:
    """Return whether all values are strings."""
    return all(isinstance(value, str) for value in values)


def words(value: list[Any], options: Collection[str], name: str) -> list[str]:
    """Return a list whose items must be among the options."""
    if not all(isinstance(word, str) and word in options for word in value):
        raise HttpError(400, f"{name}: expected some of {', '.join(options)}.")
    return cast(list[str], value)


def numbers(value: list[Any], minimum: int, maximum: int, name: str) -> list[int]:
    """Return a list whose items must be integers from `minimum` to `maximum`."""
    if not all(type(number) is int and minimum <= number <= maximum for number in value):
        raise HttpError(400, f"{name}: expected numbers from {minimum} to {maximum}.")
    return cast(list[int], value)


def assign(record: object, body: Mapping[str, Any], names: Iterable[str]) -> None:
    """Set the attributes of a record that the body has fields for."""
    for name in names:
        if name in body:
            setattr(record, name, body[name])


def without_none(**fields: object) -> Json:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


class PageTokens:
    """The page tokens that a server gave out; `size` is the number of items of a page."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._places: dict[str, tuple[str, int, str]] = {}

    def write(self, scope: str, index: int, key: str) -> str:
        """Return the token of the page after an item: its index in the list `scope`, and its key."""
        place = (scope, index, key)
        token = sha256(repr(place).encode()).hexdigest()[:32]
        self._places[token] = place
        return token

    def read(self, token: str, scope: str) -> tuple[int, str] | None:
        """Return index and key of the item that the page follows, or None if the token is not one of this list."""
        place = self._places.get(token)
        return place[1:] if place is not None and place[0] == scope else None


ID = attrgetter("id")
"""The key of most records, for `Call.page`."""
_UNEXPECTED = "Unexpected request body provided."


@define
class Call:
    """One API call. Its methods raise an `HttpError` for an invalid request."""

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
    """Returns a signed URL of a path on the storage host."""
    sign_briefly: Callable[[str], str]
    """Returns such a URL with a short lifetime."""

    def caller(self) -> User:
        """Return the user of the token; 401 without a token."""
        if self.user is None:
            raise HttpError(401, "You must log in first.")
        return self.user

    # Path

    def uuid(self, name: str) -> str:
        """Return a UUID of the path."""
        return parse_uuid(name, self.values[name])

    def number(self, name: str) -> int:
        """Return a number of the path."""
        number = digits(self.values[name])
        if number is None:
            raise HttpError(400, f"{name}: not a valid number.")
        return number

    def project(self) -> Project:
        """Return the project of the path; 404 if missing, 400 for a `circleci/…` slug of names, 401 if not visible."""
        try:
            slug = canonical(self.values["project"], parts=3)
        except InvalidArgument:
            raise HttpError(404, "Project not found") from None
        project = self.world.projects.get(slug)
        if project is None:
            self.caller()  # without a token, the answer must not depend on whether the project exists
            if slug.startswith("circleci/") and not is_opaque(slug):
                raise HttpError(400, "The organization and the project of this slug must be ids.")
            raise HttpError(404, "Project not found")
        self._check_visible(project)
        return project

    def project_with_id(self, name: str, value: object) -> Project:
        """Return the project with this id; `name` is the name of the value in the request."""
        return found(self.world.project_by_id(parse_uuid(name, value)), "Project")

    def project_by_id(self, name: str) -> Project:
        """Return the project whose id is in the path."""
        return self.project_with_id(name, self.values[name])

    def organization(self, slug: str) -> Organization:
        """Return an organization by its slug."""
        try:
            return self.world.organizations[canonical(slug, parts=2)]
        except (InvalidArgument, KeyError):
            raise HttpError(404, "Organization not found") from None

    def organization_with_id(self, name: str, value: object) -> Organization:
        """Return the organization with this id; `name` is the name of the value in the request."""
        return found(self.world.organization_by_id(parse_uuid(name, value)), "Organization")

    def organization_by_id(self, name: str) -> Organization:
        """Return the organization whose id is in the path."""
        return self.organization_with_id(name, self.values[name])

    def organization_by_slug_or_id(self, name: str) -> Organization:
        """Return the organization whose id, or slug as one segment, is in the path."""
        value = self.values[name]
        return self.organization(value) if "/" in value else self.organization_by_id(name)

    def pipeline(self, name: str) -> Pipeline:
        """Return the pipeline whose id is in the path."""
        pipeline = self._visible(self.world.pipelines_by_id.get(self.uuid(name)), "Pipeline")
        self._check_visible(pipeline.project)
        return self.after_lag(pipeline)

    def after_lag(self, pipeline: Pipeline) -> Pipeline:
        """Return a pipeline; 404 if it was triggered so recently that it is not found yet."""
        if pipeline.found_from is not None and self.world.clock() < pipeline.found_from:
            raise HttpError(404, "Pipeline not found")
        return pipeline

    def workflow(self, name: str) -> Workflow:
        """Return the workflow whose id is in the path."""
        workflow = self._visible(self.world.workflows.get(self.uuid(name)), "Workflow")
        self._check_visible(workflow.project)
        return workflow

    def job(self) -> Job:
        """Return the job of the project whose number is in the path."""
        return found(self.project().jobs.get(self.number("job")), "Job")

    def _visible(self, record: _T | None, name: str) -> _T:
        if record is None:
            self.caller()
        return found(record, name)

    def _check_visible(self, project: Repository) -> None:
        if not project.public:
            self.caller()

    # Query

    def flag(self, name: str) -> bool:
        """Return a boolean of the query, False if absent."""
        return self.choice(name, ("true", "false"), "false") == "true"

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        """Return one of several words of the query."""
        return one_of(name, self.query.get(name, default), options)

    def query_time(self, name: str) -> datetime | None:
        """Return a date and time of the query, or None."""
        value = self.query.get(name)
        return None if value is None else parse_time(name, value)

    def query_uuid(self, name: str) -> str | None:
        """Return a UUID of the query, or None."""
        value = self.query.get(name)
        return None if value is None else parse_uuid(name, value)

    # Body

    def body(self, types: Mapping[str, type], *, required: Collection[str] = ()) -> Json:
        """Return the JSON object of the body, {} without a body.

        A field must have the type that `types` gives, and be there if it is `required`. Other fields are ignored, as by
        the real API.
        """
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if self.content and kind != "application/json":
            raise HttpError(415, "The Content-Type must be application/json.")
        try:
            body = json.loads(self.content or b"{}")
            json.dumps(body, ensure_ascii=False, allow_nan=False).encode()  # fails for a lone surrogate
        except (ValueError, RecursionError):
            raise HttpError(400, "Malformed JSON in request body.") from None
        if not isinstance(body, dict):
            raise HttpError(400, _UNEXPECTED)
        fields = cast(Json, body)
        if not fields.keys() >= set(required) or any(
            type(fields.get(key, kind())) is not kind for key, kind in types.items()
        ):
            raise HttpError(400, _UNEXPECTED)
        return fields

    # Response

    def page(
        self,
        items: Sequence[_T],
        render: Callable[[_T], Json],
        *,
        key: Callable[[_T], object],
        scope: str,
        newest_first: bool = False,
        size: int | None = None,
    ) -> Json:
        """Return the requested page of a list, whose items are oldest first.

        `key` identifies an item: a page begins after the last item of the page before, wherever that is by now.
        `scope` identifies the list and its filters; a page token is valid for one scope only. `size`: maximum number of
        items.
        """
        index, found = -1, True
        if (token := self.query.get("page-token")) is not None:
            place = self.pages.read(token, scope)
            if place is None:
                raise HttpError(400, "Invalid page token.")
            index, found = _locate(items, key, *place)
        size = min(size or self.pages.size, self.pages.size)
        if newest_first:
            stop = index if token is not None else len(items)
            start = max(0, stop - size)
            shown, last, more = items[start:stop][::-1], start, start > 0
        else:
            start = index + found
            last = start + size - 1
            shown, more = items[start : last + 1], last + 1 < len(items)
        return {
            "items": [render(item) for item in shown],
            "next_page_token": self.pages.write(scope, last, str(key(items[last]))) if more else None,
        }


def _locate(items: Sequence[_T], key: Callable[[_T], object], index: int, name: str) -> tuple[int, bool]:
    """Return the index of an item, and True; where it was, and False, if it was deleted."""
    if index < len(items) and str(key(items[index])) == name:
        return index, True
    return next(((at, True) for at, item in enumerate(items) if str(key(item)) == name), (index, False))
