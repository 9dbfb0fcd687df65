"""The operations of the API, one module per group.

To add an operation, write a function in the module of its group, decorated with its route. To add a group, add a module
with `ROUTES`.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from ..server.api import Api
from ..server.exchange import Request, Response, error_response
from ..server.routing import Route, Router
from .v1 import V1


def _routes() -> Iterator[Route]:
    for module in iter_modules(__path__, f"{__name__}."):
        yield from getattr(import_module(module.name), "ROUTES", ())


ROUTES = tuple(_routes())
"""The operations of API v2."""

_PREFIX = "/api/v2/"
_ERROR_KEY_PREFIXES = ("/api/v2/org/", "/api/v2/owner/")
"""The paths of OIDC claims and policies, whose errors are `{"error": ...}` instead of `{"message": ...}`."""


def _error_response(request: Request, status: int, message: str, headers: Mapping[str, str]) -> Response:
    key = "error" if request.path.startswith(_ERROR_KEY_PREFIXES) else "message"
    return error_response(status, message, headers, key=key)


APIS = (Api(_PREFIX, Router(ROUTES), _error_response), V1)
"""The versions of the API."""
