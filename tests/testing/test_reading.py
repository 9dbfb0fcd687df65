"""The API returns the records of the world."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from circleci_async.testing import World

from .caller import Caller


async def test_the_token_belongs_to_the_user_of_the_world(api: Caller, world: World) -> None:
    me = await api.get("/me")

    assert (me["id"], me["login"], me["name"]) == (world.me.id, "octo-dev", "Octo Dev")


async def test_a_user_is_found_by_id(api: Caller, world: World) -> None:
    bot = world.user("release-bot")

    assert await api.get(f"/user/{bot.id}") == {
        "id": bot.id,
        "login": "release-bot",
        "name": None,
        "avatar_url": "https://avatars.githubusercontent.com/release-bot",
    }
    await api.get("/user/00000000-0000-4000-8000-000000000000", status=404)


async def test_collaborations_are_the_organizations(api: Caller, world: World) -> None:
    world.project("gh/acme/api")
    world.project("bb/other/web")

    found = await api.get("/me/collaborations")

    assert [(each["slug"], each["vcs_type"]) for each in found] == [("gh/acme", "github"), ("bb/other", "bitbucket")]


@pytest.mark.parametrize(
    "path",
    ["gh/acme/api", "github/acme/api", "gh%2Facme%2Fapi", "github%2Facme%2Fapi", "gh/ac%6De/api"],
)
async def test_a_project_is_found_by_each_form_of_its_slug(api: Caller, world: World, path: str) -> None:
    project = world.project("github/acme/api", default_branch="trunk")

    found = await api.get(f"/project/{path}")

    assert (found["id"], found["slug"]) == (project.id, "gh/acme/api")
    assert found["vcs_info"] == {
        "vcs_url": "https://github.com/acme/api",
        "provider": "GitHub",
        "default_branch": "trunk",
    }


async def test_a_project_named_like_an_operation_is_found(api: Caller, world: World) -> None:
    for name in ("artifacts", "pipeline", "mine"):
        project = world.project(f"gh/acme/{name}")
        project.pipeline()
        assert (await api.get(f"/project/gh/acme/{name}"))["name"] == name
        assert len((await api.get(f"/project/gh/acme/{name}/pipeline/mine"))["items"]) == 1


@pytest.mark.parametrize("name", ["a b", "ünï", "100%", "a+b", "a?b#c"])
async def test_escaped_names_are_decoded(api: Caller, world: World, name: str) -> None:
    project = world.project(f"gh/acme/{name}")

    assert (await api.get(f"/project/gh/acme/{quote(name, safe='')}"))["id"] == project.id
    assert (await api.get(f"/project/gh%2Facme%2F{quote(name, safe='')}"))["id"] == project.id


async def test_a_github_app_project_has_ids_in_its_slug(api: Caller, world: World) -> None:
    slug = "circleci/GM1mbrQEWnNbzLKEnotDo4/5gh9pgQgohHwicwomY5nYQ"
    pipeline = world.project(slug, name="api").pipeline(branch="main")

    found = await api.get(f"/project/{slug}")
    listed = (await api.get(f"/project/{slug}/pipeline"))["items"]

    assert (found["slug"], found["name"], found["vcs_info"]["provider"]) == (slug, "api", "CircleCI")
    assert "vcs" not in listed[0]
    assert listed[0]["trigger_parameters"] == {"git": {"branch": "main", "checkout_sha": pipeline.revision}}


async def test_a_pipeline_is_the_same_by_list_id_and_number(api: Caller, world: World) -> None:
    project = world.project("gh/acme/api")
    at = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    pipeline = project.pipeline(branch="fix", created_at=at, subject="Fix it", revision="ab" * 20)

    (listed,) = (await api.get("/project/gh/acme/api/pipeline"))["items"]

    assert listed == await api.get(f"/pipeline/{pipeline.id}") == await api.get("/project/gh/acme/api/pipeline/1")
    assert listed["created_at"] == "2026-01-02T03:04:05.678Z"
    assert listed["vcs"]["branch"] == "fix"
    assert listed["vcs"]["revision"] == "ab" * 20
    assert listed["vcs"]["commit"]["subject"] == "Fix it"
    assert listed["trigger"]["actor"]["login"] == "octo-dev"


async def test_a_pipeline_of_a_tag_has_no_branch(api: Caller, world: World) -> None:
    pipeline = world.project("gh/acme/api").pipeline(tag="v1.0")

    vcs = (await api.get(f"/pipeline/{pipeline.id}"))["vcs"]
    values = await api.get(f"/pipeline/{pipeline.id}/values")

    assert vcs["tag"] == values["pipeline.git.tag"] == "v1.0"
    assert "branch" not in vcs
    assert "pipeline.git.branch" not in values


async def test_an_errored_pipeline_has_its_errors(api: Caller, world: World) -> None:
    pipeline = world.project("gh/acme/api").pipeline(errors=[("config", "No such job.")])

    found = await api.get(f"/pipeline/{pipeline.id}")

    assert (found["state"], found["errors"]) == ("errored", [{"type": "config", "message": "No such job."}])


async def test_pipelines_are_listed_newest_first_by_branch_and_by_actor(api: Caller, world: World) -> None:
    project, other = world.project("gh/acme/api"), world.project("gh/acme/web")
    bot = world.user("bot")
    project.pipeline(branch="main")
    project.pipeline(branch="fix", actor=bot)
    project.pipeline(branch="main", actor=bot)
    other.pipeline(branch="main")
    world.project("gh/else/web").pipeline()

    async def numbers(path: str) -> list[tuple[str, int]]:
        return [(each["project_slug"][-3:], each["number"]) for each in (await api.get(path))["items"]]

    assert await numbers("/project/gh/acme/api/pipeline") == [("api", 3), ("api", 2), ("api", 1)]
    assert await numbers("/project/gh/acme/api/pipeline?branch=main") == [("api", 3), ("api", 1)]
    assert await numbers("/project/gh/acme/api/pipeline?branch=none") == []
    assert await numbers("/project/gh/acme/api/pipeline/mine") == [("api", 1)]
    assert await numbers("/pipeline?org-slug=gh/acme") == [("web", 1), ("api", 3), ("api", 2), ("api", 1)]
    assert await numbers("/pipeline?org-slug=github%2Facme&mine=true") == [("web", 1), ("api", 1)]
    assert len(await numbers("/pipeline")) == 5
    await api.get("/pipeline?org-slug=gh/none", status=404)
    await api.get("/pipeline?org-slug=acme", status=404)


async def test_config_and_values_belong_to_the_pipeline(api: Caller, world: World) -> None:
    pipeline = world.project("gh/acme/api").pipeline(config="version: 2.1\n", parameters={"n": 1, "deploy": True})

    config = await api.get(f"/pipeline/{pipeline.id}/config")
    values = await api.get(f"/pipeline/{pipeline.id}/values")

    assert config["source"] == "version: 2.1\n"
    assert "setup_config" not in config
    assert values["pipeline.id"] == pipeline.id
    assert (values["pipeline.parameters.n"], values["pipeline.parameters.deploy"]) == (1, True)


async def test_workflows_and_jobs_have_their_times(api: Caller, world: World) -> None:
    project = world.project("gh/acme/api")
    at = datetime(2026, 5, 1, tzinfo=UTC)
    workflow = project.pipeline(created_at=at).workflow("build", status="failed")
    lint = workflow.job("lint", duration=12.5)
    test = workflow.job("test", status="failed", duration=2, requires=[lint], parallelism=3, contexts=["aws"])
    blocked = workflow.job("deploy", status="blocked", requires=[test])

    (listed,) = (await api.get(f"/pipeline/{workflow.pipeline.id}/workflow"))["items"]
    jobs = (await api.get(f"/workflow/{workflow.id}/job"))["items"]
    details = await api.get(f"/project/gh/acme/api/job/{test.number}")

    assert listed == await api.get(f"/workflow/{workflow.id}")
    assert (listed["status"], listed["stopped_at"]) == ("failed", "2026-05-01T00:00:14.500Z")
    assert [job["dependencies"] for job in jobs] == [[], [lint.id], [test.id]]
    assert (jobs[1]["started_at"], jobs[1]["stopped_at"]) == ("2026-05-01T00:00:12.500Z", "2026-05-01T00:00:14.500Z")
    assert (jobs[2]["started_at"], "job_number" in jobs[2], blocked.number) == (None, False, None)
    assert (details["duration"], details["status"], details["parallelism"]) == (2000, "failed", 3)
    assert [run["index"] for run in details["parallel_runs"]] == [0, 1, 2]
    assert details["contexts"] == [{"name": "aws"}]
    assert details["executor"] == {"type": "docker", "resource_class": "medium"}


async def test_a_queued_job_has_neither_start_nor_executor(api: Caller, world: World) -> None:
    workflow = world.project("gh/acme/api").pipeline().workflow(status="running")
    job = workflow.job("test", status="queued")

    details = await api.get(f"/project/gh/acme/api/job/{job.number}")

    assert [details[key] for key in ("started_at", "executor", "duration", "stopped_at")] == [None] * 4
    assert (await api.get(f"/workflow/{workflow.id}"))["stopped_at"] is None


async def test_an_approval_has_no_number_but_a_request_id(api: Caller, world: World) -> None:
    workflow = world.project("gh/acme/api").pipeline().workflow(status="on_hold")
    hold = workflow.job("hold", approval=True)

    (listed,) = (await api.get(f"/workflow/{workflow.id}/job"))["items"]

    assert (listed["status"], listed["type"]) == ("on_hold", "approval")
    assert listed["approval_request_id"] == hold.id
    assert "job_number" not in listed


async def test_optional_workflow_fields(api: Caller, world: World) -> None:
    workflow = world.project("gh/acme/api").pipeline(setup=True).workflow("setup", status="error", tag="setup")
    workflow.errored_by = world.me

    found = await api.get(f"/workflow/{workflow.id}")

    assert (found["tag"], found["errored_by"]) == ("setup", world.me.id)


async def test_tests_are_listed_as_they_were_recorded(api: Caller, world: World) -> None:
    job = world.project("gh/acme/api").pipeline().workflow().job("test")
    job.test("test_login", result="failure", run_time=0.2, classname="tests.test_auth", message="401")
    job.test("test_logout", file="tests/test_auth.py")

    first, second = (await api.get(f"/project/gh/acme/api/{job.number}/tests"))["items"]

    assert first == {
        "message": "401",
        "source": "pytest",
        "run_time": 0.2,
        "file": None,
        "result": "failure",
        "name": "test_login",
        "classname": "tests.test_auth",
    }
    assert (second["result"], second["message"], second["file"]) == ("success", "", "tests/test_auth.py")


async def test_steps_are_kept_with_their_output(world: World) -> None:
    job = world.project("gh/acme/api").pipeline().workflow().job("test")

    step = job.step("Run tests", output="1 passed", exit_code=0)

    assert job.steps == [step]
    assert (step.name, step.output, step.exit_code, step.node) == ("Run tests", "1 passed", 0, 0)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/project/gh/acme/none", "Project not found"),
        ("/project/svn/acme/api", "Project not found"),
        ("/project/gh%2Facme%2F", "Project not found"),
        ("/project/gh/acme/api/pipeline/2", "Pipeline not found"),
        ("/project/gh/acme/api/pipeline/0", "Pipeline not found"),
        ("/project/gh/acme/api/job/1", "Job not found"),
        ("/project/gh/acme/api/1/artifacts", "Job not found"),
        ("/project/gh/acme/api/1/tests", "Job not found"),
        ("/project/circleci/GM1mbrQEWnNbzLKEnotDo4/5gh9pgQgohHwicwomY5nYQ", "Project not found"),
        ("/pipeline/00000000-0000-4000-8000-000000000000", "Pipeline not found"),
        ("/workflow/00000000-0000-4000-8000-000000000000", "Workflow not found"),
        ("/insights/gh/none/summary", "Organization not found"),
    ],
)
async def test_missing_records_answer_404(api: Caller, world: World, path: str, message: str) -> None:
    world.project("gh/acme/api").pipeline()

    assert await api.get(path, status=404) == {"message": message}


async def test_names_in_a_slug_of_ids_answer_400(api: Caller) -> None:
    await api.get("/project/circleci/acme/api", status=400)


async def test_every_response_has_a_unique_request_id(api: Caller) -> None:
    ids: set[str] = set()
    for path, status in (("/me", 200), ("/me", 200), ("/nothing", 404)):
        await api.get(path, status=status)
        ids.add(api.answer.headers["X-Request-Id"])

    assert len(ids) == 3
