"""Organizations: create, read, delete."""

from ...errors import InvalidArgument
from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import HttpError, one_of
from ..state.organizations import Organization
from ..state.types import Json

ROUTES = Routes()

_SLUGS = {"github": "gh", "bitbucket": "bb", "circleci": "circleci"}


@ROUTES.post("/organization", status=201)
def create(call: Call) -> Json:
    """Answer POST /organization."""
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
    return _body(organization)


@ROUTES.get("/organization/{organization}", public=False)
def organization(call: Call) -> Json:
    """Answer GET /organization/{org-slug-or-id}."""
    return _body(call.organization_by_slug_or_id("organization"))


@ROUTES.delete("/organization/{organization}", status=202)
def delete(call: Call) -> Json:
    """Answer DELETE /organization/{org-slug-or-id}."""
    call.world.delete_organization(call.organization_by_slug_or_id("organization"))
    return {"message": "Accepted."}


def _body(organization: Organization) -> Json:
    return {
        "id": organization.id,
        "name": organization.name,
        "slug": organization.slug,
        "vcs_type": organization.vcs,
    }
