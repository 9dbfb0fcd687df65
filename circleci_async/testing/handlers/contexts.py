"""Contexts: variables that the projects of an organization share, and who may use them."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from ..server.calls import Call, Json, Refusal
from ..server.routing import Routes
from ..state.accounts import Organization
from ..state.contexts import Context, ContextRestriction, ContextVariable
from ..state.environment_variables import NAME, ending
from ..state.timestamps import timestamp

ROUTES = Routes()

LISTED = 100
"""Variables that are listed, of however many."""


@ROUTES.get("/context", public=False)
def of_owner(call: Call) -> Json:
    """Answer GET /context."""
    keys = ("id", "slug", "type")
    owner = _owner(call, {key: call.query[f"owner-{key}"] for key in keys if f"owner-{key}" in call.query})
    name = call.query.get("name")
    contexts = [context for context in owner.contexts.values() if name in (None, context.name)]
    return call.page(contexts, _describe, scope=f"contexts {owner.id} {name!r}")


@ROUTES.post("/context", status=200)
def create(call: Call) -> Json:
    """Answer POST /context."""
    body = call.body({"name": str, "owner": dict}, required=("name", "owner"))
    owner = _owner(call, cast(Mapping[str, Any], body["owner"]))
    if not body["name"]:
        raise Refusal(400, "name: expected a name.")
    if any(context.name == body["name"] for context in owner.contexts.values()):
        raise Refusal(409, "The organization has a context of this name already.")
    return _describe(call.world.context(owner.slug, body["name"]))


@ROUTES.get("/context/{context}", public=False)
def by_id(call: Call) -> Json:
    """Answer GET /context/{context_id}."""
    context = _context(call)
    return {
        **_describe(context),
        "org_id": context.organization.id,
        "environment_variables": [_describe_variable(context, each) for each in context.variables.values()],
        "restrictions": [_describe_restriction(context, each) for each in context.restrictions.values()],
    }


@ROUTES.delete("/context/{context}")
def delete(call: Call) -> Json:
    """Answer DELETE /context/{context_id}."""
    context = _context(call)
    del context.organization.contexts[context.id]
    return {"message": "Context deleted."}


@ROUTES.get("/context/{context}/environment-variable", public=False)
def variables(call: Call) -> Json:
    """Answer GET /context/{context_id}/environment-variable: always with the first ones, whatever page is asked for."""
    context = _context(call)
    found = list(context.variables.values())
    return {
        "items": [
            {**_describe_variable(context, each), "truncated_value": ending(each.value)} for each in found[:LISTED]
        ],
        "next_page_token": call.pages.write(LISTED, f"variables {context.id}") if len(found) > LISTED else None,
    }


@ROUTES.put("/context/{context}/environment-variable/{name}")
def set_variable(call: Call) -> Json:
    """Answer PUT /context/{context_id}/environment-variable/{env_var_name}: without a `value`, it is empty."""
    context = _context(call)
    name = call.values["name"]
    if not NAME.fullmatch(name):
        raise Refusal(400, "The name may have letters, digits and underscores, and no digit at the beginning.")
    return _describe_variable(context, context.variable(name, call.body({"value": str}).get("value", "")))


@ROUTES.delete("/context/{context}/environment-variable/{name}")
def delete_variable(call: Call) -> Json:
    """Answer DELETE /context/{context_id}/environment-variable/{env_var_name}."""
    if _context(call).variables.pop(call.values["name"], None) is None:
        raise Refusal(404, "Environment variable not found")
    return {"message": "Environment variable deleted."}


@ROUTES.get("/context/{context}/restrictions", public=False)
def restrictions(call: Call) -> Json:
    """Answer GET /context/{context_id}/restrictions: with all of them, and no page token."""
    context = _context(call)
    return {"items": [_describe_restriction(context, each) for each in context.restrictions.values()]}


@ROUTES.post("/context/{context}/restrictions", status=201)
def restrict(call: Call) -> Json:
    """Answer POST /context/{context_id}/restrictions."""
    context = _context(call)
    body = call.body({"project_id": str, "restriction_type": str, "restriction_value": str})
    if "project_id" in body:
        body = {"restriction_type": "project", "restriction_value": body["project_id"], **body}
    type, value = body.get("restriction_type"), body.get("restriction_value")
    if type not in ("project", "group", "expression") or not value:
        raise Refusal(400, "Expected a restriction_type (project, group or expression) and a restriction_value.")
    name = None
    if type != "expression":
        value = _uuid("restriction_value", value)
        name = _name(context.organization, type, value)
    created = _describe_restriction(context, context.restriction(type, value, name=name))
    created.pop("name", None)
    return created


@ROUTES.delete("/context/{context}/restrictions/{restriction}")
def delete_restriction(call: Call) -> Json:
    """Answer DELETE /context/{context_id}/restrictions/{restriction_id}."""
    if _context(call).restrictions.pop(call.uuid("restriction"), None) is None:
        raise Refusal(404, "Restriction not found")
    return {"message": "Context restriction deleted."}


def _context(call: Call) -> Context:
    """Find the context whose id stands in the path; 403 if there is none."""
    context = call.world.context_by_id(call.uuid("context"))
    if context is None:
        raise Refusal(403, "Permission denied")
    return context


def _owner(call: Call, owner: Mapping[str, Any]) -> Organization:
    """Find the owner of contexts, by `id` or by `slug`."""
    type = owner.get("type", "organization")
    if type not in ("account", "organization"):
        raise Refusal(400, "The owner's type is account or organization.")
    if type == "account":
        raise Refusal(400, "Accounts own contexts on a server installation only.")
    if ("id" in owner) == ("slug" in owner):
        raise Refusal(400, "Expected the owner's id or its slug.")
    if "slug" in owner:
        return call.organization(str(owner["slug"]))
    organization = call.world.organization_by_id(_uuid("owner id", owner["id"]))
    if organization is None:
        raise Refusal(404, "Organization not found")
    return organization


def _name(organization: Organization, type: str, id: str) -> str:
    """Find the name of a project or of a group, one of which is all members."""
    if type == "project":
        found = {project.id: f"{organization.name}/{project.name}" for project in organization.projects.values()}
    else:
        found = {organization.id: "All members", **{group.id: group.name for group in organization.groups.values()}}
    if id not in found:
        raise Refusal(400, f"restriction_value: the organization has no {type} of this id.")
    return found[id]


def _uuid(name: str, value: object) -> str:
    try:
        return str(UUID(str(value)))
    except ValueError:
        raise Refusal(400, f"{name}: not a valid UUID.") from None


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
    body = {
        "context_id": context.id,
        "id": restriction.id,
        "restriction_type": restriction.type,
        "restriction_value": restriction.value,
    }
    if restriction.type == "project":
        body["project_id"] = restriction.value
    if restriction.name is not None:
        body["name"] = restriction.name
    return body
