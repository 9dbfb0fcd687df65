"""Groups of an organization's users."""

from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import HttpError, found, without_none
from ..state.groups import OrganizationGroup
from ..state.organizations import Organization
from ..state.types import Json

ROUTES = Routes()

_MAX_LISTED = 100
"""Groups that the list returns; it ignores page tokens."""


@ROUTES.get("/organizations/{organization}/groups", public=False)
def groups(call: Call) -> Json:
    """Answer GET /organizations/{org_id}/groups; `limit` and `page-token` are ignored, as by the real API."""
    groups = list(call.organization_by_id("organization").groups.values())
    return {
        "items": [_body(group) for group in groups[:_MAX_LISTED]],
        "next_page_token": "AARLwwV5wtKqB0zJ" if len(groups) > _MAX_LISTED else None,
        "total_count": len(groups),
    }


@ROUTES.post("/organizations/{organization}/groups", status=201)
def create(call: Call) -> Json:
    """Answer POST /organizations/{org_id}/groups."""
    organization = call.organization_by_id("organization")
    body = call.body({"name": str, "description": str}, required=("name",))
    if not body["name"]:
        raise HttpError(400, "name: must not be empty.")
    group = OrganizationGroup(call.world.new_id(), body["name"], body.get("description"))
    organization.groups[group.id] = group
    return _body(group)


@ROUTES.get("/organizations/{organization}/groups/{group}", public=False)
def group(call: Call) -> Json:
    """Answer GET /organizations/{org_id}/groups/{group_id}."""
    _, group = _find(call)
    return _body(group)


@ROUTES.delete("/organizations/{organization}/groups/{group}")
def delete(call: Call) -> Json:
    """Answer DELETE /organizations/{org_id}/groups/{group_id}."""
    organization, group = _find(call)
    del organization.groups[group.id]
    return {"message": "Group deleted."}


def _find(call: Call) -> tuple[Organization, OrganizationGroup]:
    organization = call.organization_by_id("organization")
    return organization, found(organization.groups.get(call.uuid("group")), "Group")


def _body(group: OrganizationGroup) -> Json:
    return without_none(id=group.id, name=group.name, description=group.description)
