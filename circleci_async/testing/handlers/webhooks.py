"""Outbound webhooks."""

from uuid import UUID

from ..server.calls import Call, Json, Refusal
from ..server.objects import inner, words
from ..server.routing import Routes
from ..state.events import EVENTS
from ..state.projects import Project
from ..state.timestamps import timestamp
from ..state.webhooks import MOST, Webhook

ROUTES = Routes()

_BODY = {
    "name": str,
    "events": list,
    "url": str,
    "scope": dict,
    "verify-tls": bool,
    "verify_tls": bool,
    "signing-secret": str,
    "signing_secret": str,
}


@ROUTES.get("/webhook", public=False)
def of_project(call: Call) -> Json:
    """Answer GET /webhook, in one page."""
    call.choice("scope-type", ("project",), "")
    project = _project(call, call.query.get("scope-id", ""), "scope-id")
    return {"items": [_described(webhook) for webhook in project.webhooks.values()], "next_page_token": None}


@ROUTES.post("/webhook", status=201)
def create(call: Call) -> Json:
    """Answer POST /webhook."""
    body = call.body(_BODY, required=("name", "events", "url", "scope"))
    for name in ("verify_tls", "signing_secret"):
        if name not in body and name.replace("_", "-") not in body:
            raise Refusal(400, f"{name.replace('_', '-')}: required.")
    _check(body)
    scope = inner(body, "scope", {"id": str, "type": str}, required=("id", "type"))
    if scope["type"] != "project":
        raise Refusal(400, "scope.type: expected project.")
    project = _project(call, scope["id"], "scope.id")
    if len(project.webhooks) >= MOST:
        raise Refusal(400, f"A project can't have more than {MOST} webhooks.")
    now = call.world.clock()
    webhook = Webhook(
        id=call.world.new_id(),
        project=project,
        name=body["name"],
        url=body["url"],
        events=body["events"],
        # The names with a hyphen are ignored, as all that the API does not know.
        verify_tls=body.get("verify_tls", True),
        signing_secret=body.get("signing_secret", ""),
        created_at=now,
        updated_at=now,
    )
    project.add_webhook(webhook)
    return _described(webhook)


@ROUTES.get("/webhook/{id}", public=False)
def webhook(call: Call) -> Json:
    """Answer GET /webhook/{webhook-id}."""
    return _described(_found(call))


@ROUTES.put("/webhook/{id}")
def update(call: Call) -> Json:
    """Answer PUT /webhook/{webhook-id}; a scope is ignored."""
    webhook = _found(call)
    body = call.body(_BODY)
    _check(body)
    webhook.name = body.get("name", webhook.name)
    webhook.url = body.get("url", webhook.url)
    webhook.events = body.get("events", webhook.events)
    webhook.verify_tls = body.get("verify_tls", webhook.verify_tls)
    webhook.signing_secret = body.get("signing_secret", webhook.signing_secret)
    webhook.updated_at = call.world.clock()
    return _described(webhook)


@ROUTES.delete("/webhook/{id}")
def delete(call: Call) -> Json:
    """Answer DELETE /webhook/{webhook-id}."""
    webhook = _found(call)
    del webhook.project.webhooks[webhook.id]
    return {"message": "Webhook deleted."}


def _found(call: Call) -> Webhook:
    wanted = call.uuid("id")
    for project in call.world.projects.values():
        if wanted in project.webhooks:
            return project.webhooks[wanted]
    raise Refusal(404, "Webhook not found")


def _project(call: Call, id: str, name: str) -> Project:
    try:
        project = call.world.project_by_id(str(UUID(id)))
    except ValueError:
        raise Refusal(400, f"{name}: not a valid UUID.") from None
    if project is None:
        raise Refusal(404, "Project not found")
    return project


def _check(body: Json) -> None:
    if "url" in body and not body["url"].lower().startswith("https://"):
        raise Refusal(400, "url: expected an https address.")
    if "events" in body and not words(body["events"], EVENTS, "events"):
        raise Refusal(400, "events: expected at least one.")


def _described(webhook: Webhook) -> Json:
    return {
        "url": webhook.url,
        "verify_tls": webhook.verify_tls,
        "id": webhook.id,
        "signing_secret": "****" if webhook.signing_secret else "",
        "updated_at": timestamp(webhook.updated_at),
        "name": webhook.name,
        "created_at": timestamp(webhook.created_at),
        "scope": {"id": webhook.project.id, "type": "project"},
        "events": webhook.events,
    }
