"""Settings, set-up and rollback of a project."""

from typing import Any

import pytest

from circleci_async.testing import Project, World

from .caller import Caller
from .clock import Clock

PATH = "/project/gh/acme/api/settings"
OPAQUE = "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat"
ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def project(world: World) -> Project:
    return world.project("gh/acme/api", default_branch="trunk")


async def test_settings_have_defaults_and_can_be_changed(api: Caller, world: World) -> None:
    world.project("gh/acme/web")
    before = await api.get(PATH)
    changes: Any = {"build_prs_only": True, "pr_only_branch_overrides": ["trunk", "release"]}

    assert before["advanced"] == {
        "autocancel_builds": True,
        "build_fork_prs": False,
        "build_prs_only": False,
        "disable_ssh": False,
        "forks_receive_secret_env_vars": False,
        "oss": False,
        "set_github_status": True,
        "setup_workflows": True,
        "write_settings_requires_admin": True,
        "pr_only_branch_overrides": ["trunk"],
    }
    after = await api.patch(PATH, {"advanced": changes})
    assert after == {"advanced": {**before["advanced"], **changes}}
    assert await api.get(PATH) == after
    assert await api.patch(PATH, {"advanced": {}}) == after
    assert not (await api.get("/project/gh/acme/web/settings"))["advanced"]["build_prs_only"]


@pytest.mark.parametrize("name", ["oss", "nonsense"])
async def test_a_read_only_field_answers_400_and_is_named(api: Caller, name: str) -> None:
    changes = {"disable_ssh": True, name: True}

    assert await api.patch(PATH, {"advanced": changes}, status=400) == {"message": f"Unexpected field advanced.{name}"}
    assert not (await api.get(PATH))["advanced"]["disable_ssh"]


@pytest.mark.parametrize(
    "advanced",
    [
        [],
        {"disable_ssh": "true"},
        {"disable_ssh": None},
        {"disable_ssh": []},
        {"pr_only_branch_overrides": "main"},
        {"pr_only_branch_overrides": True},
        {"pr_only_branch_overrides": [1]},
    ],
)
async def test_settings_of_another_type_answer_400(api: Caller, advanced: Any) -> None:
    before = await api.get(PATH)

    await api.patch(PATH, {"advanced": advanced}, status=400)

    assert await api.get(PATH) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/project/gh%2Facme%2Fapi/settings"),
        ("PATCH", "/project/gh%2facme%2fapi/settings"),
        ("POST", "/project/gh%2Facme%2Fapi"),
        ("POST", "/project/gh%2Facme%2Fapi/pipeline/run"),
        ("GET", "/project/gh/acme/none/settings"),
        ("PATCH", "/project/gh/acme/none/settings"),
        ("POST", "/project/gh/none/api"),
        ("POST", "/project/svn/acme/api"),
    ],
)
async def test_a_slug_in_one_segment_answers_404(api: Caller, method: str, path: str) -> None:
    await api.send(method, path, status=404)


async def test_a_repository_becomes_a_project_once(api: Caller, world: World) -> None:
    made = await api.post("/project/gh/acme/web", status=201)

    assert made == await api.get("/project/gh/acme/web/settings")
    project = world.projects["gh/acme/web"]
    await api.patch("/project/gh/acme/web/settings", {"advanced": {"disable_ssh": True}})
    assert (await api.post("/project/github/acme/web", status=201))["advanced"]["disable_ssh"]
    assert world.projects["gh/acme/web"] is project


async def test_a_circleci_project_cannot_be_set_up(api: Caller, world: World) -> None:
    world.project(OPAQUE)

    await api.post(f"/project/{OPAQUE}", status=400)


async def test_a_rollback_triggers_a_pipeline(api: Caller, project: Project, world: World, clock: Clock) -> None:
    project.deploy_component("api").version("1.2.0", world.deploy_environment("gh/acme", "production"))
    body = {
        "component_name": "api",
        "environment_name": "production",
        "current_version": "1.2.0",
        "target_version": "1.1.0",
        "parameters": {"reason": "slow"},
        "namespace": "default",
        "reason": "slow",
    }
    done = await api.post(f"/projects/{project.id}/rollback", body, status=202)

    assert done["rollback_type"] == "PIPELINE"
    clock.wait(100)
    assert (await api.get(f"/pipeline/{done['id']}"))["state"] == "created"
    assert project.pipelines.all[0].parameters == {"reason": "slow"}


@pytest.mark.parametrize("missing", ["component_name", "environment_name", "current_version", "target_version"])
@pytest.mark.parametrize("value", [None, "", 1])
async def test_an_incomplete_rollback_answers_400(api: Caller, project: Project, missing: str, value: Any) -> None:
    body: dict[str, Any] = {
        "component_name": "a",
        "environment_name": "b",
        "current_version": "2",
        "target_version": "1",
    }

    await api.post(f"/projects/{project.id}/rollback", {**body, missing: value}, status=400)
    del body[missing]
    await api.post(f"/projects/{project.id}/rollback", body, status=400)

    assert project.pipelines.all == []


async def test_a_rollback_of_a_missing_component_environment_or_project_answers_404(
    api: Caller, project: Project
) -> None:
    body = {"component_name": "a", "environment_name": "b", "current_version": "2", "target_version": "1"}
    answer = await api.post(f"/projects/{project.id}/rollback", body, status=404)
    assert answer == {"message": "Component not found"}
    project.deploy_component("a")
    answer = await api.post(f"/projects/{project.id}/rollback", body, status=404)
    assert answer == {"message": "Environment not found"}
    await api.post(f"/projects/{ID}/rollback", {}, status=404)
    await api.post("/projects/gh%2Facme%2Fapi/rollback", {}, status=400)
