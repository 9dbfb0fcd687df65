"""The operations of the API, one module per group."""

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
"""The modules that have the operations."""

ROUTER = Router(route for group in GROUPS for route in group.ROUTES)
"""Finds the operation of a request."""
