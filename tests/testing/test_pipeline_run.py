"""`POST .../pipeline/run`."""

from typing import Any

import pytest

from circleci_async.testing import Project, World

from .caller import Caller
from .clock import Clock

RUN = "/project/gh/acme/api/pipeline/run"
OPAQUE = "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat"
ID = "00000000-0000-4000-8000-000000000000"
DEFINITION: Any = {
    "name": "api",
    "config_source": {"provider": "github_app", "repo": {"external_id": "1"}, "file_path": ".circleci/config.yml"},
    "checkout_source": {"provider": "github_app", "repo": {"external_id": "1"}},
}


@pytest.fixture(autouse=True)
def project(world: World) -> Project:
    return world.project("gh/acme/api")


@pytest.mark.parametrize("slug", ["gh/acme/api", OPAQUE])
async def test_a_pipeline_runs_in_any_project(api: Caller, world: World, clock: Clock, slug: str) -> None:
    if slug not in world.projects:
        world.project(slug)
    made = await api.post(f"/project/{slug}/pipeline/run", status=201)

    assert (made["state"], made["number"]) == ("pending", 1)
    clock.wait(100)
    (workflow,) = (await api.get(f"/pipeline/{made['id']}/workflow"))["items"]
    assert workflow["status"] == "success"


async def test_the_checkout_sets_branch_and_tag(api: Caller, project: Project) -> None:
    body = {"config": {"branch": "main"}, "checkout": {"tag": "v1"}, "parameters": {"n": 1}}
    await api.post(RUN, body, status=201)
    await api.post(RUN, {"config": {"tag": "v1"}, "checkout": {"branch": "fix"}}, status=201)
    await api.post(RUN, {"config": {"tag": "v1"}}, status=201)

    assert [(each.branch, each.tag) for each in project.pipelines.all] == [(None, "v1"), ("fix", None), ("main", None)]
    assert project.pipelines.all[0].parameters == {"n": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"config": "main"},
        {"config": {}},
        {"config": {"branch": "a", "tag": "b"}},
        {"config": {"branch": ""}},
        {"checkout": {"branch": 1}},
        {"checkout": {"tag": None}},
        {"definition_id": 1},
        {"definition_id": "main"},
        {"parameters": {"n": 1.5}},
        {"parameters": []},
    ],
)
async def test_an_invalid_run_creates_no_pipeline(api: Caller, project: Project, body: Any) -> None:
    await api.post(RUN, body, status=400)

    assert project.pipelines.all == []


async def test_a_definition_of_another_project_answers_404(api: Caller, project: Project) -> None:
    await api.post(RUN, {"definition_id": ID}, status=404)
    made = await api.post(f"/projects/{project.id}/pipeline-definitions", DEFINITION, status=200)

    await api.post(RUN, {"definition_id": made["id"]}, status=201)

    assert len(project.pipelines.all) == 1


async def test_one_run_can_be_skipped(api: Caller, project: Project) -> None:
    project.skip_next_run()

    assert await api.post(RUN, status=200) == {"message": "The commit asks to be skipped."}
    assert project.pipelines.all == []
    await api.post(RUN, status=201)


async def test_trigger_is_not_skipped(api: Caller, project: Project) -> None:
    project.skip_next_run("not now")

    await api.post("/project/gh/acme/api/pipeline", status=201)
    assert await api.post(RUN, status=200) == {"message": "not now"}
