"""The cases leave nothing out: each method is called with as little as it takes, and with all that it takes.

`make contract` runs the same cases, the odd ones apart, against a mock server that knows the specification alone.
"""

import inspect
from collections.abc import Iterator
from operator import attrgetter
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from circleci_async import CircleCI, InvalidArgument, Paged
from tests.endpoints.case import Case, every_case
from tests.endpoints.contract import OPERATIONS, Operation, resolve
from tests.endpoints.test_routes import NOT_OFFERED

CASES = [case for case in every_case() if not case.odd]
SPECIFIED = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def cases(operation: Operation) -> list[Case]:
    return [case for case in CASES if case.name == operation.name]


def arguments(case: Case, signature: inspect.Signature) -> dict[str, Any]:
    """What a case gives to its method, by name."""
    found: dict[str, Any] = {}

    def note(*arguments: Any, **options: Any) -> None:
        found.update(signature.bind(*arguments, **options).arguments)

    group, _, verb = case.name.partition(".")
    case.do(SimpleNamespace(**{group: SimpleNamespace(**{verb: note})}))  # type: ignore[arg-type]  # it stands in for the client
    return found


def fields(schema: dict[str, Any], place: str = "") -> Iterator[str]:
    """Yield each field of a body that the schema names, those within others after them: `scope`, `scope.id`."""
    schema = resolve(schema)
    for several in ("allOf", "anyOf", "oneOf"):
        for each in schema.get(several, []):
            yield from fields(each, place)
    for name, inner in schema.get("properties", {}).items():
        yield f"{place}{name}"
        yield from fields(inner, f"{place}{name}.")


def sent(body: Any, place: str = "") -> Iterator[str]:
    """Yield each field of a body, likewise."""
    if isinstance(body, dict):
        for name, inner in body.items():
            yield f"{place}{name}"
            yield from sent(inner, f"{place}{name}.")


@SPECIFIED
async def test_a_method_is_called_with_as_little_as_it_takes_and_with_each_of_its_arguments(
    operation: Operation,
) -> None:
    async with CircleCI("a-token", host="http://localhost:1") as circle:
        method = attrgetter(operation.name)(circle)
        signature = inspect.signature(method)
        calls = [arguments(case, signature) for case in cases(operation)]
        assert {name for call in calls for name in call} == signature.parameters.keys()
        parameters = signature.parameters.values()
        least = {one.name for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD}
        if least not in map(set, calls):
            with pytest.raises(InvalidArgument):  # it wants one of several, whichever
                began = method(**{name: calls[0][name] for name in least})
                assert not isinstance(began, Paged)
                await began


@SPECIFIED
def test_every_query_parameter_is_sent(operation: Operation) -> None:
    found = {name for case in cases(operation) for name, _ in parse_qsl(urlsplit(case.target).query)}
    assert found == operation.query - {"offset", "page-token"}


@SPECIFIED
def test_every_field_of_the_body_is_sent(operation: Operation) -> None:
    found = {name for case in cases(operation) for name in sent(case.body)}
    left_out = {field for name, field in NOT_OFFERED if name == operation.name}
    assert set(fields(operation.body)) - left_out <= found
