"""Projects, their settings, environment variables and checkout keys."""

from typing import Any, cast

from ...errors import InvalidArgument
from ..server.calls import Call, HttpError, found, is_strings, one_of
from ..server.routing import Routes
from ..state.project_records import NAME, CheckoutKey, EnvironmentVariable, ending
from ..state.projects import Project
from ..state.registry import Json, timestamp
from ..state.world import canonical
from . import bodies
from .pipelines import parameters

ROUTES = Routes()

_SETTINGS = "/project/{project}/settings"
_READ_ONLY = "oss"
"""A setting that is documented as writable, and refused by the API as unknown."""
_VERSIONS = ("component_name", "environment_name", "current_version", "target_version")


@ROUTES.get("/project/{project}")
def project(call: Call) -> Json:
    return bodies.project(call.project())


@ROUTES.post("/organization/{organization}/project", status=200)
def create(call: Call) -> Json:
    organization = call.organization_by_slug_or_id("organization")
    name = call.body({"name": str}, required=("name",))["name"]
    opaque = organization.vcs == "circleci"
    slug = f"{organization.slug}/{call.world.new_opaque() if opaque else name}"
    try:
        return bodies.project(call.world.project(slug, name=name))
    except InvalidArgument:
        taken = slug in call.world.projects
        raise HttpError(400, "The project already exists." if taken else "name: not valid for a project.") from None


@ROUTES.delete("/project/{project}")
def delete(call: Call) -> Json:
    call.world.delete_project(call.project())
    return {"message": "Project deleted."}


@ROUTES.post("/project/{project}", status=201, literal=True)
def set_up(call: Call) -> Json:
    """Answer POST /project/{provider}/{organization}/{project}; an existing project is not changed."""
    try:
        slug = canonical(call.values["project"], parts=3)
    except InvalidArgument:
        raise HttpError(404, "Project not found") from None
    if slug.startswith("circleci/"):
        raise HttpError(400, "Only projects of GitHub OAuth and Bitbucket can be set up.")
    call.organization(slug.rpartition("/")[0])
    return _settings(call.world.projects.get(slug) or call.world.project(slug))


@ROUTES.get(_SETTINGS, public=False, literal=True)
def settings(call: Call) -> Json:
    return _settings(call.project())


@ROUTES.patch(_SETTINGS, literal=True)
def update_settings(call: Call) -> Json:
    project = call.project()
    changes = cast(dict[str, Any], call.body({"advanced": dict}).get("advanced", {}))
    for name, value in changes.items():
        if name == _READ_ONLY or name not in project.settings:
            raise HttpError(400, f"Unexpected field advanced.{name}")
        if isinstance(project.settings[name], bool):
            is_valid = isinstance(value, bool)
        else:
            is_valid = isinstance(value, list) and is_strings(cast(list[object], value))
        if not is_valid:
            raise HttpError(400, f"advanced.{name}: not of the right type.")
    project.settings.update(changes)
    return _settings(project)


@ROUTES.post("/projects/{project_id}/rollback", status=202)
def rollback(call: Call) -> Json:
    """Answer POST /projects/{project_id}/rollback, by a pipeline on the default branch."""
    project = call.project_by_id("project_id")
    body = call.body(
        {**dict.fromkeys(_VERSIONS, str), "namespace": str, "parameters": dict, "reason": str}, required=_VERSIONS
    )
    if not all(body[name] for name in _VERSIONS):
        raise HttpError(400, f"{', '.join(_VERSIONS)}: must not be empty.")
    given = parameters(body)
    if body["component_name"] not in (each.name for each in project.deploy_components.values()):
        raise HttpError(404, "Component not found")
    if body["environment_name"] not in (each.name for each in project.organization.deploy_environments.values()):
        raise HttpError(404, "Environment not found")
    pipeline = call.engine.trigger(project, branch=None, tag=None, parameters=given, actor=call.caller())
    return {"id": pipeline.id, "rollback_type": "PIPELINE"}


def _settings(project: Project) -> Json:
    return {"advanced": dict(project.settings)}


@ROUTES.get("/project/{project}/envvar", public=False)
def variables(call: Call) -> Json:
    project = call.project()
    variables = list(project.environment_variables.values())
    return call.page(variables, _describe_variable, key=lambda each: each.name, scope=f"variables {project.id}")


@ROUTES.post("/project/{project}/envvar", status=201)
def create_variable(call: Call) -> Json:
    project = call.project()
    body = call.body({"name": str, "value": str}, required=("name", "value"))
    if not NAME.fullmatch(body["name"]):
        raise HttpError(400, "name: expected letters, digits and underscores, and no digit at the beginning.")
    return _describe_variable(project.environment_variable(body["name"], body["value"]))


@ROUTES.get("/project/{project}/envvar/{name}", public=False)
def variable_by_name(call: Call) -> Json:
    return _describe_variable(_variable(call))


@ROUTES.delete("/project/{project}/envvar/{name}")
def delete_variable(call: Call) -> Json:
    variable = _variable(call)
    del call.project().environment_variables[variable.name]
    return {"message": "Environment variable deleted."}


def _variable(call: Call) -> EnvironmentVariable:
    return found(call.project().environment_variables.get(call.values["name"]), "Environment variable")


def _describe_variable(variable: EnvironmentVariable) -> Json:
    return {
        "name": variable.name,
        "value": f"xxxx{ending(variable.value)}",
        "created_at": timestamp(variable.created_at),
    }


@ROUTES.get("/project/{project}/checkout-key", public=False)
def keys(call: Call) -> Json:
    project = call.project()
    digest = call.choice("digest", ("sha256", "md5"), "md5")

    def describe(key: CheckoutKey) -> Json:
        return _describe_key(project, key, key.sha256 if digest == "sha256" else key.md5)

    return call.page(
        project.checkout_keys, describe, key=lambda each: each.sha256, scope=f"checkout keys {project.id} {digest}"
    )


@ROUTES.post("/project/{project}/checkout-key", status=201)
def create_key(call: Call) -> Json:
    project = call.project()
    type = one_of("type", call.body({"type": str}, required=("type",))["type"], ("user-key", "deploy-key"))
    if project.organization.vcs == "circleci":
        raise HttpError(400, "This project has no checkout keys.")
    key = project.checkout_key(type)
    return _describe_key(project, key, key.md5)


@ROUTES.get("/project/{project}/checkout-key/{fingerprint}", public=False)
def key_by_fingerprint(call: Call) -> Json:
    return _describe_key(call.project(), _key(call), call.values["fingerprint"])


@ROUTES.delete("/project/{project}/checkout-key/{fingerprint}")
def delete_key(call: Call) -> Json:
    call.project().checkout_keys.remove(_key(call))
    return {"message": "Checkout key deleted."}


def _key(call: Call) -> CheckoutKey:
    fingerprint = call.values["fingerprint"]
    keys = call.project().checkout_keys
    return found(next((key for key in keys if fingerprint in (key.md5, key.sha256)), None), "Checkout key")


def _describe_key(project: Project, key: CheckoutKey, fingerprint: str) -> Json:
    return {
        "public_key": key.public_key,
        "type": key.type,
        "fingerprint": fingerprint,
        "preferred": key is project.checkout_keys[-1],
        "created_at": timestamp(key.created_at),
    }
