"""Routing: finds the handler of a request by its path.

The path is split at slashes before its segments are decoded, so `build%2Ftest` is one segment. A slug is sent as
several segments (`gh/acme/api`) or as one (`gh%2Facme%2Fapi`). As on the real API, some operations accept only the
former.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from attrs import define, field, frozen

from .calls import Call

Handler = Callable[[Call], Any]

_SLUGS = {"{project}": 3, "{org}": 2}


@frozen
class Route:
    """One operation of the API.

    `status` is the status of a success. `public`: it can be called without a token, for public projects. `literal`: a
    slug with escaped slashes answers 404.
    """

    method: str
    template: str
    handler: Handler
    status: int = 200
    public: bool = False
    literal: bool = False


class Routes(list[Route]):
    """The operations of one group: decorated functions that take a `Call` and return the JSON body."""

    def get(self, template: str, *, public: bool = True, literal: bool = False) -> Callable[[Handler], Handler]:
        """Register a GET handler; `{project}` and `{org}` match whole slugs."""
        return self._add("GET", template, 200, public, literal)

    def post(self, template: str, *, status: int, literal: bool = False) -> Callable[[Handler], Handler]:
        """Register a POST handler. All writing operations require a token."""
        return self._add("POST", template, status, False, literal)

    def put(self, template: str) -> Callable[[Handler], Handler]:
        """Register a PUT handler."""
        return self._add("PUT", template, 200, False)

    def patch(self, template: str, *, literal: bool = False) -> Callable[[Handler], Handler]:
        """Register a PATCH handler."""
        return self._add("PATCH", template, 200, False, literal)

    def delete(self, template: str, *, status: int = 200) -> Callable[[Handler], Handler]:
        """Register a DELETE handler."""
        return self._add("DELETE", template, status, False)

    def _add(
        self, method: str, template: str, status: int, public: bool, literal: bool = False
    ) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self.append(Route(method, template, handler, status, public, literal))
            return handler

        return register


@define
class _Node:
    literal: dict[str, "_Node"] = field(factory=dict[str, "_Node"])
    slug: dict[int, "_Node"] = field(factory=dict[int, "_Node"])
    parameter: "_Node | None" = None
    routes: dict[str, Route] = field(factory=dict[str, Route])
    names: tuple[str, ...] = ()


class Router:
    """Finds operations by the segments of a path. Literal segments take precedence over parameters."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            parts = route.template.strip("/").split("/")
            for part in parts:
                if part in _SLUGS:
                    node = node.slug.setdefault(_SLUGS[part], _Node())
                elif part.startswith("{"):
                    node.parameter = node = node.parameter or _Node()
                else:
                    node = node.literal.setdefault(part, _Node())
            node.routes[route.method] = route
            node.names = tuple(part[1:-1] for part in parts if part.startswith("{"))

    def find(self, path: str) -> tuple[Mapping[str, Route], Mapping[str, str]]:
        """Return the operations of a path (escaped, without its prefix) by method, and the values of its parameters."""
        segments = tuple(unquote(segment) for segment in path.split("/"))
        for node, values in _walk(self._root, segments, ()):
            if node.routes:
                return node.routes, dict(zip(node.names, values, strict=True))
        return {}, {}


def _walk(node: _Node, rest: Sequence[str], values: tuple[str, ...]) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    if not rest:
        yield node, values
        return
    if (literal := node.literal.get(rest[0])) is not None:
        yield from _walk(literal, rest[1:], values)
    for parts, child in node.slug.items():
        if rest[0].count("/") == parts - 1:
            yield from _walk(child, rest[1:], (*values, rest[0]))
        elif len(rest) >= parts and not any("/" in segment for segment in rest[:parts]):
            yield from _walk(child, rest[parts:], (*values, "/".join(rest[:parts])))
    if node.parameter is not None and rest[0]:
        yield from _walk(node.parameter, rest[1:], (*values, rest[0]))
