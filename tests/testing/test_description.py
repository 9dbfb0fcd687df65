"""The operations of the fake are those of the API's description, and its answers are held against it."""

import re

import pytest

from circleci_async.testing import handlers
from circleci_async.testing.server.routing import Route
from tests.endpoints.contract import OPERATIONS

from .caller import faults_of

ROUTES = [route for group in handlers.GROUPS for route in group.ROUTES]
_SLUGS = {"{project}": "gh/acme/api", "{org}": "gh/acme"}


def _path(route: Route) -> str:
    """Give a path that the route answers."""
    return re.sub(r"\{\w+\}", lambda match: _SLUGS.get(match[0], "1"), route.template)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_each_operation_answers_what_the_description_says(route: Route) -> None:
    (fault,) = faults_of(route.method, _path(route), route.status, 7)
    assert "7 is not of type" in fault
    (never,) = faults_of(route.method, _path(route), 299, {})
    assert never.endswith("never answers 299")


def test_every_operation_of_the_description_is_answered() -> None:
    def shape(path: str) -> str:
        slugs = re.sub(r"\{project-slug\}|\{provider\}/\{organization\}/\{project\}|\{project\}", "<3>", path)
        slugs = re.sub(r"\{org-slug\}|\{org\}", "<2>", slugs)
        return re.sub(r"\{[^}]+\}", "<1>", slugs)

    described = {(each.method, shape(each.path)) for each in OPERATIONS.values()}
    assert {(route.method, shape(route.template)) for route in ROUTES} == described
    assert len(ROUTES) == len(OPERATIONS) == 114


def test_an_answer_that_is_not_as_described_is_found_out() -> None:
    assert faults_of("GET", "/me", 200, {"id": "x", "login": 1, "name": None})
    assert faults_of("GET", "/me", 401, {"error": "no"})
    assert faults_of("GET", "/me", 200, {"id": "00000000-0000-4000-8000-000000000000", "login": "", "name": None}) == []
