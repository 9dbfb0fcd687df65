"""The operations of the endpoint classes, each with its entry in CircleCI's OpenAPI description.

They are derived from the methods: a docstring names the operation as `GET /path`, the annotation of the result shows
whether it is paged.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import attrs

from circleci_async import CircleCI, Paged
from docs.coverage import calls, groups

CONTRACT = Path(__file__).parent.parent / "contract"
SPEC: dict[str, Any] = json.loads((CONTRACT / "circleci-v2.openapi.json").read_bytes())
CLIENT = CircleCI("")
_SEGMENTS = {"project-slug": 3, "org-slug": 2}


@attrs.frozen
class Operation:
    """A method of the client that calls one operation of the API."""

    name: str
    """`group.method`"""
    method: str
    path: str

    @property
    def function(self) -> Callable[..., Any]:
        """The bound method of a client that never sends."""
        group, _, verb = self.name.partition(".")
        function: Callable[..., Any] = getattr(getattr(CLIENT, group), verb)
        return function

    @property
    def spec(self) -> dict[str, Any]:
        """The entry in the OpenAPI description."""
        found: dict[str, Any] = SPEC["paths"][self.path][self.method.lower()]
        return found

    @property
    def id(self) -> str:
        """The operation's id in the OpenAPI description."""
        return str(self.spec["operationId"])

    @property
    def paged(self) -> str:
        """How the result is fetched: "yes" (page tokens), "offset", "no (a list)" or "no"."""
        kind = get_origin(get_type_hints(self.function)["return"])
        if kind is Paged:
            return "offset" if "offset" in self.query else "yes"
        return "no (a list)" if kind is list else "no"

    @property
    def pattern(self) -> re.Pattern[str]:
        """A pattern of the paths of its requests."""

        def segments(parameter: re.Match[str]) -> str:
            return "/".join(["[^/]+"] * _SEGMENTS.get(parameter[1], 1))

        return re.compile("/api/v2" + re.sub(r"\{([^}]+)\}", segments, self.path))

    @property
    def query(self) -> set[str]:
        """The names of its query parameters."""
        parameters = [resolve(each) for each in self.spec.get("parameters", [])]
        return {each["name"] for each in parameters if each["in"] == "query"}

    @property
    def body(self) -> dict[str, Any]:
        """The schema of its body, or {}."""
        content = resolve(self.spec.get("requestBody", {})).get("content", {})
        return resolve(content["application/json"]["schema"]) if content else {}


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """Follow references."""
    while "$ref" in node:
        found: Any = SPEC
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        node = found
    return node


def operations() -> Iterator[Operation]:
    """Yield the operation of each method that calls one."""
    for group in groups():
        for call in calls(group):
            if call.operation:
                method, _, path = call.operation.partition(" ")
                yield Operation(f"{group}.{call.name}", method, path)


OPERATIONS = {operation.name: operation for operation in operations()}
