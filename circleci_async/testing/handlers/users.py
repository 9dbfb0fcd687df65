"""Users."""

from ..server.calls import Call, Json, Refusal
from ..server.routing import Routes
from . import bodies

ROUTES = Routes()


@ROUTES.get("/me", public=False)
def me(call: Call) -> Json:
    """Answer GET /me."""
    return bodies.user(call.caller())


@ROUTES.get("/me/collaborations", public=False)
def collaborations(call: Call) -> list[Json]:
    """Answer GET /me/collaborations."""
    return [bodies.collaboration(organization) for organization in call.world.organizations.values()]


@ROUTES.get("/user/{id}", public=False)
def user(call: Call) -> Json:
    """Answer GET /user/{id}."""
    found = call.world.users.get(call.uuid("id"))
    if found is None:
        raise Refusal(404, "Not found")
    return bodies.user(found)
