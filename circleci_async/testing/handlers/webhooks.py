"""Outbound webhooks."""

from ..server.calls import Call, HttpError, assign, find, nested, one_of, words
from ..server.routing import Routes
from ..state.registry import Json, timestamp
from ..state.webhooks import EVENTS, MAX_WEBHOOKS, Webhook

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
    project = call.project_with_id("scope-id", call.query.get("scope-id"))
    return {"items": [_described(webhook) for webhook in project.webhooks.values()], "next_page_token": None}


@ROUTES.post("/webhook", status=201)
def create(call: Call) -> Json:
    body = call.body(_BODY, required=("name", "events", "url", "scope"))
    for name in ("verify_tls", "signing_secret"):
        if name not in body and name.replace("_", "-") not in body:
            raise HttpError(400, f"{name.replace('_', '-')}: required.")
    _check(body)
    scope = nested(body, "scope", {"id": str, "type": str}, required=("id", "type"))
    one_of("scope.type", scope["type"], ("project",))
    project = call.project_with_id("scope.id", scope["id"])
    if len(project.webhooks) >= MAX_WEBHOOKS:
        raise HttpError(400, f"A project cannot have more than {MAX_WEBHOOKS} webhooks.")
    now = call.world.clock()
    webhook = Webhook(
        world=call.world,
        project_id=project.id,
        id=call.world.new_id(),
        name=body["name"],
        url=body["url"],
        events=body["events"],
        # Names with a hyphen are ignored, as all unknown fields.
        verify_tls=body.get("verify_tls", True),
        signing_secret=body.get("signing_secret", ""),
        created_at=now,
        updated_at=now,
    )
    project.add_webhook(webhook)
    return _described(webhook)


@ROUTES.get("/webhook/{id}", public=False)
def webhook(call: Call) -> Json:
    return _described(_find(call))


@ROUTES.put("/webhook/{id}")
def update(call: Call) -> Json:
    """Answer PUT /webhook/{webhook-id}; a scope is ignored."""
    webhook = _find(call)
    body = call.body(_BODY)
    _check(body)
    assign(webhook, body, ("name", "url", "events", "verify_tls", "signing_secret"))
    webhook.updated_at = call.world.clock()
    return _described(webhook)


@ROUTES.delete("/webhook/{id}")
def delete(call: Call) -> Json:
    webhook = _find(call)
    del call.project_with_id("id", webhook.project_id).webhooks[webhook.id]
    return {"message": "Webhook deleted."}


def _find(call: Call) -> Webhook:
    return find((project.webhooks for project in call.world.projects.values()), call.uuid("id"), "Webhook")


def _check(body: Json) -> None:
    if "url" in body and not body["url"].lower().startswith("https://"):
        raise HttpError(400, "url: expected an https URL.")
    if "events" in body and not words(body["events"], EVENTS, "events"):
        raise HttpError(400, "events: expected at least one.")


def _described(webhook: Webhook) -> Json:
    return {
        "url": webhook.url,
        "verify_tls": webhook.verify_tls,
        "id": webhook.id,
        "signing_secret": "****" if webhook.signing_secret else "",
        "updated_at": timestamp(webhook.updated_at),
        "name": webhook.name,
        "created_at": timestamp(webhook.created_at),
        "scope": {"id": webhook.project_id, "type": "project"},
        "events": webhook.events,
    }
