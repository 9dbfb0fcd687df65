"""Projects."""

from .. import bodies
from ..calls import Call, Json
from ..routing import Routes

ROUTES = Routes()


@ROUTES.get("/project/{project}")
def project(call: Call) -> Json:
    """Answer GET /project/{project-slug}."""
    return bodies.project(call.project())
