"""Projects."""

from typing import Any, cast

from ...errors import InvalidArgument
from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import HttpError, is_strings
from ..state.projects import Project
from ..state.types import Json
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
    """Answer GET /project/{project-slug}."""
    return bodies.project(call.project())


@ROUTES.post("/organization/{organization}/project", status=200)
def create(call: Call) -> Json:
    """Answer POST /organization/{org-slug-or-id}/project."""
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
    """Answer DELETE /project/{project-slug}."""
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
    """Answer GET /project/{provider}/{organization}/{project}/settings."""
    return _settings(call.project())


@ROUTES.patch(_SETTINGS, literal=True)
def update_settings(call: Call) -> Json:
    """Answer PATCH /project/{provider}/{organization}/{project}/settings."""
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
