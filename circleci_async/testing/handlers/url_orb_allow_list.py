"""The URL orb allow-list."""

from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import found, one_of
from ..state.types import Json
from ..state.url_orb_allow_list import AllowListEntry

ROUTES = Routes()

_AUTHS = ("github-oauth", "none", "bitbucket-oauth", "github-app")


@ROUTES.get("/organization/{organization}/url-orb-allow-list", public=False)
def entries(call: Call) -> Json:
    """Answer GET /organization/{org-slug-or-id}/url-orb-allow-list."""
    return {
        "items": [_body(each) for each in call.organization_by_slug_or_id("organization").url_orb_allow_list.values()]
    }


@ROUTES.post("/organization/{organization}/url-orb-allow-list", status=200)
def create(call: Call) -> Json:
    """Answer POST /organization/{org-slug-or-id}/url-orb-allow-list."""
    organization = call.organization_by_slug_or_id("organization")
    body = call.body({"name": str, "prefix": str, "auth": str}, required=("name", "prefix", "auth"))
    one_of("auth", body["auth"], _AUTHS)
    entry = AllowListEntry(call.world.new_id(), body["name"], body["prefix"], body["auth"])
    organization.url_orb_allow_list[entry.id] = entry
    return {"id": entry.id, "message": "URL Orb allow-list entry created."}


@ROUTES.delete("/organization/{organization}/url-orb-allow-list/{entry}")
def delete(call: Call) -> Json:
    """Answer DELETE /organization/{org-slug-or-id}/url-orb-allow-list/{allow-list-entry-id}."""
    entries = call.organization_by_slug_or_id("organization").url_orb_allow_list
    entry = found(entries.pop(call.values["entry"], None), "URL Orb allow-list entry")
    return {"id": entry.id, "message": "URL Orb allow-list entry removed."}


def _body(entry: AllowListEntry) -> Json:
    return {"id": entry.id, "name": entry.name, "prefix": entry.prefix, "auth": entry.auth}
