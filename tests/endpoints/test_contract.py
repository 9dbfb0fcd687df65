"""Each method sends the request that CircleCI's OpenAPI description asks for, and returns the described result.

`make contract` sends the same calls to a mock server that validates them by the description alone.
"""

import ast
import csv
import inspect
import json
from collections.abc import Iterator
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl

import pytest

from circleci_async import CircleCI, InvalidArgument, Paged
from circleci_async.models import Message
from tests.endpoints.contract import CONTRACT, OPERATIONS, SPEC, Operation, resolve
from tests.endpoints.requests import Call, arguments, calls, minimal
from tests.models.spec import MODELS, examples, is_page, success
from tests.raw_server import RawServer, answer, raw_server

EACH_OPERATION = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)

NOT_OFFERED = {"contexts.add_restriction": {"project_id"}}
"""Fields without an argument: `project_id` is deprecated, a restriction of the type `project` has the same effect."""

REQUIRED_HERE = {
    "contexts.add_restriction": {"restriction_type", "restriction_value"},
    "policies.push_bundle": {"policies"},  # a request without policies would delete all of them
    "policies.update_settings": {"enabled"},  # the API refuses a request without it
}
"""Fields that the description calls optional, and that have a required argument."""


def answers(operation: Operation) -> Any:
    """Return a body of the description's examples, or "" for an operation without a body."""
    if operation.id == "getPipelineValuesById":
        return {"pipeline.number": 7, "pipeline.git-branch": "main"}
    found = list(examples(operation.id))
    if is_page(operation.id):
        return {"items": found, **({"next_page_token": None} if operation.paged == "yes" else {})}
    return found[0] if found else ""


async def finish(call: Call, server: RawServer) -> Any:
    """Make a call and return its result; of a list, all pages."""
    async with CircleCI("t", host=server.url) as circle:
        started = call.start(circle)
        return await started.collect() if isinstance(started, Paged) else await started


@EACH_OPERATION
async def test_each_argument_is_sent_where_the_description_has_it(operation: Operation) -> None:
    sent: set[str] = set()
    response = answer(success(operation.id)[0], answers(operation))
    async with raw_server(response) as server, CircleCI("t", host=server.url) as circle:
        for call in calls(operation):
            expected = call.request()
            server.requests.clear()
            started = call.start(circle)
            await (started.first() if isinstance(started, Paged) else started)
            request = server.requests[0]
            assert (request.method, request.path) == (expected.method, expected.path), call
            query = parse_qsl(request.target.partition("?")[2], keep_blank_values=True)
            query = [(name, value) for name, value in query if name != "offset"]
            assert sorted(query) == sorted(expected.query), call
            if expected.body is None:
                assert request.body == b"", call
            else:
                assert json.loads(request.body) == expected.body, call
                assert request.headers["content-type"] == "application/json"
            sent |= {name for name, _ in query} | set(expected.body or {})
    offered = operation.query | operation.body.get("properties", {}).keys()
    assert sent == offered - {"offset", "page-token"} - NOT_OFFERED.get(operation.name, set())


@EACH_OPERATION
async def test_the_result_is_the_model_of_the_annotation(operation: Operation) -> None:
    body = answers(operation)
    more = {**body, "next_page_token": "to/ken="} if operation.paged == "yes" else body
    responses = [answer(success(operation.id)[0], each) for each in (more, body if more is not body else [])]
    async with raw_server(*responses[: 2 if operation.paged in ("yes", "offset") else 1]) as server:
        if operation.paged == "yes":
            # The same page twice would count as a truncated list.
            server.behaviours[0] = answer(200, {**more, "items": body["items"] * 2})
        result = await finish(minimal(operation), server)
    kind = MODELS.get(operation.id, Message)
    if operation.paged == "no":
        assert isinstance(result, get_origin(kind) or kind)
    else:
        assert result
        assert {type(item) for item in result} == {get_args(kind)[0] if get_args(kind) else kind}
    if operation.paged == "yes":
        first, second = (request.target for request in server.requests)
        assert second == f"{first}{'&' if '?' in first else '?'}page-token=to%2Fken%3D"


@EACH_OPERATION
def test_an_argument_is_required_only_if_the_description_requires_it(operation: Operation) -> None:
    parameters = [resolve(each) for each in operation.spec.get("parameters", [])]
    described = {each["name"] for each in parameters if each["in"] == "query" and each.get("required")}
    described |= set(operation.body.get("required", []))
    required, _ = arguments(operation)
    call = Call(operation, required)
    sent = {name.partition(".")[0] for argument in required for name in call.wire_names(argument)}
    assert sent - described == REQUIRED_HERE.get(operation.name, set())


@EACH_OPERATION
async def test_a_value_that_cannot_be_part_of_a_path_is_refused(operation: Operation) -> None:
    call = minimal(operation)
    async with CircleCI("t", host="http://localhost:1") as circle:
        for name in call.path_arguments:
            for wrong in ("", "..", None, 1.5):
                bad = Call(operation, {**call.arguments, name: wrong})
                with pytest.raises(InvalidArgument) as caught:
                    await _started(bad, circle)
                assert repr(wrong) in str(caught.value), f"{bad}: {caught.value}"
        assert circle.stats.requests == 0


async def _started(call: Call, circle: CircleCI) -> None:
    started = call.start(circle)
    if isinstance(started, Paged):
        pytest.fail(f"{call} did not check its arguments when it was called")
    await started


def fixed_names() -> Iterator[tuple[str, str, list[str]]]:
    """Yield the name, the parameters and the operation of each method whose name is fixed."""
    with (CONTRACT / "names.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            name, _, parameters = row["python"].partition("(")
            yield name, parameters.removesuffix(")"), [row["method"], row["path"], row["operationId"], row["paged"]]


FIXED = list(fixed_names())

ADDED = {"pipelines.run": {"if_lost"}, "pipelines.trigger": {"if_lost"}}
"""Keyword arguments that this package adds to a fixed signature."""


@pytest.mark.parametrize(("name", "parameters", "described"), FIXED, ids=[name for name, _, _ in FIXED])
def test_a_fixed_name_keeps_its_signature_and_its_operation(name: str, parameters: str, described: list[str]) -> None:
    operation = OPERATIONS[name]
    assert [operation.method, operation.path, operation.id, operation.paged] == described
    signature = inspect.signature(operation.function)
    expected = ast.unparse(ast.parse(f"def f({parameters}): ...")).removeprefix("def f").partition(":\n")[0]
    bare = [
        each.replace(annotation=inspect.Parameter.empty)
        for each in signature.parameters.values()
        if each.name not in ADDED.get(name, set())
    ]
    assert str(inspect.Signature(bare)) == expected
    assert inspect.iscoroutinefunction(operation.function) is (operation.paged not in {"yes", "offset"})


def test_every_documented_operation_has_exactly_one_method() -> None:
    described = [call for path in SPEC["paths"].values() for call in path.values() if "operationId" in call]
    documented = [call["operationId"] for call in described if not call.get("x-undocumented")]
    assert sorted(operation.id for operation in OPERATIONS.values()) == sorted(documented)
