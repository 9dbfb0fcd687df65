"""Organizations and projects are created and deleted."""

from typing import Any

import pytest

from circleci_async.testing import FakeCircleCI, World

from .caller import Caller
from .clock import Clock

ID = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("vcs_type", "slug"), [("github", "gh/acme corp"), ("bitbucket", "bb/acme corp"), ("circleci", None)]
)
async def test_a_new_organization_can_be_read(api: Caller, vcs_type: str, slug: str | None) -> None:
    made = await api.post("/organization", {"name": "acme corp", "vcs_type": vcs_type}, status=201)

    assert made["slug"] == (slug or made["slug"])
    assert (made["name"], made["vcs_type"]) == ("acme corp", vcs_type)
    assert await api.get(f"/organization/{made['id']}") == made
    assert await api.get(f"/organization/{made['slug'].replace('/', '%2F').replace(' ', '%20')}") == made
    assert [each["slug"] for each in await api.get("/me/collaborations")] == [made["slug"]]


async def test_circleci_organizations_and_their_projects_have_opaque_slugs(api: Caller) -> None:
    made = await api.post("/organization", {"name": "acme", "vcs_type": "circleci"}, status=201)
    project = await api.post(f"/organization/{made['id']}/project", {"name": "my api"}, status=200)

    kind, organization, name = project["slug"].split("/")
    assert (f"{kind}/{organization}", len(organization), len(name)) == (made["slug"], 22, 22)
    assert (project["name"], project["organization_name"]) == ("my api", "acme")
    assert await api.get(f"/project/{project['slug']}") == project


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"name": "acme"},
        {"vcs_type": "github"},
        {"name": "acme", "vcs_type": "gh"},
        {"name": 1, "vcs_type": "github"},
        {"name": "", "vcs_type": "github"},
        {"name": "a/b", "vcs_type": "github"},
        {"name": "..", "vcs_type": "bitbucket"},
        {"name": "taken", "vcs_type": "github"},
    ],
)
async def test_an_invalid_organization_is_not_created(api: Caller, world: World, body: Any) -> None:
    world.organization("gh/taken")

    await api.post("/organization", body, status=400)

    assert list(world.organizations) == ["gh/taken"]


@pytest.mark.parametrize("place", ["gh/acme", "gh%2Fnone", f"{ID}", "gh%2Facme%2Fapi"])
async def test_an_organization_is_found_by_id_or_by_slug_in_one_segment(api: Caller, world: World, place: str) -> None:
    world.organization("gh/acme")

    await api.get(f"/organization/{place}", status=404)
    await api.delete(f"/organization/{place}", status=404)
    await api.get(f"/organization/{place}/url-orb-allow-list", status=404)


async def test_an_invalid_id_answers_400(api: Caller) -> None:
    await api.get("/organization/acme", status=400)


async def test_deleting_an_organization_deletes_its_projects_and_builds(
    api: Caller, world: World, clock: Clock
) -> None:
    acme = world.organization("gh/acme")
    world.project("gh/other/web").pipeline()
    job = world.project("gh/acme/api").pipeline().workflow().job("test")
    artifact = job.artifact("a.txt", b"a")
    world.project("gh/acme/web").pipeline(setup=True)

    assert await api.delete("/organization/gh%2Facme", status=202) == {"message": "Accepted."}

    assert list(world.projects) == ["gh/other/web"]
    assert world.organization_pipelines[acme.id].all == []
    assert world.continuations == {}
    assert (world.workflows, world.jobs) == ({}, {})
    await api.get(f"/organization/{acme.id}", status=404)
    await api.get("/project/gh/acme/api", status=404)
    await api.get("/pipeline?org-slug=gh%2Facme", status=404)
    assert [each["project_slug"] for each in (await api.get("/pipeline?mine=true"))["items"]] == ["gh/other/web"]
    host = f"http://{api.fake.artifact_host}"
    assert (await api.fetch(f"{host}{artifact.location}", Circle_Token=api.fake.token))[0] == 404


async def test_a_deleted_project_can_be_created_again(api: Caller, world: World, clock: Clock) -> None:
    project = world.project("gh/acme/api")
    pipeline = project.pipeline(branch="fix")
    world.project("gh/acme/web").pipeline(branch="fix")
    rerun = pipeline.workflow("build", status="failed")
    job = rerun.job("test", status="failed")
    await api.post(f"/workflow/{rerun.id}/rerun", {"from_failed": True}, status=202)
    await api.post("/project/gh/acme/api/pipeline", {"branch": "fix"}, status=201)

    await api.delete("/project/gh%2Facme%2Fapi")

    await api.delete("/project/gh/acme/api", status=404)
    await api.get("/project/gh/acme/api/pipeline", status=404)
    for path in (f"/pipeline/{pipeline.id}", f"/workflow/{rerun.id}"):
        await api.get(path, status=404)
    await api.post(f"/jobs/{job.id}/cancel", status=404)
    assert [each["project_slug"] for each in (await api.get("/pipeline?org-slug=gh/acme"))["items"]] == ["gh/acme/web"]
    clock.wait(100)
    assert api.fake.world.workflows == {}, "the triggered pipeline creates no workflow"

    again = await api.post("/organization/gh%2Facme/project", {"name": "api"}, status=200)
    assert again["slug"] == "gh/acme/api"
    assert again["id"] != project.id
    assert (await api.get("/project/gh/acme/api/pipeline"))["items"] == []


async def test_a_project_that_is_created_again_inherits_nothing(api: Caller, world: World, clock: Clock) -> None:
    workflow = world.project("gh/acme/api").pipeline().workflow(status="failed")
    workflow.job("second", requires=[workflow.job("first", status="failed")], status="blocked")
    await api.post(f"/workflow/{workflow.id}/rerun", status=202)
    await api.delete("/project/gh/acme/api")
    new = world.project("gh/acme/api")
    webhook = new.webhook("http://localhost:1/hook")

    clock.wait(100)

    assert (api.fake.world.jobs, new.jobs) == ({}, {}), "the second job receives its number after the deletion"
    assert not webhook.waiting
    assert not webhook.deliveries


@pytest.mark.parametrize("body", [None, {"name": 1}, {"name": ""}, {"name": "a/b"}, {"name": "taken"}])
async def test_an_invalid_project_is_not_created(api: Caller, world: World, body: Any) -> None:
    world.project("gh/acme/taken")

    await api.post("/organization/gh%2Facme/project", body, status=400)

    assert list(world.projects) == ["gh/acme/taken"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/organization"),
        ("GET", f"/organization/{ID}"),
        ("DELETE", f"/organization/{ID}"),
        ("POST", f"/organization/{ID}/project"),
        ("DELETE", "/project/gh/acme/api"),
        ("GET", f"/organizations/{ID}/groups"),
        ("GET", f"/organizations/{ID}/groups/{ID}"),
        ("GET", f"/organization/{ID}/url-orb-allow-list"),
        ("GET", f"/org/{ID}/oidc-custom-claims"),
        ("GET", f"/org/{ID}/project/{ID}/oidc-custom-claims"),
        ("GET", f"/otel/exporters?org-id={ID}"),
        ("DELETE", f"/otel/exporters/{ID}"),
        ("GET", "/project/gh/acme/api/settings"),
        ("PATCH", "/project/gh/acme/api/settings"),
        ("POST", "/project/gh/acme/api"),
        ("POST", "/project/gh/acme/api/pipeline/run"),
        ("POST", f"/projects/{ID}/rollback"),
    ],
)
async def test_all_operations_require_a_token(api: Caller, world: World, method: str, path: str) -> None:
    world.project("gh/acme/api", public=True)

    await api.send(method, path, status=401, headers={})


async def test_organizations_do_not_share_records(fake: FakeCircleCI, api: Caller, world: World) -> None:
    acme, other = world.organization("gh/acme"), world.organization("gh/other")

    group = await api.post(f"/organizations/{acme.id}/groups", {"name": "api"}, status=201)
    entry = {"name": "orbs", "prefix": "https://orbs/", "auth": "none"}
    added = await api.post("/organization/gh%2Facme/url-orb-allow-list", entry, status=200)

    await api.get(f"/organizations/{other.id}/groups/{group['id']}", status=404)
    await api.delete(f"/organization/gh%2Fother/url-orb-allow-list/{added['id']}", status=404)
    assert fake.world.organizations["gh/other"].groups == {}
