"""Deploys: environments, components and their versions."""

from collections.abc import Mapping
from uuid import UUID

from ..server.calls import ID, Call, find, parse_number, without_none
from ..server.routing import Routes
from ..state.organizations import DeployEnvironment, Organization
from ..state.project_records import DeployComponent, DeployVersion
from ..state.registry import Json, timestamp

ROUTES = Routes()

_UNKNOWN_ID = str(UUID(int=0))


@ROUTES.get("/deploy/environments", public=False)
def environments(call: Call) -> Json:
    organization, size = _organization(call), _size(call)
    items = list(organization.deploy_environments.values())
    return call.page(items, _environment, key=ID, scope=f"environments {organization.id}", size=size)


@ROUTES.get("/deploy/environments/{environment}", public=False)
def environment(call: Call) -> Json:
    environments = (each.deploy_environments for each in call.world.organizations.values())
    return _environment(find(environments, call.uuid("environment"), "Environment"))


@ROUTES.get("/deploy/components", public=False)
def components(call: Call) -> Json:
    organization, size = _organization(call), _size(call)
    project_id, name = call.query_uuid("project-id"), call.query.get("component-name", "")
    items = [
        component
        for project in call.world.projects_of(organization)
        if project_id in (None, project.id)
        for component in project.deploy_components.values()
        if name in component.name
    ]
    scope = f"components {organization.id} {project_id} {name!r}"
    return call.page(items, lambda each: {**_component(each), "release_count": 0}, key=ID, scope=scope, size=size)


@ROUTES.get("/deploy/components/{component}", public=False)
def component(call: Call) -> Json:
    return _component(_find_component(call))


@ROUTES.get("/deploy/components/{component}/versions", public=False)
def versions(call: Call) -> Json:
    """Answer GET /deploy/components/{component_id}/versions, newest first."""
    component, environment_id = _find_component(call), call.query_uuid("environment-id")
    items = [each for each in component.versions if environment_id in (None, each.environment.id)]
    scope = f"versions {component.id} {environment_id}"
    return call.page(items, _version, key=lambda each: (each.name, each.deployed_at), scope=scope, newest_first=True)


def _organization(call: Call) -> Organization:
    return call.organization_with_id("org-id", call.query.get("org-id"))


def _size(call: Call) -> int:
    return parse_number("page-size", call.query.get("page-size", ""), minimum=1)


def _find_component(call: Call) -> DeployComponent:
    components = (project.deploy_components for project in call.world.projects.values())
    return find(components, call.values["component"].lower(), "Component")


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
    return without_none(
        id=component.id,
        project_id=component.project.id,
        name=component.name,
        labels=_labels(component.labels),
        release_count=len(component.versions),
        created_at=timestamp(component.created_at),
        updated_at=timestamp(component.updated_at),
        archived_at=timestamp(component.archived_at),
    )


def _version(version: DeployVersion) -> Json:
    job = version.job
    return {
        "name": version.name,
        "namespace": version.namespace,
        "environment_id": version.environment.id,
        "is_live": version.is_live,
        "pipeline_id": job.workflow.pipeline.id if job else _UNKNOWN_ID,
        "workflow_id": job.workflow.id if job else _UNKNOWN_ID,
        "job_id": job.id if job else _UNKNOWN_ID,
        "job_number": (job.number if job else None) or 0,
        "last_deployed_at": timestamp(version.deployed_at),
    }
