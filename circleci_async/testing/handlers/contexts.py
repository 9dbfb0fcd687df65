"""Contexts, their variables and restrictions."""

from collections.abc import Mapping
from typing import Any, cast

from ..server.calls import ID, Call, HttpError, found, one_of, parse_uuid, without_none
from ..server.routing import Routes
from ..state.organizations import Context, ContextRestriction, ContextVariable, Organization
from ..state.project_records import NAME, ending
from ..state.registry import Json, timestamp

ROUTES = Routes()

MAX_LISTED = 100
"""Variables that the list returns; it ignores page tokens."""


@ROUTES.get("/context", public=False)
def of_owner(call: Call) -> Json:
    keys = ("id", "slug", "type")
    owner = _owner(call, {key: call.query[f"owner-{key}"] for key in keys if f"owner-{key}" in call.query})
    name = call.query.get("name")
    contexts = [context for context in owner.contexts.values() if name in (None, context.name)]
    return call.page(contexts, _describe, key=ID, scope=f"contexts {owner.id} {name!r}")


@ROUTES.post("/context", status=200)
def create(call: Call) -> Json:
    body = call.body({"name": str, "owner": dict}, required=("name", "owner"))
    owner = _owner(call, cast(Mapping[str, Any], body["owner"]))
    if not body["name"]:
        raise HttpError(400, "name: expected a name.")
    if any(context.name == body["name"] for context in owner.contexts.values()):
        raise HttpError(409, "The organization already has a context of this name.")
    return _describe(call.world.context(owner.slug, body["name"]))


@ROUTES.get("/context/{context}", public=False)
def by_id(call: Call) -> Json:
    organization, context = _context(call)
    return {
        **_describe(context),
        "org_id": organization.id,
        "environment_variables": [_describe_variable(context, each) for each in context.variables.values()],
        "restrictions": [_describe_restriction(context, each) for each in context.restrictions.values()],
    }


@ROUTES.delete("/context/{context}")
def delete(call: Call) -> Json:
    organization, context = _context(call)
    del organization.contexts[context.id]
    return {"message": "Context deleted."}


@ROUTES.get("/context/{context}/environment-variable", public=False)
def variables(call: Call) -> Json:
    """Answer GET /context/{context_id}/environment-variable: always with the first page."""
    _, context = _context(call)
    variables = list(context.variables.values())
    is_truncated = len(variables) > MAX_LISTED
    return {
        "items": [
            {**_describe_variable(context, each), "truncated_value": ending(each.value)}
            for each in variables[:MAX_LISTED]
        ],
        "next_page_token": call.pages.write(f"variables {context.id}", MAX_LISTED, "") if is_truncated else None,
    }


@ROUTES.put("/context/{context}/environment-variable/{name}")
def set_variable(call: Call) -> Json:
    """Answer PUT /context/{context_id}/environment-variable/{env_var_name}; `value` defaults to the empty string."""
    _, context = _context(call)
    name = call.values["name"]
    if not NAME.fullmatch(name):
        raise HttpError(400, "The name may have letters, digits and underscores, and no digit at the beginning.")
    return _describe_variable(context, context.variable(name, call.body({"value": str}).get("value", "")))


@ROUTES.delete("/context/{context}/environment-variable/{name}")
def delete_variable(call: Call) -> Json:
    _, context = _context(call)
    found(context.variables.pop(call.values["name"], None), "Environment variable")
    return {"message": "Environment variable deleted."}


@ROUTES.get("/context/{context}/restrictions", public=False)
def restrictions(call: Call) -> Json:
    """Answer GET /context/{context_id}/restrictions, in one page."""
    _, context = _context(call)
    return {"items": [_describe_restriction(context, each) for each in context.restrictions.values()]}


@ROUTES.post("/context/{context}/restrictions", status=201)
def restrict(call: Call) -> Json:
    organization, context = _context(call)
    body = call.body({"project_id": str, "restriction_type": str, "restriction_value": str})
    if "project_id" in body:
        body = {"restriction_type": "project", "restriction_value": body["project_id"], **body}
    type, value = body.get("restriction_type"), body.get("restriction_value")
    if type not in ("project", "group", "expression") or not value:
        raise HttpError(400, "Expected a restriction_type (project, group or expression) and a restriction_value.")
    name = None
    if type != "expression":
        value = parse_uuid("restriction_value", value)
        name = _name(call, organization, type, value)
    created = _describe_restriction(context, context.restriction(type, value, name=name))
    created.pop("name", None)
    return created


@ROUTES.delete("/context/{context}/restrictions/{restriction}")
def delete_restriction(call: Call) -> Json:
    _, context = _context(call)
    found(context.restrictions.pop(call.uuid("restriction"), None), "Restriction")
    return {"message": "Context restriction deleted."}


def _context(call: Call) -> tuple[Organization, Context]:
    """Return the context whose id is in the path, and its organization; 403 if missing."""
    id = call.uuid("context")
    for organization in call.world.organizations.values():
        if id in organization.contexts:
            return organization, organization.contexts[id]
    raise HttpError(403, "Permission denied")


def _owner(call: Call, owner: Mapping[str, Any]) -> Organization:
    """Return the owner of contexts, by `id` or by `slug`."""
    if one_of("owner type", owner.get("type", "organization"), ("account", "organization")) == "account":
        raise HttpError(400, "Accounts own contexts on a server installation only.")
    if ("id" in owner) == ("slug" in owner):
        raise HttpError(400, "Expected the owner's id or its slug.")
    return (
        call.organization(str(owner["slug"])) if "slug" in owner else call.organization_with_id("owner id", owner["id"])
    )


def _name(call: Call, organization: Organization, type: str, id: str) -> str:
    """Return the name of a project or of a group; the group with the organization's id is all members."""
    if type == "project":
        names = {project.id: f"{organization.name}/{project.name}" for project in call.world.projects_of(organization)}
    else:
        names = {organization.id: "All members", **{group.id: group.name for group in organization.groups.values()}}
    if id not in names:
        raise HttpError(400, f"restriction_value: the organization has no {type} of this id.")
    return names[id]


def _describe(context: Context) -> Json:
    return {"id": context.id, "name": context.name, "created_at": timestamp(context.created_at)}


def _describe_variable(context: Context, variable: ContextVariable) -> Json:
    return {
        "variable": variable.name,
        "created_at": timestamp(variable.created_at),
        "updated_at": timestamp(variable.updated_at),
        "context_id": context.id,
    }


def _describe_restriction(context: Context, restriction: ContextRestriction) -> Json:
    return without_none(
        context_id=context.id,
        id=restriction.id,
        restriction_type=restriction.type,
        restriction_value=restriction.value,
        project_id=restriction.value if restriction.type == "project" else None,
        name=restriction.name,
    )
