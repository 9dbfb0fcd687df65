"""OIDC tokens: the claims that jobs' tokens make."""

import re
from collections.abc import Mapping
from typing import Any

from ..server.calls import Call, Json, Refusal
from ..server.routing import Routes
from ..state.oidc import OidcClaimSet
from ..state.timestamps import timestamp

ROUTES = Routes()

_ORGANIZATION = "/org/{organization}/oidc-custom-claims"
_PROJECT = "/org/{organization}/project/{project_id}/oidc-custom-claims"
_CLAIMS = ("audience", "ttl")
_DURATION = re.compile(r"([0-9]+(ms|s|m|h|d|w)){1,7}")


@ROUTES.get(_ORGANIZATION, public=False)
def of_organization(call: Call) -> Json:
    """Answer GET /org/{orgID}/oidc-custom-claims."""
    claims, owner = _of_organization(call)
    return _body(claims, owner)


@ROUTES.patch(_ORGANIZATION)
def update_of_organization(call: Call) -> Json:
    """Answer PATCH /org/{orgID}/oidc-custom-claims."""
    claims, owner = _of_organization(call)
    _update(call, claims)
    return _body(claims, owner)


@ROUTES.delete(_ORGANIZATION)
def delete_of_organization(call: Call) -> Json:
    """Answer DELETE /org/{orgID}/oidc-custom-claims."""
    claims, owner = _of_organization(call)
    _delete(call, claims)
    return _body(claims, owner)


@ROUTES.get(_PROJECT, public=False)
def of_project(call: Call) -> Json:
    """Answer GET /org/{orgID}/project/{projectID}/oidc-custom-claims."""
    claims, owner = _of_project(call)
    return _body(claims, owner)


@ROUTES.patch(_PROJECT)
def update_of_project(call: Call) -> Json:
    """Answer PATCH /org/{orgID}/project/{projectID}/oidc-custom-claims."""
    claims, owner = _of_project(call)
    _update(call, claims)
    return _body(claims, owner)


@ROUTES.delete(_PROJECT)
def delete_of_project(call: Call) -> Json:
    """Answer DELETE /org/{orgID}/project/{projectID}/oidc-custom-claims."""
    claims, owner = _of_project(call)
    _delete(call, claims)
    return _body(claims, owner)


def _of_organization(call: Call) -> tuple[OidcClaimSet, Mapping[str, str]]:
    organization = call.organization_by_id("organization")
    return organization.oidc, {"org_id": organization.id}


def _of_project(call: Call) -> tuple[OidcClaimSet, Mapping[str, str]]:
    organization, project = call.organization_by_id("organization"), call.project_by_id("project_id")
    if project.organization is not organization:
        raise Refusal(404, "Project not found")
    return project.oidc, {"org_id": organization.id, "project_id": project.id}


def _update(call: Call, claims: OidcClaimSet) -> None:
    body = call.body({"audience": list, "ttl": str})
    if not all(isinstance(each, str) for each in body.get("audience", [])):
        raise Refusal(400, "audience: expected a list of strings.")
    if not _DURATION.fullmatch(body.get("ttl", "1h")):
        raise Refusal(400, "ttl: expected a duration such as 1h30m.")
    for name in _CLAIMS:
        if name in body:
            _set(claims, name, body[name], call)


def _delete(call: Call, claims: OidcClaimSet) -> None:
    names = call.query.get("claims", "").split(",")
    if not set(names) <= set(_CLAIMS):
        raise Refusal(400, "claims: expected audience, ttl or both, with a comma between.")
    for name in names:
        _set(claims, name, None, call)


def _set(claims: OidcClaimSet, name: str, value: Any, call: Call) -> None:
    setattr(claims, name, value)
    setattr(claims, f"{name}_updated_at", None if value is None else call.world.clock())


def _body(claims: OidcClaimSet, owner: Mapping[str, str]) -> Json:
    set_by_now = {
        "audience": None if claims.audience is None else list(claims.audience),
        "audience_updated_at": timestamp(claims.audience_updated_at),
        "ttl": claims.ttl,
        "ttl_updated_at": timestamp(claims.ttl_updated_at),
    }
    return {**owner, **{name: value for name, value in set_by_now.items() if value is not None}}
