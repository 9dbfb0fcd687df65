"""The embedded CircleCI has the operations of the OpenAPI description, and its responses are validated against it."""

import re

import pytest

from circleci_async.testing.handlers import ROUTES
from circleci_async.testing.server.routing import Route
from tests.description import faults_of
from tests.endpoints.contract import OPERATIONS

_SLUGS = {"{project}": "gh/acme/api", "{org}": "gh/acme"}


def _path(route: Route) -> str:
    """Return a path that the route matches."""
    return re.sub(r"\{\w+\}", lambda match: _SLUGS.get(match[0], "1"), route.template)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_each_response_is_validated_against_the_description(route: Route) -> None:
    (fault,) = faults_of(route.method, _path(route), route.status, 7)
    assert "7 is not of type" in fault
    (never,) = faults_of(route.method, _path(route), 299, {})
    assert never.endswith("never answers 299")


def test_the_fake_has_every_operation_of_the_description() -> None:
    def shape(path: str) -> str:
        slugs = re.sub(r"\{project-slug\}|\{provider\}/\{organization\}/\{project\}|\{project\}", "<3>", path)
        slugs = re.sub(r"\{org-slug\}|\{org\}", "<2>", slugs)
        return re.sub(r"\{[^}]+\}", "<1>", slugs)

    described = {(each.method, shape(each.path)) for each in OPERATIONS.values()}
    assert {(route.method, shape(route.template)) for route in ROUTES} == described
    assert len(ROUTES) == len(OPERATIONS) == 114


def test_an_invalid_response_is_detected() -> None:
    assert faults_of("GET", "/me", 200, {"id": "x", "login": 1, "name": None})
    assert faults_of("GET", "/me", 401, {"error": "no"})
    assert faults_of("GET", "/me", 200, {"id": "00000000-0000-4000-8000-000000000000", "login": "", "name": None}) == []
