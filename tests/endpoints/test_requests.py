"""Each method sends exactly the right request, and gives back the right kind of thing."""

import json
from collections.abc import Awaitable
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl, urlsplit

import pytest

from circleci_async import CircleCI, Message, Paged, ProjectSlug
from tests.endpoints.case import Case, every_case
from tests.endpoints.contract import OPERATIONS
from tests.models.spec import MODELS, examples, is_page, success
from tests.raw_server import answer, raw_server

CASES = list(every_case())
PAGED = [case for case in CASES if OPERATIONS[case.name].paged == "yes"]
NAMES = [f"{case.name} {number}" for number, case in enumerate(CASES)]


async def run(case: Case) -> Any:
    """Do the call; of a list that is paged, all of it."""
    operation = OPERATIONS[case.name]
    answers = answer(success(operation.id)[0], body_of(case.name)), answer(200, [])
    async with raw_server(*answers) as server, CircleCI("t", host=server.url) as circle:
        began: Paged[Any] | Awaitable[Any] = case.do(circle)
        result = await began.collect() if isinstance(began, Paged) else await began
        assert len(server.requests) == (2 if operation.paged == "offset" else 1)
        request = server.requests[0]
        assert request.method == operation.method
        assert request.target == case.target
        if case.body is None:
            assert request.body == b""
        else:
            assert json.loads(request.body) == case.body
            assert request.headers["content-type"] == "application/json"
        return result


def body_of(name: str) -> Any:
    """An answer to a call as the specification shows it; "" of a call that is answered without a body."""
    operation = OPERATIONS[name]
    if operation.id == "getPipelineValuesById":
        return {"pipeline.number": 7, "pipeline.git-branch": "main"}
    found = list(examples(operation.id))
    if is_page(operation.id):
        return {"items": found, **({"next_page_token": None} if operation.paged == "yes" else {})}
    return found[0] if found else ""


@pytest.mark.parametrize("case", CASES, ids=NAMES)
async def test_the_right_request_arrives_and_the_right_thing_comes_back(case: Case) -> None:
    operation = OPERATIONS[case.name]
    result = await run(case)
    kind = MODELS.get(operation.id, Message)
    if operation.paged != "no":
        assert isinstance(result, list)
        assert result
        assert all(isinstance(item, get_args(kind)[0] if get_args(kind) else kind) for item in result)
    else:
        assert isinstance(result, get_origin(kind) or kind)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_what_is_sent_is_in_the_specification(case: Case) -> None:
    operation = OPERATIONS[case.name]
    parts = urlsplit(case.target)
    assert operation.pattern.fullmatch(parts.path)
    assert {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} <= operation.query
    if case.body is not None:
        assert set(case.body) <= set(operation.body["properties"])
        assert set(operation.body.get("required", [])) <= set(case.body)
    else:
        assert not operation.body.get("required")


@pytest.mark.parametrize("case", PAGED, ids=[f"{case.name} {number}" for number, case in enumerate(PAGED)])
async def test_the_next_page_is_asked_for_with_the_same_parameters(case: Case) -> None:
    whole = body_of(case.name)
    first = {**whole, "items": whole["items"] * 2, "next_page_token": "to/ken="}  # the same page again is a cut list
    async with raw_server(answer(200, first), answer(200, whole)) as server, CircleCI("t", host=server.url) as circle:
        assert len(await case.do(circle).collect()) == 3 * len(whole["items"])
        separator = "&" if "?" in case.target else "?"
        assert [request.target for request in server.requests] == [
            case.target,
            f"{case.target}{separator}page-token=to%2Fken%3D",
        ]


@pytest.mark.parametrize(
    ("project", "path"),
    [
        ("gh/acme/api", "gh/acme/api"),
        ("github/acme/api", "gh/acme/api"),
        ("bitbucket/acme/api", "bb/acme/api"),
        (
            "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat",
            "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat",
        ),
        ("gh/acme corp/a%2Fpi+x\u00e9", "gh/acme%20corp/a%252Fpi%2Bx%C3%A9"),
        ("gh%2Facme%2Fapi", "gh/acme/api"),
        ("https://github.com/acme/api.git", "gh/acme/api"),
        (ProjectSlug("gh", "acme", "a?b#c&d"), "gh/acme/a%3Fb%23c%26d"),
    ],
    ids=str,
)
async def test_a_slug_arrives_as_three_segments_each_quoted_by_itself(project: str | ProjectSlug, path: str) -> None:
    async with raw_server(answer(200, {"items": []})) as server, CircleCI("t", host=server.url) as circle:
        await circle.pipelines.list(project).collect()
        await circle.insights.workflows(project).collect()
        assert [request.target for request in server.requests] == [
            f"/api/v2/project/{path}/pipeline",
            f"/api/v2/insights/{path}/workflows",
        ]
