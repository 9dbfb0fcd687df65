"""The operations of the API, one module per group.

To add an operation, write a function in the module of its group, decorated with its route.
"""

from collections.abc import Mapping

from ..server.api import Api
from ..server.exchange import Request, Response, error_response
from ..server.routing import Router
from . import (
    checkout_keys,
    contexts,
    deploys,
    environment_variables,
    groups,
    insights,
    jobs,
    oidc,
    organizations,
    otel,
    pipeline_definitions,
    pipelines,
    policies,
    projects,
    schedules,
    triggers,
    url_orb_allow_list,
    usage,
    users,
    v1,
    webhooks,
    workflows,
)

GROUPS = (
    checkout_keys,
    contexts,
    deploys,
    environment_variables,
    groups,
    insights,
    jobs,
    oidc,
    organizations,
    otel,
    pipeline_definitions,
    pipelines,
    policies,
    projects,
    schedules,
    triggers,
    url_orb_allow_list,
    usage,
    users,
    webhooks,
    workflows,
)
"""The groups of operations."""

ROUTER = Router(route for group in GROUPS for route in group.ROUTES)
"""The operations of API v2."""

_PREFIX = "/api/v2/"
_ERROR_KEY_PREFIXES = ("/api/v2/org/", "/api/v2/owner/")
"""The paths of OIDC claims and policies, whose errors are `{"error": ...}` instead of `{"message": ...}`."""


def _error_response(request: Request, status: int, message: str, headers: Mapping[str, str]) -> Response:
    key = "error" if request.path.startswith(_ERROR_KEY_PREFIXES) else "message"
    return error_response(status, message, headers, key=key)


APIS = (Api(_PREFIX, ROUTER, _error_response), v1.API)
"""The versions of the API."""
