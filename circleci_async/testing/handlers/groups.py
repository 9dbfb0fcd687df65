"""Groups of an organization's users."""

from ..server.calls import Call, Json, Refusal
from ..server.routing import Routes
from ..state.accounts import Organization
from ..state.groups import OrganizationGroup

ROUTES = Routes()

_MOST = 100
"""Groups that the list gives, whatever page is asked for."""


@ROUTES.get("/organizations/{organization}/groups", public=False)
def groups(call: Call) -> Json:
    """Answer GET /organizations/{org_id}/groups; `limit` and `page-token` are ignored, as by the real API."""
    found = list(call.organization_by_id("organization").groups.values())
    return {
        "items": [_body(group) for group in found[:_MOST]],
        "next_page_token": "AARLwwV5wtKqB0zJ" if len(found) > _MOST else None,
        "total_count": len(found),
    }


@ROUTES.post("/organizations/{organization}/groups", status=201)
def create(call: Call) -> Json:
    """Answer POST /organizations/{org_id}/groups."""
    organization = call.organization_by_id("organization")
    body = call.body({"name": str, "description": str}, required=("name",))
    if not body["name"]:
        raise Refusal(400, "name: a group needs one.")
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
    group = organization.groups.get(call.uuid("group"))
    if group is None:
        raise Refusal(404, "Group not found")
    return organization, group


def _body(group: OrganizationGroup) -> Json:
    described = {} if group.description is None else {"description": group.description}
    return {"id": group.id, "name": group.name, **described}
