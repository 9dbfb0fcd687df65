"""A path is mapped to the template that the API documents for it."""

import re

import pytest

from circleci_async.core.routes import route_of
from tests.endpoints.contract import OPERATIONS, Operation

FILLED = {"project-slug": "gh/acme/api", "org-slug": "gh/acme", "org-slug-or-id": "gh%2Facme", "job-number": "42"}


def template(operation: Operation) -> str:
    return operation.path.replace("{provider}/{organization}/{project}", "{project-slug}")


def path(operation: Operation, value: str = "7f5b") -> str:
    """Return a path of the operation, with `value` for each placeholder that `FILLED` does not list."""
    return "/api/v2" + re.sub(r"\{([^}]+)\}", lambda found: FILLED.get(found[1], value), template(operation))


# A name can be equal to a literal segment of another path.
@pytest.mark.parametrize("value", ["7f5b", "workflows", "job", "summary"])
def test_the_route_of_each_operation_is_its_documented_path(value: str) -> None:
    routes = {name: route_of(path(operation, value)) for name, operation in OPERATIONS.items()}
    assert routes == {name: template(operation) for name, operation in OPERATIONS.items()}


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/v2/project/circleci/5e7d/9f1c/job/42", "/project/{project-slug}/job/{job-number}"),
        ("/api/v2/project/gh/acme/job/pipeline", "/project/{project-slug}/pipeline"),
        ("/api/v2/pipeline/continue", "/pipeline/continue"),
        ("/api/v2/project/gh/acme/api/pipeline/mine", "/project/{project-slug}/pipeline/mine"),
        ("/api/v1.1/project/gh/acme/api/42", "/api/v1.1/project/{project-slug}/{job-number}"),
        (
            "/api/v1.1/project/gh/acme/api/42/output/101/0",
            "/api/v1.1/project/{project-slug}/{job-number}/output/{step}/{node}",
        ),
    ],
)
def test_the_route_with_the_most_literal_segments_is_chosen(path: str, route: str) -> None:
    assert route_of(path) == route


@pytest.mark.parametrize("path", ["/api/v2/anything/new", "/api/v2", "/api/v2/", "/", "/api/v1.1/me", "/api/v3/me"])
def test_an_undocumented_path_has_no_route(path: str) -> None:
    assert route_of(path) is None
