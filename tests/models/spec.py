"""The API's specification, and which model each of its answers becomes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from circleci_async import CircleCI, Paged
from tests.endpoints.contract import OPERATIONS

Json = Any

_SPEC: Json = json.loads((Path(__file__).parent.parent / "contract" / "circleci-v2.openapi.json").read_bytes())


def resolve(schema: Json) -> Json:
    """Follow a reference to the schema that it names."""
    while "$ref" in schema:
        schema = _SPEC["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def success(operation: str) -> tuple[int, Json]:
    """Return the status with which an operation has done what was asked, and its answer: schema and examples, or {}."""
    (found,) = (
        method
        for path in _SPEC["paths"].values()
        for method in path.values()
        if isinstance(method, dict) and method.get("operationId") == operation
    )
    status = max(code for code in found["responses"] if code[0] == "2")  # a 200 beside a 201: nothing was made
    return int(status), found["responses"][status].get("content", {}).get("application/json", {})


def is_page(operation: str) -> bool:
    """Tell whether the answer is an object with `items`."""
    _, answer = success(operation)
    return "items" in resolve(answer.get("schema", {})).get("properties", {})


def schema(operation: str) -> Json:
    """Return the schema of what the operation's model stands for."""
    _, answer = success(operation)
    whole = resolve(answer["schema"])
    return resolve(whole["properties"]["items"]["items"]) if is_page(operation) else whole


def examples(operation: str) -> Iterator[Json]:
    """Yield an example of everything that the operation's model is to stand for."""
    _, answer = success(operation)
    bodies = [each["value"] for each in answer.get("examples", {}).values()]
    if "example" in answer:
        bodies.append(answer["example"])
    for body in bodies:
        if is_page(operation):
            yield from body["items"]
        else:
            yield body


def example(operation: str) -> Json:
    """Return the operation's first example, for the test to alter."""
    return json.loads(json.dumps(next(examples(operation))))


def _models() -> Iterator[tuple[str, Any]]:
    client = CircleCI("")
    for operation in OPERATIONS.values():
        group, _, verb = operation.name.partition(".")
        method = getattr(getattr(client, group), verb, None)
        if method is None or not success(operation.id)[1]:
            continue
        kind = get_type_hints(method)["return"]
        if get_origin(kind) in (Paged, list):
            (item,) = get_args(kind)
            kind = item if is_page(operation.id) else list[item]  # type: ignore[valid-type]  # known at run time
        yield operation.id, kind


MODELS: dict[str, Any] = dict(_models())
"""The model of an operation's answer, as its method declares it; of one item, if the answer has `items`."""
