"""The URL orb allow-list: from where orbs may be used by URL."""

from ..server.calls import Call, Json, Refusal
from ..server.routing import Routes
from ..state.url_orb_allow_list import AllowListEntry

ROUTES = Routes()

_AUTHS = ("github-oauth", "none", "bitbucket-oauth", "github-app")


@ROUTES.get("/organization/{organization}/url-orb-allow-list", public=False)
def entries(call: Call) -> Json:
    """Answer GET /organization/{org-slug-or-id}/url-orb-allow-list."""
    return {"items": [_body(each) for each in call.organization_named("organization").url_orb_allow_list.values()]}


@ROUTES.post("/organization/{organization}/url-orb-allow-list", status=200)
def create(call: Call) -> Json:
    """Answer POST /organization/{org-slug-or-id}/url-orb-allow-list."""
    organization = call.organization_named("organization")
    body = call.body({"name": str, "prefix": str, "auth": str}, required=("name", "prefix", "auth"))
    if body["auth"] not in _AUTHS:
        raise Refusal(400, f"auth: expected one of {', '.join(_AUTHS)}.")
    entry = AllowListEntry(call.world.new_id(), body["name"], body["prefix"], body["auth"])
    organization.url_orb_allow_list[entry.id] = entry
    return {"id": entry.id, "message": "URL Orb allow-list entry created."}


@ROUTES.delete("/organization/{organization}/url-orb-allow-list/{entry}")
def delete(call: Call) -> Json:
    """Answer DELETE /organization/{org-slug-or-id}/url-orb-allow-list/{allow-list-entry-id}."""
    entry = call.organization_named("organization").url_orb_allow_list.pop(call.values["entry"], None)
    if entry is None:
        raise Refusal(404, "URL Orb allow-list entry not found")
    return {"id": entry.id, "message": "URL Orb allow-list entry removed."}


def _body(entry: AllowListEntry) -> Json:
    return {"id": entry.id, "name": entry.name, "prefix": entry.prefix, "auth": entry.auth}
