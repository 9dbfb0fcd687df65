"""Pipelines."""

from collections.abc import Mapping
from typing import Any, cast

from ..server.calls import ID, Call, HttpError, parse_uuid
from ..server.exchange import Response, json_response
from ..server.routing import Routes
from ..state.registry import Json
from . import bodies

ROUTES = Routes()

_MAX_PARAMETERS, _MAX_NAME_LENGTH, _MAX_VALUE_LENGTH = 100, 128, 512


@ROUTES.get("/pipeline", public=False)
def of_organization(call: Call) -> Json:
    slug = call.query.get("org-slug")
    organization = None if slug is None else call.organization(slug)
    world = call.world
    index = world.pipelines if organization is None else world.organization_pipelines[organization.id]
    mine = call.flag("mine")
    pipelines = index.of_actor(call.caller()) if mine else index.all
    pipelines = sorted(pipelines, key=lambda each: each.created_at)  # a world can create one project after the other
    scope = f"pipelines {organization.id if organization else ''} {mine}"
    return call.page(pipelines, bodies.pipeline, key=ID, scope=scope, newest_first=True)


@ROUTES.get("/project/{project}/pipeline")
def of_project(call: Call) -> Json:
    project = call.project()
    branch = call.query.get("branch")
    pipelines = project.pipelines.all if branch is None else project.pipelines.of_branch(branch)
    return call.page(pipelines, bodies.pipeline, key=ID, scope=f"pipelines {project.id} {branch!r}", newest_first=True)


@ROUTES.get("/project/{project}/pipeline/mine", public=False)
def mine(call: Call) -> Json:
    project = call.project()
    pipelines = project.pipelines.of_actor(call.caller())
    return call.page(pipelines, bodies.pipeline, key=ID, scope=f"my pipelines {project.id}", newest_first=True)


@ROUTES.get("/project/{project}/pipeline/{number}")
def by_number(call: Call) -> Json:
    pipelines = call.project().pipelines.all
    number = call.number("number")
    if not 1 <= number <= len(pipelines):
        raise HttpError(404, "Pipeline not found")
    return bodies.pipeline(call.after_lag(pipelines[number - 1]))


@ROUTES.get("/pipeline/{id}")
def by_id(call: Call) -> Json:
    return bodies.pipeline(call.pipeline("id"))


@ROUTES.get("/pipeline/{id}/config")
def config(call: Call) -> Json:
    return bodies.pipeline_config(call.pipeline("id"))


@ROUTES.get("/pipeline/{id}/values")
def values(call: Call) -> Json:
    return bodies.pipeline_values(call.pipeline("id"))


@ROUTES.get("/pipeline/{id}/workflow")
def workflows(call: Call) -> Json:
    pipeline = call.pipeline("id")
    return call.page(pipeline.workflows, bodies.workflow, key=ID, scope=f"workflows {pipeline.id}")


@ROUTES.post("/project/{project}/pipeline", status=201)
def trigger(call: Call) -> Json:
    project = call.project()
    body = call.body({"branch": str, "tag": str, "parameters": dict})
    branch, tag = body.get("branch"), body.get("tag")
    if branch is not None and tag is not None:
        raise HttpError(400, "Branch and tag cannot be given together.")
    if "" in (branch, tag):
        raise HttpError(400, "Branch and tag cannot be empty.")
    pipeline = call.engine.trigger(project, branch=branch, tag=tag, parameters=parameters(body), actor=call.caller())
    return bodies.pipeline_creation(pipeline)


@ROUTES.post("/project/{project}/pipeline/run", status=201, literal=True)
def run(call: Call) -> Json | Response:
    project = call.project()
    body = call.body({"definition_id": str, "config": dict, "checkout": dict, "parameters": dict})
    _ref(body, "config")
    branch, tag = _ref(body, "checkout")
    given = parameters(body)
    if "definition_id" in body and parse_uuid("definition_id", body["definition_id"]) not in project.definitions:
        raise HttpError(404, "Pipeline definition not found")
    if project.skipped is not None:
        message, project.skipped = project.skipped, None
        return json_response(200, {"message": message})
    pipeline = call.engine.trigger(project, branch=branch, tag=tag, parameters=given, actor=call.caller())
    return bodies.pipeline_creation(pipeline)


def _ref(body: Mapping[str, Any], name: str) -> tuple[str | None, str | None]:
    """Return branch and tag of a reference: one of the two, or none if the body has no reference."""
    if name not in body:
        return None, None
    ref = cast(Mapping[str, Any], body[name])
    branch, tag = ref.get("branch"), ref.get("tag")
    given = tag if branch is None else branch
    if (branch is None) == (tag is None) or not given or not isinstance(given, str):
        raise HttpError(400, f"{name}: expected either a branch or a tag.")
    return branch, tag


@ROUTES.post("/pipeline/continue", status=200)
def resume(call: Call) -> Json:
    body = call.body(
        {"continuation-key": str, "configuration": str, "parameters": dict},
        required=("continuation-key", "configuration"),
    )
    given = parameters(body)
    pipeline = call.world.continuations.get(body["continuation-key"])
    if pipeline is None or pipeline.state != "setup":
        raise HttpError(400, "No pipeline waits for this continuation key.")
    call.engine.resume(pipeline, config=body["configuration"], parameters=given)
    return {"message": "Accepted."}


def parameters(body: Mapping[str, Any]) -> Mapping[str, str | int | bool]:
    """Return the pipeline parameters of a body, within the API's limits."""
    given = cast(Mapping[str, Any], body.get("parameters", {}))
    if len(given) > _MAX_PARAMETERS:
        raise HttpError(400, f"At most {_MAX_PARAMETERS} pipeline parameters can be given.")
    for name, value in given.items():
        if type(value) not in (str, int, bool):
            raise HttpError(400, f"Pipeline parameter {name}: expected a string, an integer or a boolean.")
        if len(name) > _MAX_NAME_LENGTH or len(str(value)) > _MAX_VALUE_LENGTH:
            raise HttpError(
                400,
                f"Pipeline parameters: a name has at most {_MAX_NAME_LENGTH} characters, a value {_MAX_VALUE_LENGTH}.",
            )
    return given
