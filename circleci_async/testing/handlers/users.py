"""Users."""

from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import HttpError
from ..state.types import Json
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
    user = call.world.users.get(call.uuid("id"))
    if user is None:
        raise HttpError(404, "Not found")
    return bodies.user(user)
