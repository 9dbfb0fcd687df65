"""Environment variables of projects."""

from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import HttpError, found
from ..state.environment_variables import NAME, EnvironmentVariable, ending
from ..state.timestamps import timestamp
from ..state.types import Json

ROUTES = Routes()


@ROUTES.get("/project/{project}/envvar", public=False)
def of_project(call: Call) -> Json:
    """Answer GET /project/{project-slug}/envvar."""
    project = call.project()
    variables = list(project.environment_variables.values())
    return call.page(variables, _describe, key=lambda each: each.name, scope=f"variables {project.id}")


@ROUTES.post("/project/{project}/envvar", status=201)
def create(call: Call) -> Json:
    """Answer POST /project/{project-slug}/envvar."""
    project = call.project()
    body = call.body({"name": str, "value": str}, required=("name", "value"))
    if not NAME.fullmatch(body["name"]):
        raise HttpError(400, "name: expected letters, digits and underscores, and no digit at the beginning.")
    return _describe(project.environment_variable(body["name"], body["value"]))


@ROUTES.get("/project/{project}/envvar/{name}", public=False)
def by_name(call: Call) -> Json:
    """Answer GET /project/{project-slug}/envvar/{name}."""
    return _describe(_variable(call))


@ROUTES.delete("/project/{project}/envvar/{name}")
def delete(call: Call) -> Json:
    """Answer DELETE /project/{project-slug}/envvar/{name}."""
    variable = _variable(call)
    del call.project().environment_variables[variable.name]
    return {"message": "Environment variable deleted."}


def _variable(call: Call) -> EnvironmentVariable:
    return found(call.project().environment_variables.get(call.values["name"]), "Environment variable")


def _describe(variable: EnvironmentVariable) -> Json:
    return {
        "name": variable.name,
        "value": f"xxxx{ending(variable.value)}",
        "created_at": timestamp(variable.created_at),
    }
