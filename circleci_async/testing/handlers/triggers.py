"""Triggers of pipeline definitions."""

from ..server.calls import Call, Json, Refusal
from ..server.objects import inner
from ..server.routing import Routes
from ..state.pipeline_definitions import PipelineDefinition, Trigger
from ..state.projects import Project
from ..state.schedules import ATTRIBUTION_ACTORS, attributed
from ..state.timestamps import timestamp
from .pipeline_definitions import definition_of, repository, repository_of

ROUTES = Routes()

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
_BODY = {
    "event_source": dict,
    "event_preset": str,
    "checkout_ref": str,
    "config_ref": str,
    "event_name": str,
    "disabled": bool,
    "parameters": dict,
}
_SOURCE = {"provider": str, "repo": dict, "webhook": dict, "schedule": dict}


@ROUTES.get("/projects/{project_id}/pipeline-definitions/{definition_id}/triggers", public=False)
def of_definition(call: Call) -> Json:
    """Answer GET /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}/triggers."""
    definition = definition_of(call)
    return {"items": [_described(definition.project, trigger) for trigger in definition.triggers.values()]}


@ROUTES.post("/projects/{project_id}/pipeline-definitions/{definition_id}/triggers", status=200)
def create(call: Call) -> Json:
    """Answer POST /projects/{project_id}/pipeline-definitions/{pipeline_definition_id}/triggers, with 200."""
    definition = definition_of(call)
    body = call.body(_BODY, required=("event_source",))
    source = inner(body, "event_source", _SOURCE, required=("provider",))
    provider: str = source["provider"]
    if provider not in _PROVIDERS:
        raise Refusal(400, f"event_source.provider: expected one of {', '.join(_PROVIDERS)}.")
    if provider in _REPOSITORIES and "repo" not in source:
        raise Refusal(400, "event_source.repo: required.")
    if "repo" in source and provider not in _REPOSITORIES:
        raise Refusal(400, f"event_source.repo: not for {provider}.")
    if provider not in _REPOSITORIES:
        for name in ("event_name", "checkout_ref", "config_ref"):
            if not body.get(name):
                raise Refusal(400, f"{name}: required for {provider}.")
    if provider == "schedule" and "cron_expression" not in source.get("schedule", {}):
        raise Refusal(400, "event_source.schedule.cron_expression: required.")
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
    return _described(definition.project, trigger, shown=True)


@ROUTES.get("/projects/{project_id}/triggers/{trigger_id}", public=False)
def trigger(call: Call) -> Json:
    """Answer GET /projects/{project_id}/triggers/{trigger_id}."""
    definition, trigger = _found(call)
    return _described(definition.project, trigger)


@ROUTES.patch("/projects/{project_id}/triggers/{trigger_id}")
def update(call: Call) -> Json:
    """Answer PATCH /projects/{project_id}/triggers/{trigger_id}; another repository is ignored."""
    definition, trigger = _found(call)
    body = call.body(_BODY)
    source = inner(body, "event_source", _SOURCE)
    if source.get("provider", trigger.provider) != trigger.provider:
        raise Refusal(400, "event_source.provider: can't be changed.")
    _change(call, trigger, body)
    return _described(definition.project, trigger)


@ROUTES.delete("/projects/{project_id}/triggers/{trigger_id}")
def delete(call: Call) -> Json:
    """Answer DELETE /projects/{project_id}/triggers/{trigger_id}."""
    definition, trigger = _found(call)
    del definition.triggers[trigger.id]
    return {"message": "Trigger deleted."}


def _found(call: Call) -> tuple[PipelineDefinition, Trigger]:
    project = call.project_by_id("project_id")
    wanted = call.uuid("trigger_id")
    for definition in project.definitions.values():
        if wanted in definition.triggers:
            return definition, definition.triggers[wanted]
    raise Refusal(404, "Trigger not found")


def _change(call: Call, trigger: Trigger, body: Json) -> None:
    """Take over what a body says, once all of it is found to be right."""
    source = inner(body, "event_source", _SOURCE)
    webhook = inner(source, "webhook", {"sender": str})
    schedule = inner(source, "schedule", {"cron_expression": str, "attribution_actor": str})
    for name in ("webhook", "schedule"):
        if name in source and name != trigger.provider:
            raise Refusal(400, f"event_source.{name}: not for {trigger.provider}.")
    if "event_name" in body and trigger.provider in _REPOSITORIES:
        raise Refusal(400, f"event_name: not for {trigger.provider}.")
    if "event_preset" in body and trigger.provider not in _REPOSITORIES:
        raise Refusal(400, f"event_preset: not for {trigger.provider}.")
    if body.get("event_preset", _PRESETS[0]) not in _PRESETS:
        raise Refusal(400, f"event_preset: expected one of {', '.join(_PRESETS)}.")
    if len(schedule.get("cron_expression", "* * * * *").split()) != 5:
        raise Refusal(400, "event_source.schedule.cron_expression: expected five fields.")
    actor: str | None = schedule.get("attribution_actor")
    if actor is not None and actor not in ATTRIBUTION_ACTORS:
        raise Refusal(400, f"event_source.schedule.attribution_actor: expected one of {', '.join(ATTRIBUTION_ACTORS)}.")
    if actor is not None:
        trigger.actor = attributed(call.world, actor, call.caller())
    trigger.sender = webhook.get("sender", trigger.sender)
    trigger.cron_expression = schedule.get("cron_expression", trigger.cron_expression)
    trigger.event_preset = body.get("event_preset", trigger.event_preset)
    trigger.event_name = body.get("event_name", trigger.event_name)
    trigger.checkout_ref = body.get("checkout_ref", trigger.checkout_ref)
    trigger.config_ref = body.get("config_ref", trigger.config_ref)
    trigger.disabled = body.get("disabled", trigger.disabled)
    trigger.parameters = body.get("parameters", trigger.parameters)


def _described(project: Project, trigger: Trigger, *, shown: bool = False) -> Json:
    """Describe a trigger, without what does not apply to it; `shown`: with the secret of its address."""
    source: Json = {"provider": trigger.provider}
    if trigger.external_id is not None:
        source["repo"] = repository(project, trigger.external_id)
    if trigger.provider == "webhook":
        secret = trigger.secret if shown else "**REDACTED**"
        source["webhook"] = _without_none(
            url=f"https://internal.circleci.com/private/soc/e/{trigger.id}?secret={secret}", sender=trigger.sender
        )
    if trigger.actor is not None:
        source["schedule"] = {
            "cron_expression": trigger.cron_expression,
            "attribution_actor": {"id": trigger.actor.id},
        }
    return _without_none(
        id=trigger.id,
        event_name=trigger.event_name,
        created_at=timestamp(trigger.created_at),
        event_source=source,
        event_preset=trigger.event_preset,
        checkout_ref=trigger.checkout_ref,
        config_ref=trigger.config_ref,
        disabled=trigger.disabled or None,  # absent of an enabled one
        name=trigger.sender,
        description=trigger.event_name,
        parameters=trigger.parameters,
    )


def _without_none(**fields: object) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
