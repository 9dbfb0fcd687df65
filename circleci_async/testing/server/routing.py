"""Which handler a request belongs to: by its path as it was sent, cut at the slashes, each segment decoded by itself.

So a workflow named `build/test` arrives whole as `build%2Ftest`. A slug may be sent as segments of its own
(`gh/acme/api`) or as one (`gh%2Facme%2Fapi`), as on the real API, which for some operations takes only the former.
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

    `status` is that of its success. `public`: nobody in particular may call it too, and sees what is public.
    `literal`: a slug with escaped slashes is not found.
    """

    method: str
    template: str
    handler: Handler
    status: int = 200
    public: bool = False
    literal: bool = False


class Routes(list[Route]):
    """The operations of one group, each a decorated function that takes a `Call` and returns what becomes JSON."""

    def get(self, template: str, *, public: bool = True, literal: bool = False) -> Callable[[Handler], Handler]:
        """Add a reading operation; `{project}` and `{org}` stand for whole slugs."""
        return self._add("GET", template, 200, public, literal)

    def post(self, template: str, *, status: int, literal: bool = False) -> Callable[[Handler], Handler]:
        """Add an operation that makes or does something, and needs a token, as all do that write."""
        return self._add("POST", template, status, False, literal)

    def put(self, template: str) -> Callable[[Handler], Handler]:
        """Add an operation that replaces something."""
        return self._add("PUT", template, 200, False)

    def patch(self, template: str, *, literal: bool = False) -> Callable[[Handler], Handler]:
        """Add an operation that changes something."""
        return self._add("PATCH", template, 200, False, literal)

    def delete(self, template: str, *, status: int = 200) -> Callable[[Handler], Handler]:
        """Add an operation that deletes something."""
        return self._add("DELETE", template, status, False)

    def _add(
        self, method: str, template: str, status: int, public: bool, literal: bool = False
    ) -> Callable[[Handler], Handler]:
        def keep(handler: Handler) -> Handler:
            self.append(Route(method, template, handler, status, public, literal))
            return handler

        return keep


@define
class _Node:
    literal: dict[str, "_Node"] = field(factory=dict[str, "_Node"])
    slug: dict[int, "_Node"] = field(factory=dict[int, "_Node"])
    other: "_Node | None" = None
    routes: dict[str, Route] = field(factory=dict[str, Route])
    names: tuple[str, ...] = ()


class Router:
    """All operations, found by the segments of the path; literal segments come before named ones."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            parts = route.template.strip("/").split("/")
            for part in parts:
                if part in _SLUGS:
                    node = node.slug.setdefault(_SLUGS[part], _Node())
                elif part.startswith("{"):
                    node.other = node = node.other or _Node()
                else:
                    node = node.literal.setdefault(part, _Node())
            node.routes[route.method] = route
            node.names = tuple(part[1:-1] for part in parts if part.startswith("{"))

    def find(self, path: str) -> tuple[Mapping[str, Route], Mapping[str, str]]:
        """Find what is at a path (undecoded, without its prefix): the operations by method, and the values it names."""
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
    if node.other is not None and rest[0]:
        yield from _walk(node.other, rest[1:], (*values, rest[0]))
