"""The route of a path: the template that the API documents for it, such as `/workflow/{id}/job`."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

_PREFIX: Final = "/api/v2/"
_OPERATION: Final = re.compile(r"`[A-Z]+ (/\S+)`")
_PROJECT: Final = "{provider}/{organization}/{project}"  # another spelling of a project slug
_SEGMENTS: Final = {"{project-slug}": 3, "{org-slug}": 2}


def route_of(path: str) -> str | None:
    """Return the template of a path: below `/api/v2`, or whole for other versions. None for an undocumented path."""
    segments = path.removeprefix(_PREFIX if path.startswith(_PREFIX) else "/").split("/")
    for pattern, template in _by_length().get(len(segments), ()):
        if all(word is None or word == segment for word, segment in zip(pattern, segments, strict=True)):
            return template
    return None


def _templates() -> Iterator[str]:
    """Yield the path of each operation. They are read from the docstrings of the endpoints, without importing these."""
    package = Path(__file__).parent.parent
    for folder in ("endpoints", "resources"):
        for module in package.joinpath(folder).glob("*.py"):
            yield from _OPERATION.findall(module.read_text("utf-8"))


@cache
def _by_length() -> dict[int, list[tuple[list[str | None], str]]]:
    """Group the templates by their number of segments; literal segments are tried before placeholders."""
    grouped: dict[int, list[tuple[list[str | None], str]]] = {}
    for template in {template.replace(_PROJECT, "{project-slug}") for template in _templates()}:
        pattern: list[str | None] = []
        for part in template[1:].split("/"):
            pattern += [None] * _SEGMENTS.get(part, 1) if part.startswith("{") else [part]
        grouped.setdefault(len(pattern), []).append((pattern, template))
    for same_length in grouped.values():
        same_length.sort(key=lambda entry: [word is None for word in entry[0]])
    return grouped
