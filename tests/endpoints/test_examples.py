"""Arguments are written as the API reads them, in each form that a method accepts."""

import json
from typing import Any

import pytest

from circleci_async import CircleCI, Paged, ProjectSlug
from tests.endpoints.contract import OPERATIONS
from tests.endpoints.examples import EXAMPLES, Example
from tests.endpoints.test_contract import answers
from tests.models.spec import success
from tests.raw_server import answer, raw_server


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{number} {example.name}" for number, example in enumerate(EXAMPLES)]
)
async def test_the_api_receives_the_arguments_in_its_own_form(example: Example) -> None:
    operation = OPERATIONS[example.name]
    response = answer(success(operation.id)[0], answers(operation))
    async with raw_server(response) as server, CircleCI("t", host=server.url) as circle:
        started: Any = example.start(circle)
        await (started.first() if isinstance(started, Paged) else started)
    path, _, query = server.requests[0].target.partition("?")
    assert operation.pattern.fullmatch(path)
    assert query == example.query
    if example.body is not None:
        body = json.loads(server.requests[0].body)
        assert {name: body.get(name) for name in example.body} == example.body


@pytest.mark.parametrize(
    ("project", "path"),
    [
        ("gh/acme/api", "gh/acme/api"),
        ("github/acme/api", "gh/acme/api"),
        ("bitbucket/acme/api", "bb/acme/api"),
        ("circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat",) * 2,
        ("gh/acme corp/a%2Fpi+x\u00e9", "gh/acme%20corp/a%252Fpi%2Bx%C3%A9"),
        ("https://github.com/acme/api.git", "gh/acme/api"),
        (ProjectSlug("gh", "acme", "a?b#c&d"), "gh/acme/a%3Fb%23c%26d"),
    ],
    ids=str,
)
async def test_a_project_slug_is_sent_as_three_quoted_segments(project: str | ProjectSlug, path: str) -> None:
    async with raw_server(answer(200, {"items": []})) as server, CircleCI("t", host=server.url) as circle:
        await circle.pipelines.list(project).collect()
    assert [request.target for request in server.requests] == [f"/api/v2/project/{path}/pipeline"]
