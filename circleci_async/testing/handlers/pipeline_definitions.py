"""Pipeline definitions and their triggers."""

from typing import Any

from ..server.calls import Call, HttpError, assign, found, nested, one_of, without_none
from ..server.routing import Routes
from ..state.organizations import Repository
from ..state.project_records import ATTRIBUTION_ACTORS, PipelineDefinition, Trigger, attribution_actor
from ..state.registry import Json, timestamp

ROUTES = Routes()

_DEFINITION = {"name": str, "description": str, "config_source": dict, "checkout_source": dict}
_DEFINITION_SOURCE = {"provider": str, "repo": dict, "file_path": str}


@ROUTES.get("/projects/{project_id}/pipeline-definitions", public=False)
def of_project(call: Call) -> Json:
    return {"items": [_described(each) for each in call.project_by_id("project_id").definitions.values()]}


@ROUTES.post("/projects/{project_id}/pipeline-definitions", status=200)
def create(call: Call) -> Json:
    """Answer POST /projects/{project_id}/pipeline-definitions, with 200."""
    project = call.project_by_id("project_id")
    body = call.body(_DEFINITION, required=("name", "config_source", "checkout_source"))
    config = nested(body, "config_source", _DEFINITION_SOURCE, required=("provider", "file_path"))
    checkout = nested(body, "checkout_source", _DEFINITION_SOURCE, required=("provider", "repo"))
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
    return _described(definition_of(call))


@ROUTES.patch("/projects/{project_id}/pipeline-definitions/{definition_id}")
def update(call: Call) -> Json:
    """Answer PATCH /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}.

    Only the path of the config source can be changed.
    """
    definition = definition_of(call)
    body = call.body(_DEFINITION)
    config = nested(body, "config_source", _DEFINITION_SOURCE)
    checkout = nested(body, "checkout_source", _DEFINITION_SOURCE)
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


_REPOSITORIES = ("github_app", "github_oauth")
_PROVIDERS = (*_REPOSITORIES, "webhook", "schedule")
_PRESETS = (
    "all-pushes",
    "only-tags",
    "default-branch-pushes",
    "only-build-prs",
    "only-open-prs",
    "only-labeled-prs",
    "only-merged-prs",
    "only-ready-for-review-prs",
    "only-branch-delete",
    "only-build-pushes-to-non-draft-prs",
    "only-merged-or-closed-prs",
    "pr-comment-equals-run-ci",
    "non-draft-pr-opened",
    "pushes-to-merge-queues",
)
_TRIGGER = {
    "event_source": dict,
    "event_preset": str,
    "checkout_ref": str,
    "config_ref": str,
    "event_name": str,
    "disabled": bool,
    "parameters": dict,
}
_TRIGGER_SOURCE = {"provider": str, "repo": dict, "webhook": dict, "schedule": dict}


@ROUTES.get("/projects/{project_id}/pipeline-definitions/{definition_id}/triggers", public=False)
def of_definition(call: Call) -> Json:
    definition = definition_of(call)
    return {"items": [_described_trigger(definition.project, trigger) for trigger in definition.triggers.values()]}


@ROUTES.post("/projects/{project_id}/pipeline-definitions/{definition_id}/triggers", status=200)
def create_trigger(call: Call) -> Json:
    """Answer POST /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}/triggers, with 200."""
    definition = definition_of(call)
    body = call.body(_TRIGGER, required=("event_source",))
    source = nested(body, "event_source", _TRIGGER_SOURCE, required=("provider",))
    provider = one_of("event_source.provider", source["provider"], _PROVIDERS)
    if provider in _REPOSITORIES and "repo" not in source:
        raise HttpError(400, "event_source.repo: required.")
    if "repo" in source and provider not in _REPOSITORIES:
        raise HttpError(400, f"event_source.repo: not for {provider}.")
    if provider not in _REPOSITORIES:
        for name in ("event_name", "checkout_ref", "config_ref"):
            if not body.get(name):
                raise HttpError(400, f"{name}: required for {provider}.")
    if provider == "schedule" and "cron_expression" not in source.get("schedule", {}):
        raise HttpError(400, "event_source.schedule.cron_expression: required.")
    trigger = Trigger(
        id=call.world.new_id(),
        provider=provider,
        created_at=call.world.clock(),
        external_id=repository_of(source) if provider in _REPOSITORIES else None,
        secret=call.world.new_revision() if provider == "webhook" else "",
        actor=call.caller() if provider == "schedule" else None,
    )
    _change(call, trigger, body)
    definition.triggers[trigger.id] = trigger
    return _described_trigger(definition.project, trigger, with_secret=True)


@ROUTES.get("/projects/{project_id}/triggers/{trigger_id}", public=False)
def trigger(call: Call) -> Json:
    definition, trigger = _trigger(call)
    return _described_trigger(definition.project, trigger)


@ROUTES.patch("/projects/{project_id}/triggers/{trigger_id}")
def update_trigger(call: Call) -> Json:
    """Answer PATCH /projects/{project_id}/triggers/{trigger_id}; another repository is ignored."""
    definition, trigger = _trigger(call)
    body = call.body(_TRIGGER)
    source = nested(body, "event_source", _TRIGGER_SOURCE)
    if source.get("provider", trigger.provider) != trigger.provider:
        raise HttpError(400, "event_source.provider: cannot be changed.")
    _change(call, trigger, body)
    return _described_trigger(definition.project, trigger)


@ROUTES.delete("/projects/{project_id}/triggers/{trigger_id}")
def delete_trigger(call: Call) -> Json:
    definition, trigger = _trigger(call)
    del definition.triggers[trigger.id]
    return {"message": "Trigger deleted."}


def _trigger(call: Call) -> tuple[PipelineDefinition, Trigger]:
    project = call.project_by_id("project_id")
    id = call.uuid("trigger_id")
    for definition in project.definitions.values():
        if id in definition.triggers:
            return definition, definition.triggers[id]
    raise HttpError(404, "Trigger not found")


def _change(call: Call, trigger: Trigger, body: Json) -> None:
    """Check all fields of a body, then set them."""
    source = nested(body, "event_source", _TRIGGER_SOURCE)
    webhook = nested(source, "webhook", {"sender": str})
    schedule = nested(source, "schedule", {"cron_expression": str, "attribution_actor": str})
    for name in ("webhook", "schedule"):
        if name in source and name != trigger.provider:
            raise HttpError(400, f"event_source.{name}: not for {trigger.provider}.")
    if "event_name" in body and trigger.provider in _REPOSITORIES:
        raise HttpError(400, f"event_name: not for {trigger.provider}.")
    if "event_preset" in body and trigger.provider not in _REPOSITORIES:
        raise HttpError(400, f"event_preset: not for {trigger.provider}.")
    one_of("event_preset", body.get("event_preset", _PRESETS[0]), _PRESETS)
    if len(schedule.get("cron_expression", "* * * * *").split()) != 5:
        raise HttpError(400, "event_source.schedule.cron_expression: expected five fields.")
    actor: str | None = schedule.get("attribution_actor")
    if actor is not None:
        one_of("event_source.schedule.attribution_actor", actor, ATTRIBUTION_ACTORS)
        trigger.actor = attribution_actor(call.world, actor, call.caller())
    assign(trigger, webhook, ("sender",))
    assign(trigger, schedule, ("cron_expression",))
    assign(trigger, body, ("event_preset", "event_name", "checkout_ref", "config_ref", "disabled", "parameters"))


def _described_trigger(project: Repository, trigger: Trigger, *, with_secret: bool = False) -> Json:
    """Describe a trigger; `with_secret`: with the secret of its URL, which is redacted otherwise."""
    source: Json = {"provider": trigger.provider}
    if trigger.external_id is not None:
        source["repo"] = repository(project, trigger.external_id)
    if trigger.provider == "webhook":
        secret = trigger.secret if with_secret else "**REDACTED**"
        source["webhook"] = without_none(
            url=f"https://internal.circleci.com/private/soc/e/{trigger.id}?secret={secret}", sender=trigger.sender
        )
    if trigger.actor is not None:
        source["schedule"] = {
            "cron_expression": trigger.cron_expression,
            "attribution_actor": {"id": trigger.actor.id},
        }
    return without_none(
        id=trigger.id,
        event_name=trigger.event_name,
        created_at=timestamp(trigger.created_at),
        event_source=source,
        event_preset=trigger.event_preset,
        checkout_ref=trigger.checkout_ref,
        config_ref=trigger.config_ref,
        disabled=trigger.disabled or None,  # absent if enabled
        name=trigger.sender,
        description=trigger.event_name,
        parameters=trigger.parameters,
    )
