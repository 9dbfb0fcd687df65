"""Deploys: environments, components and their versions."""

from collections.abc import Mapping
from uuid import UUID

from ..server.calls import Call, Json, Refusal
from ..server.routing import Routes
from ..state.accounts import Organization
from ..state.deploys import DeployComponent, DeployEnvironment, DeployVersion
from ..state.timestamps import timestamp

ROUTES = Routes()

_NOBODY = str(UUID(int=0))


@ROUTES.get("/deploy/environments", public=False)
def environments(call: Call) -> Json:
    """Answer GET /deploy/environments."""
    organization, size = _organization(call), _size(call)
    found = list(organization.deploy_environments.values())
    return call.page(found, _environment, scope=f"environments {organization.id}", size=size)


@ROUTES.get("/deploy/environments/{environment}", public=False)
def environment(call: Call) -> Json:
    """Answer GET /deploy/environments/{environment_id}."""
    wanted = call.uuid("environment")
    for organization in call.world.organizations.values():
        if wanted in organization.deploy_environments:
            return _environment(organization.deploy_environments[wanted])
    raise Refusal(404, "Environment not found")


@ROUTES.get("/deploy/components", public=False)
def components(call: Call) -> Json:
    """Answer GET /deploy/components."""
    organization, size = _organization(call), _size(call)
    project_id, name = _id(call, "project-id"), call.query.get("component-name", "")
    found = [
        component
        for project in organization.projects.values()
        if project_id in (None, project.id)
        for component in project.deploy_components.values()
        if name in component.name
    ]
    scope = f"components {organization.id} {project_id} {name!r}"
    return call.page(found, lambda each: {**_component(each), "release_count": 0}, scope=scope, size=size)


@ROUTES.get("/deploy/components/{component}", public=False)
def component(call: Call) -> Json:
    """Answer GET /deploy/components/{component_id}."""
    return _component(_found(call))


@ROUTES.get("/deploy/components/{component}/versions", public=False)
def versions(call: Call) -> Json:
    """Answer GET /deploy/components/{component_id}/versions, newest first."""
    component = _found(call)
    environment_id = _id(call, "environment-id")
    found = [each for each in component.versions if environment_id in (None, each.environment.id)]
    return call.page(found, _version, scope=f"versions {component.id} {environment_id}", newest_first=True)


def _organization(call: Call) -> Organization:
    id = _id(call, "org-id")
    if id is None:
        raise Refusal(400, "org-id: required.")
    organization = call.world.organization_by_id(id)
    if organization is None:
        raise Refusal(404, "Organization not found")
    return organization


def _id(call: Call, name: str) -> str | None:
    value = call.query.get(name)
    try:
        return None if value is None else str(UUID(value))
    except ValueError:
        raise Refusal(400, f"{name}: not a valid UUID.") from None


def _size(call: Call) -> int:
    value = call.query.get("page-size", "")
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise Refusal(400, "page-size: expected a number from 1.")
    return int(value)


def _found(call: Call) -> DeployComponent:
    wanted = call.values["component"].lower()
    for project in call.world.projects.values():
        if wanted in project.deploy_components:
            return project.deploy_components[wanted]
    raise Refusal(404, "Component not found")


def _labels(labels: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in labels.items()]


def _environment(environment: DeployEnvironment) -> Json:
    return {
        "id": environment.id,
        "name": environment.name,
        "description": environment.description,
        "labels": _labels(environment.labels),
        "created_at": timestamp(environment.created_at),
        "updated_at": timestamp(environment.updated_at),
    }


def _component(component: DeployComponent) -> Json:
    archived = {"archived_at": timestamp(component.archived_at)} if component.archived_at else {}
    return {
        "id": component.id,
        "project_id": component.project.id,
        "name": component.name,
        "labels": _labels(component.labels),
        "release_count": len(component.versions),
        "created_at": timestamp(component.created_at),
        "updated_at": timestamp(component.updated_at),
        **archived,
    }


def _version(version: DeployVersion) -> Json:
    job = version.job
    return {
        "name": version.name,
        "namespace": version.namespace,
        "environment_id": version.environment.id,
        "is_live": version.is_live,
        "pipeline_id": job.workflow.pipeline.id if job else _NOBODY,
        "workflow_id": job.workflow.id if job else _NOBODY,
        "job_id": job.id if job else _NOBODY,
        "job_number": (job.number if job else None) or 0,
        "last_deployed_at": timestamp(version.deployed_at),
    }
