"""Deploys are created by a test and read through the API."""

from datetime import timedelta

import pytest

from circleci_async.testing import Project, World

from .caller import Caller
from .clock import Clock

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
ZEROS = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def project(world: World) -> Project:
    return world.project("gh/acme/api")


async def test_environments_are_listed_and_read(api: Caller, world: World, project: Project) -> None:
    made = world.deploy_environment("gh/acme", "production", description="For all", labels={"team": "api"})
    world.deploy_environment("gh/other", "staging")
    (found,) = (await api.get(f"/deploy/environments?org-id={project.organization.id}&page-size=20"))["items"]
    assert found == await api.get(f"/deploy/environments/{made.id}")
    assert found == {
        "id": made.id,
        "name": "production",
        "description": "For all",
        "labels": [{"key": "team", "value": "api"}],
        "created_at": "2026-05-04T10:00:00.250Z",
        "updated_at": "2026-05-04T10:00:00.250Z",
    }
    await api.get(f"/deploy/environments/{UNKNOWN_ID}", status=404)
    await api.get("/deploy/environments/production", status=400)


async def test_page_size_limits_a_page(api: Caller, world: World, project: Project) -> None:
    for number in range(25):
        world.deploy_environment("gh/acme", f"e-{number}")
    path = f"/deploy/environments?org-id={project.organization.id}"
    assert [len(page) for page in await api.walk(f"{path}&page-size=10")] == [10, 10, 5]
    assert [len(page) for page in await api.walk(f"{path}&page-size=100")] == [20, 5], "the maximum is 20"


@pytest.mark.parametrize("kind", ["environments", "components"])
async def test_a_list_requires_an_organization_and_a_page_size(api: Caller, project: Project, kind: str) -> None:
    id = project.organization.id
    for query in ("", f"org-id={id}", "page-size=20", f"org-id={id}&page-size=0", "org-id=gh&page-size=1"):
        await api.get(f"/deploy/{kind}?{query}", status=400)
    await api.get(f"/deploy/{kind}?org-id={id}&page-size=1&page-token=x", status=400)
    await api.get(f"/deploy/{kind}?org-id={UNKNOWN_ID}&page-size=20", status=404)
    await api.get(f"/deploy/{kind}?org-id={id}&page-size=20", status=401, headers={})


async def test_components_are_filtered_by_project_and_part_of_a_name(
    api: Caller, world: World, project: Project
) -> None:
    web = world.project("gh/acme/web")
    for each, name in ((project, "api"), (project, "api-worker"), (web, "web")):
        each.deploy_component(name)

    async def found(query: str) -> list[str]:
        path = f"/deploy/components?org-id={project.organization.id}&page-size=20{query}"
        return [component["name"] for component in (await api.get(path))["items"]]

    assert await found("") == ["api", "api-worker", "web"]
    assert await found(f"&project-id={project.id}") == ["api", "api-worker"]
    assert await found(f"&project-id={UNKNOWN_ID}") == []
    assert await found("&component-name=work") == ["api-worker"]
    assert await found(f"&component-name=api&project-id={web.id}") == []
    await api.get(f"/deploy/components?org-id={project.organization.id}&page-size=20&project-id=x", status=400)


async def test_the_release_count_is_zero_in_lists(api: Caller, world: World, project: Project, clock: Clock) -> None:
    component = project.deploy_component("api", labels={"tier": "1"})
    production = world.deploy_environment("gh/acme", "production")
    clock.wait(60)
    for name in ("1.0", "1.1", "1.2"):
        component.version(name, production)
    found = await api.get(f"/deploy/components/{component.id}")
    assert found == {
        "id": component.id,
        "project_id": project.id,
        "name": "api",
        "labels": [{"key": "tier", "value": "1"}],
        "release_count": 3,
        "created_at": "2026-05-04T10:00:00.250Z",
        "updated_at": "2026-05-04T10:01:00.250Z",
    }
    listed = await api.get(f"/deploy/components?org-id={project.organization.id}&page-size=20")
    assert listed["items"] == [{**found, "release_count": 0}]
    component.archived_at = clock()
    assert (await api.get(f"/deploy/components/{component.id}"))["archived_at"] == "2026-05-04T10:01:00.250Z"
    await api.get(f"/deploy/components/{UNKNOWN_ID}", status=404)


async def test_versions_are_listed_newest_first_with_one_live_per_environment(
    api: Caller, world: World, project: Project, clock: Clock
) -> None:
    component = project.deploy_component("api")
    production, staging = (world.deploy_environment("gh/acme", name) for name in ("production", "staging"))
    job = project.pipeline().workflow().job("deploy")
    component.version("1.0", production, deployed_at=clock() - timedelta(days=1))
    component.version("1.1", staging, namespace="eu")
    component.version("1.1", production, job=job)
    component.version("1.2", production, is_live=False)
    path = f"/deploy/components/{component.id}/versions"

    found = (await api.get(path))["items"]
    assert [(each["name"], each["environment_id"], each["is_live"]) for each in found] == [
        ("1.2", production.id, False),
        ("1.1", production.id, True),
        ("1.1", staging.id, True),
        ("1.0", production.id, False),
    ]
    known = (job.workflow.pipeline.id, job.workflow.id, job.id, job.number)
    ids = [tuple(each[f"{kind}_id"] for kind in ("pipeline", "workflow", "job")) for each in found]
    assert ids == [(ZEROS,) * 3, known[:3], (ZEROS,) * 3, (ZEROS,) * 3]
    assert [each["job_number"] for each in found] == [0, known[3], 0, 0]
    assert found[3]["last_deployed_at"] == "2026-05-03T10:00:00.250Z"

    (of_staging,) = (await api.get(f"{path}?environment-id={staging.id}"))["items"]
    assert (of_staging["name"], of_staging["namespace"]) == ("1.1", "eu")
    assert (await api.get(f"{path}?environment-id={UNKNOWN_ID}"))["items"] == []
    await api.get(f"{path}?environment-id=x", status=400)
    await api.get(f"/deploy/components/{UNKNOWN_ID}/versions", status=404)


async def test_versions_are_paged(api: Caller, world: World, project: Project) -> None:
    component, production = project.deploy_component("api"), world.deploy_environment("gh/acme", "production")
    for number in range(25):
        component.version(str(number), production)
    pages = await api.walk(f"/deploy/components/{component.id}/versions")
    assert [int(each["name"]) for page in pages for each in page] == list(range(24, -1, -1))
