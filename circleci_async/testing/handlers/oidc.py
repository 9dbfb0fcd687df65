"""The custom claims of OIDC tokens."""

import re

from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import HttpError, is_strings, without_none, words
from ..state.oidc import OidcClaimSet
from ..state.timestamps import timestamp
from ..state.types import Json

ROUTES = Routes()

_ORGANIZATION = "/org/{organization}/oidc-custom-claims"
_PROJECT = "/org/{organization}/project/{project_id}/oidc-custom-claims"
_CLAIMS = ("audience", "ttl")
_DURATION = re.compile(r"([0-9]+(ms|s|m|h|d|w)){1,7}")


@ROUTES.get(_ORGANIZATION, public=False)
@ROUTES.get(_PROJECT, public=False)
def claims(call: Call) -> Json:
    """Answer GET /org/{orgID}/oidc-custom-claims and GET /org/{orgID}/project/{projectID}/oidc-custom-claims."""
    claims, owner = _claims(call)
    return _body(claims, owner)


@ROUTES.patch(_ORGANIZATION)
@ROUTES.patch(_PROJECT)
def update(call: Call) -> Json:
    """Answer PATCH of the same paths."""
    claims, owner = _claims(call)
    body = call.body({"audience": list, "ttl": str})
    if not is_strings(body.get("audience", [])):
        raise HttpError(400, "audience: expected a list of strings.")
    if not _DURATION.fullmatch(body.get("ttl", "1h")):
        raise HttpError(400, "ttl: expected a duration such as 1h30m.")
    for name in _CLAIMS:
        if name in body:
            claims.set(name, body[name], call.world.clock())
    return _body(claims, owner)


@ROUTES.delete(_ORGANIZATION)
@ROUTES.delete(_PROJECT)
def delete(call: Call) -> Json:
    """Answer DELETE of the same paths."""
    claims, owner = _claims(call)
    for name in words(list(call.query.get("claims", "").split(",")), _CLAIMS, "claims"):
        claims.set(name, None, None)
    return _body(claims, owner)


def _claims(call: Call) -> tuple[OidcClaimSet, Json]:
    """Return the claims of the project in the path, or else of the organization, and the ids of their owner."""
    organization = call.organization_by_id("organization")
    if "project_id" not in call.values:
        return organization.oidc, {"org_id": organization.id}
    project = call.project_by_id("project_id")
    if project.organization is not organization:
        raise HttpError(404, "Project not found")
    return project.oidc, {"org_id": organization.id, "project_id": project.id}


def _body(claims: OidcClaimSet, owner: Json) -> Json:
    return owner | without_none(
        audience=None if claims.audience is None else list(claims.audience),
        audience_updated_at=timestamp(claims.audience_updated_at),
        ttl=claims.ttl,
        ttl_updated_at=timestamp(claims.ttl_updated_at),
    )
