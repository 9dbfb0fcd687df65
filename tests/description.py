"""Checks responses against CircleCI's OpenAPI description."""

import functools
import json
import re
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30Validator, oas30_format_checker

SPEC: dict[str, Any] = json.loads((Path(__file__).parent / "contract" / "circleci-v2.openapi.json").read_text())
_SEGMENT = {
    "{project-slug}": "(?:[^/]+/[^/]+/[^/]+|[^/]+%2F[^/]+%2F[^/]+)",
    "{org-slug}": "(?:[^/]+/[^/]+|[^/]+%2F[^/]+)",
}


def _pattern(template: str) -> re.Pattern[str]:
    parts = (re.sub(r"\{.*\}", "[^/]+", _SEGMENT.get(part, part)) for part in template.split("/"))
    return re.compile("/".join(parts))


_PATHS = [(_pattern(template), template) for template in sorted(SPEC["paths"], key=lambda path: path.count("{"))]


@functools.cache
def _template(method: str, path: str) -> str | None:
    """Return the path template of an operation, or None."""
    matching = (template for pattern, template in _PATHS if pattern.fullmatch(path))
    return next((template for template in matching if method.lower() in SPEC["paths"][template]), None)


@functools.cache
def _response(method: str, template: str, status: int) -> tuple[bool, OAS30Validator | None]:
    """Return whether an operation has this success status, and the validator of its body; None for no body."""
    answers = SPEC["paths"][template][method.lower()]["responses"]
    if status < 300 and str(status) not in answers:
        return False, None
    answer = answers.get(str(status)) or answers["default"]
    if "$ref" in answer:
        answer = SPEC["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    if "content" not in answer:
        return True, None
    schema = {**answer["content"]["application/json"]["schema"], "components": SPEC["components"]}
    return True, OAS30Validator(schema, format_checker=oas30_format_checker)


def faults_of(method: str, path: str, status: int, body: Any) -> list[str]:
    """Return the violations of the OpenAPI description in a response; none for unknown paths."""
    template = _template(method, path)
    if template is None:
        return []
    key = "error" if path.startswith(("/org/", "/owner/")) else "message"
    if status >= 400 and not isinstance(body.get(key), str):
        return [f"$.{key}: every error has a message"]
    is_described, validator = _response(method, template, status)
    if not is_described:
        return [f"{method} {template} never answers {status}"]
    if validator is None:
        return [] if body is None else [f"$: {body!r} is not of type 'nothing'"]
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
