"""The source of the endpoint modules offers what the specification offers: no call, parameter or field more or less."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints.contract import OPERATIONS, Operation, resolve
from tests.endpoints.source import Route, routes

SPEC: dict[str, Any] = json.loads((Path(__file__).parent.parent / "contract" / "circleci-v2.openapi.json").read_bytes())
ROUTES = {route.name: route for route in routes()}

# How each kind of placeholder is to be filled; one segment that is quoted, if it is none of these.
FILLED_BY = {
    "{project-slug}": "{project_path}",
    "{provider}/{organization}/{project}": "{project_path}",
    "{org-slug}": "{org_path}",
    "{org-slug-or-id}": "{org_segment}",
}
NOT_OFFERED = {
    ("contexts.add_restriction", "project_id"): "deprecated: a restriction of the type `project` says the same",
}
NEEDED = {
    ("contexts.add_restriction", "restriction_type"): "without it there is nothing to restrict",
    ("contexts.add_restriction", "restriction_value"): "likewise",
    ("policies.push_bundle", "policies"): "a bundle without policies deletes all: that must be said",
    ("policies.update_settings", "enabled"): "the API refuses a body without it",
}


def documented() -> set[str]:
    """The ids of the operations that CircleCI documents."""
    calls = [call for path in SPEC["paths"].values() for call in path.values() if "operationId" in call]
    return {call["operationId"] for call in calls if not call.get("x-undocumented")}


def path(operation: Operation) -> str:
    """The operation's path, with the function that is to fill each placeholder."""
    found = operation.path
    for placeholder, function in FILLED_BY.items():
        found = found.replace(placeholder, function)
    parts = (part if part in FILLED_BY.values() or part[0] != "{" else "{segment}" for part in found[1:].split("/"))
    return f"/{'/'.join(parts)}"


def optional(operation: Operation) -> set[str]:
    """The query parameters and fields of the body that the operation does without."""
    parameters = [resolve(each) for each in operation.spec.get("parameters", [])]
    query: set[str] = {each["name"] for each in parameters if each["in"] == "query" and not each.get("required")}
    body: set[str] = operation.body.get("properties", {}).keys() - set(operation.body.get("required", []))
    return query | body


def test_every_documented_operation_has_a_name_and_a_method() -> None:
    named = Counter(operation.id for operation in OPERATIONS.values())
    assert set(named) == documented()
    assert named.total() == 114
    assert ROUTES.keys() == OPERATIONS.keys()


def test_every_method_asks_for_its_own_operation() -> None:
    asked = {name: f"{route.method} {route.path}" for name, route in ROUTES.items()}
    expected = {name: f"{operation.method} {path(operation)}" for name, operation in OPERATIONS.items()}
    assert asked == expected
    assert len(set(asked.values())) == len(asked), "two methods send the same"


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_a_method_sends_every_query_parameter_and_no_other(route: Route) -> None:
    assert set(route.query) == OPERATIONS[route.name].query


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_a_method_sends_every_field_of_the_body_and_no_other(route: Route) -> None:
    body = OPERATIONS[route.name].body
    assert (route.body is None) == (not body)
    left_out = {field for name, field in NOT_OFFERED if name == route.name}
    assert set(route.body or {}) == body.get("properties", {}).keys() - left_out


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_what_the_specification_does_without_may_be_left_out(route: Route) -> None:
    sent = {**route.query, **(route.body or {})}
    for field in optional(OPERATIONS[route.name]) & sent.keys():
        needed = {argument for argument in sent[field] if not route.arguments[argument]}
        assert bool(needed) == ((route.name, field) in NEEDED), f"{field} comes from {needed}, which must be given"


def test_every_exception_is_one() -> None:
    assert {(name, field) for name, field in NEEDED if field in optional(OPERATIONS[name])} == NEEDED.keys()
    assert all(OPERATIONS[name].body["properties"][field]["deprecated"] for name, field in NOT_OFFERED)
