"""Checkout keys of projects."""

from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import HttpError, found, one_of
from ..state.checkout_keys import CheckoutKey
from ..state.projects import Project
from ..state.timestamps import timestamp
from ..state.types import Json

ROUTES = Routes()


@ROUTES.get("/project/{project}/checkout-key", public=False)
def of_project(call: Call) -> Json:
    """Answer GET /project/{project-slug}/checkout-key."""
    project = call.project()
    digest = call.choice("digest", ("sha256", "md5"), "md5")

    def describe(key: CheckoutKey) -> Json:
        return _describe(project, key, key.sha256 if digest == "sha256" else key.md5)

    return call.page(
        project.checkout_keys, describe, key=lambda each: each.sha256, scope=f"checkout keys {project.id} {digest}"
    )


@ROUTES.post("/project/{project}/checkout-key", status=201)
def create(call: Call) -> Json:
    """Answer POST /project/{project-slug}/checkout-key."""
    project = call.project()
    type = one_of("type", call.body({"type": str}, required=("type",))["type"], ("user-key", "deploy-key"))
    if project.organization.vcs == "circleci":
        raise HttpError(400, "This project has no checkout keys.")
    key = project.checkout_key(type)
    return _describe(project, key, key.md5)


@ROUTES.get("/project/{project}/checkout-key/{fingerprint}", public=False)
def by_fingerprint(call: Call) -> Json:
    """Answer GET /project/{project-slug}/checkout-key/{fingerprint}."""
    return _describe(call.project(), _key(call), call.values["fingerprint"])


@ROUTES.delete("/project/{project}/checkout-key/{fingerprint}")
def delete(call: Call) -> Json:
    """Answer DELETE /project/{project-slug}/checkout-key/{fingerprint}."""
    call.project().checkout_keys.remove(_key(call))
    return {"message": "Checkout key deleted."}


def _key(call: Call) -> CheckoutKey:
    fingerprint = call.values["fingerprint"]
    keys = call.project().checkout_keys
    return found(next((key for key in keys if fingerprint in (key.md5, key.sha256)), None), "Checkout key")


def _describe(project: Project, key: CheckoutKey, fingerprint: str) -> Json:
    return {
        "public_key": key.public_key,
        "type": key.type,
        "fingerprint": fingerprint,
        "preferred": key is project.checkout_keys[-1],
        "created_at": timestamp(key.created_at),
    }
