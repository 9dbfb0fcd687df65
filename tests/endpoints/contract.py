"""The fixed names of the operations, and what the specification says of each."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

_FOLDER = Path(__file__).parent.parent / "contract"
_SPEC: dict[str, Any] = json.loads((_FOLDER / "circleci-v2.openapi.json").read_bytes())
_SEGMENTS = {"project-slug": 3, "org-slug": 2}


@attrs.frozen
class Operation:
    """An operation as it is fixed: `group.method`, its signature, what is sent, and whether the answer is paged."""

    name: str
    signature: str
    method: str
    path: str
    id: str
    paged: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """What the paths of its requests look like."""

        def segments(parameter: re.Match[str]) -> str:
            return "/".join(["[^/]+"] * _SEGMENTS.get(parameter[1], 1))

        return re.compile("/api/v2" + re.sub(r"\{([^}]+)\}", segments, self.path))

    @property
    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = _SPEC["paths"][self.path][self.method.lower()]
        assert found["operationId"] == self.id
        return found

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
        found: Any = _SPEC
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        node = found
    return node


def operations() -> Iterator[Operation]:
    """Every operation whose name is fixed."""
    with (_FOLDER / "names.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            name, _, parameters = row["python"].partition("(")
            yield Operation(
                name, parameters.removesuffix(")"), row["method"], row["path"], row["operationId"], row["paged"]
            )


OPERATIONS = {operation.name: operation for operation in operations()}
