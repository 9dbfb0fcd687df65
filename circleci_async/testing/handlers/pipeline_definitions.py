"""Pipeline definitions."""

from typing import Any

from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import HttpError, assign, found, nested, one_of, without_none
from ..state.pipeline_definitions import PipelineDefinition
from ..state.repositories import Repository
from ..state.timestamps import timestamp
from ..state.types import Json

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
    config = nested(body, "config_source", _SOURCE, required=("provider", "file_path"))
    checkout = nested(body, "checkout_source", _SOURCE, required=("provider", "repo"))
    one_of("config_source.provider", config["provider"], ("github_app", "circleci"))
    if config["provider"] == "github_app" and "repo" not in config:
        raise HttpError(400, "config_source.repo: required.")
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

    Only the path of the config source can be changed.
    """
    definition = definition_of(call)
    body = call.body(_BODY)
    config = nested(body, "config_source", _SOURCE)
    checkout = nested(body, "checkout_source", _SOURCE)
    provider = _checkout_provider(checkout) if "provider" in checkout else definition.checkout_provider
    external_id = repository_of(checkout) if "repo" in checkout else definition.checkout_external_id
    assign(definition, body, ("name", "description"))
    assign(definition, config, ("file_path",))
    definition.checkout_provider = provider
    definition.checkout_external_id = external_id
    return _described(definition)


@ROUTES.delete("/projects/{project_id}/pipeline-definitions/{definition_id}")
def delete(call: Call) -> Json:
    """Answer DELETE /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}, with its triggers."""
    definition = definition_of(call)
    del call.project_by_id("project_id").definitions[definition.id]
    return {"message": "Pipeline definition deleted."}


def definition_of(call: Call) -> PipelineDefinition:
    """Return the pipeline definition in the path."""
    definitions = call.project_by_id("project_id").definitions
    return found(definitions.get(call.uuid("definition_id")), "Pipeline definition")


def repository_of(source: Json) -> str:
    """Return the id of the repository of a source."""
    external_id: str = nested(source, "repo", {"external_id": str}, required=("external_id",))["external_id"]
    if not external_id:
        raise HttpError(400, "repo.external_id: required.")
    return external_id


def repository(project: Repository, external_id: str) -> Json:
    """Describe the repository of a project, with this external id."""
    return {"full_name": f"{project.organization.name}/{project.name}", "external_id": external_id}


def _checkout_provider(checkout: Json) -> str:
    return one_of("checkout_source.provider", checkout["provider"], ("github_app",))


def _described(definition: PipelineDefinition) -> Json:
    project = definition.project
    config: dict[str, Any] = {"provider": definition.config_provider, "file_path": definition.file_path}
    if definition.config_external_id is not None:
        config["repo"] = repository(project, definition.config_external_id)
    return without_none(
        id=definition.id,
        name=definition.name,
        config_source=config,
        checkout_source={
            "provider": definition.checkout_provider,
            "repo": repository(project, definition.checkout_external_id),
        },
        description=definition.description,
        created_at=timestamp(definition.created_at),
    )
