"""Pipeline definitions."""

from typing import Any

from ..server.calls import Call, Json, Refusal
from ..server.objects import inner
from ..server.routing import Routes
from ..state.pipeline_definitions import PipelineDefinition
from ..state.projects import Project
from ..state.timestamps import timestamp

ROUTES = Routes()

_BODY = {"name": str, "description": str, "config_source": dict, "checkout_source": dict}
_SOURCE = {"provider": str, "repo": dict, "file_path": str}


@ROUTES.get("/projects/{project_id}/pipeline-definitions", public=False)
def of_project(call: Call) -> Json:
    """Answer GET /projects/{project_id}/pipeline-definitions."""
    return {"items": [_described(each) for each in call.project_by_id("project_id").definitions.values()]}


@ROUTES.post("/projects/{project_id}/pipeline-definitions", status=200)
def create(call: Call) -> Json:
    """Answer POST /projects/{project_id}/pipeline-definitions, with 200."""
    project = call.project_by_id("project_id")
    body = call.body(_BODY, required=("name", "config_source", "checkout_source"))
    config = inner(body, "config_source", _SOURCE, required=("provider", "file_path"))
    checkout = inner(body, "checkout_source", _SOURCE, required=("provider", "repo"))
    if config["provider"] not in ("github_app", "circleci"):
        raise Refusal(400, "config_source.provider: expected one of github_app, circleci.")
    if config["provider"] == "github_app" and "repo" not in config:
        raise Refusal(400, "config_source.repo: required.")
    definition = PipelineDefinition(
        id=call.world.new_id(),
        project=project,
        name=body["name"],
        description=body.get("description"),
        config_provider=config["provider"],
        config_external_id=repository_of(config) if config["provider"] == "github_app" else None,
        file_path=config["file_path"],
        checkout_provider=_checkout_provider(checkout),
        checkout_external_id=repository_of(checkout),
        created_at=call.world.clock(),
    )
    project.definitions[definition.id] = definition
    return _described(definition)


@ROUTES.get("/projects/{project_id}/pipeline-definitions/{definition_id}", public=False)
def definition(call: Call) -> Json:
    """Answer GET /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}."""
    return _described(definition_of(call))


@ROUTES.patch("/projects/{project_id}/pipeline-definitions/{definition_id}")
def update(call: Call) -> Json:
    """Answer PATCH /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}.

    Of the source of the configuration all but its path is ignored.
    """
    definition = definition_of(call)
    body = call.body(_BODY)
    config = inner(body, "config_source", _SOURCE)
    checkout = inner(body, "checkout_source", _SOURCE)
    provider = _checkout_provider(checkout) if "provider" in checkout else definition.checkout_provider
    external_id = repository_of(checkout) if "repo" in checkout else definition.checkout_external_id
    definition.name = body.get("name", definition.name)
    definition.description = body.get("description", definition.description)
    definition.file_path = config.get("file_path", definition.file_path)
    definition.checkout_provider = provider
    definition.checkout_external_id = external_id
    return _described(definition)


@ROUTES.delete("/projects/{project_id}/pipeline-definitions/{definition_id}")
def delete(call: Call) -> Json:
    """Answer DELETE /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}; its triggers go with it."""
    definition = definition_of(call)
    del definition.project.definitions[definition.id]
    return {"message": "Pipeline definition deleted."}


def definition_of(call: Call) -> PipelineDefinition:
    """Find the pipeline definition of the project that the path names; 404 if there is none."""
    definition = call.project_by_id("project_id").definitions.get(call.uuid("definition_id"))
    if definition is None:
        raise Refusal(404, "Pipeline definition not found")
    return definition


def repository_of(source: Json) -> str:
    """Read the id of the repository that a source names."""
    external_id: str = inner(source, "repo", {"external_id": str}, required=("external_id",))["external_id"]
    if not external_id:
        raise Refusal(400, "repo.external_id: required.")
    return external_id


def repository(project: Project, external_id: str) -> Json:
    """Describe a repository. There is one for each project here, whatever its id."""
    return {"full_name": f"{project.organization.name}/{project.name}", "external_id": external_id}


def _checkout_provider(checkout: Json) -> str:
    provider: str = checkout["provider"]
    if provider != "github_app":
        raise Refusal(400, "checkout_source.provider: expected github_app.")
    return provider


def _described(definition: PipelineDefinition) -> Json:
    project = definition.project
    config: dict[str, Any] = {"provider": definition.config_provider, "file_path": definition.file_path}
    if definition.config_external_id is not None:
        config["repo"] = repository(project, definition.config_external_id)
    body: Json = {
        "id": definition.id,
        "name": definition.name,
        "config_source": config,
        "checkout_source": {
            "provider": definition.checkout_provider,
            "repo": repository(project, definition.checkout_external_id),
        },
    }
    if definition.description is not None:
        body["description"] = definition.description
    if definition.created_at is not None:
        body["created_at"] = timestamp(definition.created_at)
    return body
