"""The OpenAPI description, and the model of each response."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from circleci_async import CircleCI, Paged
from tests.endpoints.contract import OPERATIONS

Json = Any

_SPEC: Json = json.loads((Path(__file__).parent.parent / "contract" / "circleci-v2.openapi.json").read_bytes())


def resolve(schema: Json) -> Json:
    """Follow a reference to a schema."""
    while "$ref" in schema:
        schema = _SPEC["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def success(operation: str) -> tuple[int, Json]:
    """Return the success status of an operation, and its response: schema and examples, or {}."""
    (found,) = (
        method
        for path in _SPEC["paths"].values()
        for method in path.values()
        if isinstance(method, dict) and method.get("operationId") == operation
    )
    status = max(code for code in found["responses"] if code[0] == "2")  # a 200 beside a 201 creates nothing
    return int(status), found["responses"][status].get("content", {}).get("application/json", {})


def is_page(operation: str) -> bool:
    """Return whether the response is an object with `items`."""
    _, answer = success(operation)
    return "items" in resolve(answer.get("schema", {})).get("properties", {})


def schema(operation: str) -> Json:
    """Return the schema of an operation's model."""
    _, answer = success(operation)
    whole = resolve(answer["schema"])
    return resolve(whole["properties"]["items"]["items"]) if is_page(operation) else whole


def examples(operation: str) -> Iterator[Json]:
    """Yield the examples of an operation's model."""
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
    """Return a copy of an operation's first example."""
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
"""The model of each operation's response, or of one item if the response has `items`."""
