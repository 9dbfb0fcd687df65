"""Users, organizations, and what belongs to an organization."""

import re
from typing import Any, cast

from ...errors import InvalidArgument
from ..server.calls import Call, HttpError, find, found, is_strings, one_of, without_none, words
from ..server.routing import Routes
from ..state.organizations import AllowListEntry, OidcClaimSet, Organization, OrganizationGroup, OtelExporter
from ..state.registry import Json, timestamp
from . import bodies

ROUTES = Routes()


@ROUTES.get("/me", public=False)
def me(call: Call) -> Json:
    return bodies.user(call.caller())


@ROUTES.get("/me/collaborations", public=False)
def collaborations(call: Call) -> list[Json]:
    return [bodies.collaboration(organization) for organization in call.world.organizations.values()]


@ROUTES.get("/user/{id}", public=False)
def user(call: Call) -> Json:
    user = call.world.users.get(call.uuid("id"))
    if user is None:
        raise HttpError(404, "Not found")
    return bodies.user(user)


_SLUGS = {"github": "gh", "bitbucket": "bb", "circleci": "circleci"}


@ROUTES.post("/organization", status=201)
def create_organization(call: Call) -> Json:
    body = call.body({"name": str, "vcs_type": str}, required=("name", "vcs_type"))
    name, vcs_type = body["name"], one_of("vcs_type", body["vcs_type"], _SLUGS)
    slug = f"{_SLUGS[vcs_type]}/{call.world.new_opaque() if vcs_type == 'circleci' else name}"
    if slug in call.world.organizations:
        raise HttpError(400, "An organization of this name already exists.")
    try:
        organization = call.world.organization(slug)
    except InvalidArgument:
        raise HttpError(400, "name: not valid for an organization.") from None
    organization.name = name
    return _organization_body(organization)


@ROUTES.get("/organization/{organization}", public=False)
def organization(call: Call) -> Json:
    return _organization_body(call.organization_by_slug_or_id("organization"))


@ROUTES.delete("/organization/{organization}", status=202)
def delete_organization(call: Call) -> Json:
    call.world.delete_organization(call.organization_by_slug_or_id("organization"))
    return {"message": "Accepted."}


def _organization_body(organization: Organization) -> Json:
    return {
        "id": organization.id,
        "name": organization.name,
        "slug": organization.slug,
        "vcs_type": organization.vcs,
    }


_MAX_LISTED = 100
"""Groups that the list returns; it ignores page tokens."""


@ROUTES.get("/organizations/{organization}/groups", public=False)
def groups(call: Call) -> Json:
    """Answer GET /organizations/{org_id}/groups; `limit` and `page-token` are ignored, as by the real API."""
    groups = list(call.organization_by_id("organization").groups.values())
    return {
        "items": [_group_body(group) for group in groups[:_MAX_LISTED]],
        "next_page_token": "AARLwwV5wtKqB0zJ" if len(groups) > _MAX_LISTED else None,
        "total_count": len(groups),
    }


@ROUTES.post("/organizations/{organization}/groups", status=201)
def create_group(call: Call) -> Json:
    organization = call.organization_by_id("organization")
    body = call.body({"name": str, "description": str}, required=("name",))
    if not body["name"]:
        raise HttpError(400, "name: must not be empty.")
    group = OrganizationGroup(call.world.new_id(), body["name"], body.get("description"))
    organization.groups[group.id] = group
    return _group_body(group)


@ROUTES.get("/organizations/{organization}/groups/{group}", public=False)
def group(call: Call) -> Json:
    _, group = _find_group(call)
    return _group_body(group)


@ROUTES.delete("/organizations/{organization}/groups/{group}")
def delete_group(call: Call) -> Json:
    organization, group = _find_group(call)
    del organization.groups[group.id]
    return {"message": "Group deleted."}


def _find_group(call: Call) -> tuple[Organization, OrganizationGroup]:
    organization = call.organization_by_id("organization")
    return organization, found(organization.groups.get(call.uuid("group")), "Group")


def _group_body(group: OrganizationGroup) -> Json:
    return without_none(id=group.id, name=group.name, description=group.description)


_AUTHS = ("github-oauth", "none", "bitbucket-oauth", "github-app")


@ROUTES.get("/organization/{organization}/url-orb-allow-list", public=False)
def allow_list_entries(call: Call) -> Json:
    return {
        "items": [
            _entry_body(each) for each in call.organization_by_slug_or_id("organization").url_orb_allow_list.values()
        ]
    }


@ROUTES.post("/organization/{organization}/url-orb-allow-list", status=200)
def create_entry(call: Call) -> Json:
    organization = call.organization_by_slug_or_id("organization")
    body = call.body({"name": str, "prefix": str, "auth": str}, required=("name", "prefix", "auth"))
    one_of("auth", body["auth"], _AUTHS)
    entry = AllowListEntry(call.world.new_id(), body["name"], body["prefix"], body["auth"])
    organization.url_orb_allow_list[entry.id] = entry
    return {"id": entry.id, "message": "URL Orb allow-list entry created."}


@ROUTES.delete("/organization/{organization}/url-orb-allow-list/{entry}")
def delete_entry(call: Call) -> Json:
    allow_list_entries = call.organization_by_slug_or_id("organization").url_orb_allow_list
    entry = found(allow_list_entries.pop(call.values["entry"], None), "URL Orb allow-list entry")
    return {"id": entry.id, "message": "URL Orb allow-list entry removed."}


def _entry_body(entry: AllowListEntry) -> Json:
    return {"id": entry.id, "name": entry.name, "prefix": entry.prefix, "auth": entry.auth}


_ORGANIZATION = "/org/{organization}/oidc-custom-claims"
_PROJECT = "/org/{organization}/project/{project_id}/oidc-custom-claims"
_CLAIMS = ("audience", "ttl")
_DURATION = re.compile(r"([0-9]+(ms|s|m|h|d|w)){1,7}")


@ROUTES.get(_ORGANIZATION, public=False)
@ROUTES.get(_PROJECT, public=False)
def claims(call: Call) -> Json:
    claims, owner = _claims(call)
    return _claims_body(claims, owner)


@ROUTES.patch(_ORGANIZATION)
@ROUTES.patch(_PROJECT)
def update_claims(call: Call) -> Json:
    claims, owner = _claims(call)
    body = call.body({"audience": list, "ttl": str})
    if not is_strings(body.get("audience", [])):
        raise HttpError(400, "audience: expected a list of strings.")
    if not _DURATION.fullmatch(body.get("ttl", "1h")):
        raise HttpError(400, "ttl: expected a duration such as 1h30m.")
    for name in _CLAIMS:
        if name in body:
            claims.set(name, body[name], call.world.clock())
    return _claims_body(claims, owner)


@ROUTES.delete(_ORGANIZATION)
@ROUTES.delete(_PROJECT)
def delete_claims(call: Call) -> Json:
    claims, owner = _claims(call)
    for name in words(list(call.query.get("claims", "").split(",")), _CLAIMS, "claims"):
        claims.set(name, None, None)
    return _claims_body(claims, owner)


def _claims(call: Call) -> tuple[OidcClaimSet, Json]:
    """Return the claims of the project in the path, or else of the organization, and the ids of their owner."""
    organization = call.organization_by_id("organization")
    if "project_id" not in call.values:
        return organization.oidc, {"org_id": organization.id}
    project = call.project_by_id("project_id")
    if project.organization is not organization:
        raise HttpError(404, "Project not found")
    return project.oidc, {"org_id": organization.id, "project_id": project.id}


def _claims_body(claims: OidcClaimSet, owner: Json) -> Json:
    return owner | without_none(
        audience=None if claims.audience is None else list(claims.audience),
        audience_updated_at=timestamp(claims.audience_updated_at),
        ttl=claims.ttl,
        ttl_updated_at=timestamp(claims.ttl_updated_at),
    )


_PROTOCOLS = ("grpc", "http")
_MAX_EXPORTERS = _MAX_HEADERS = 5


@ROUTES.get("/otel/exporters", public=False)
def exporters(call: Call) -> list[Json]:
    organization = call.organization_with_id("org-id", call.query.get("org-id"))
    return [
        {**_exporter_body(organization, each), **without_none(issues=list(each.issues) or None)}
        for each in organization.exporters.values()
    ]


@ROUTES.post("/otel/exporters", status=201)
def create_exporter(call: Call) -> Json:
    body = call.body(
        {"org_id": str, "endpoint": str, "protocol": str, "insecure": bool, "headers": dict},
        required=("org_id", "endpoint", "protocol"),
    )
    organization = call.organization_with_id("org_id", body["org_id"])
    headers = cast(dict[str, Any], body.get("headers", {}))
    one_of("protocol", body["protocol"], _PROTOCOLS)
    if not body["endpoint"]:
        raise HttpError(400, "endpoint: expected a host and a port.")
    if len(headers) > _MAX_HEADERS or not is_strings(headers.values()):
        raise HttpError(400, f"headers: expected at most {_MAX_HEADERS}, with strings as values.")
    if len(organization.exporters) >= _MAX_EXPORTERS:
        raise HttpError(422, "Internal server error.")  # as the real API answers
    exporter = OtelExporter(
        call.world.new_id(), body["endpoint"], body["protocol"], body.get("insecure", False), headers
    )
    organization.exporters[exporter.id] = exporter
    return _exporter_body(organization, exporter)


@ROUTES.delete("/otel/exporters/{exporter}", status=204)
def delete_exporter(call: Call) -> None:
    id = call.uuid("exporter")
    exporters = [organization.exporters for organization in call.world.organizations.values()]
    find(exporters, id, "Exporter")
    for each in exporters:
        each.pop(id, None)


def _exporter_body(organization: Organization, exporter: OtelExporter) -> Json:
    return without_none(
        id=exporter.id,
        org_id=organization.id,
        endpoint=exporter.endpoint,
        protocol=exporter.protocol,
        insecure=exporter.insecure,
        headers=dict.fromkeys(exporter.headers, "xxxx") or None,
    )
