"""Triggered, rerun, approved and canceled workflows change with time."""

import asyncio
from typing import Any

import pytest

from circleci_async.errors import InvalidArgument
from circleci_async.testing import FakeCircleCI, Project, World

from .caller import Caller
from .clock import Clock

TRIGGER = "/project/gh/acme/api/pipeline"


@pytest.fixture
def project(world: World) -> Project:
    return world.project("gh/acme/api")


async def _workflow(api: Caller, pipeline_id: str) -> Any:
    (workflow,) = (await api.get(f"/pipeline/{pipeline_id}/workflow"))["items"]
    return workflow


async def _jobs(api: Caller, workflow_id: str) -> dict[str, str]:
    return {job["name"]: job["status"] for job in (await api.get(f"/workflow/{workflow_id}/job"))["items"]}


async def _triggered(api: Caller, clock: Clock) -> str:
    """Trigger a pipeline, wait until its workflow runs, and return the workflow's id."""
    created = await api.post(TRIGGER, status=201)
    clock.wait(1)
    return str((await _workflow(api, created["id"]))["id"])


async def test_a_triggered_pipeline_is_pending_then_created_runs_and_ends(
    api: Caller, project: Project, clock: Clock
) -> None:
    created = await api.post(TRIGGER, {"branch": "fix", "parameters": {"n": 1}}, status=201)
    path = f"/pipeline/{created['id']}"

    assert (created["state"], created["number"]) == ("pending", 1)
    assert (await api.get(f"{path}/workflow"))["items"] == []
    clock.wait(0.9)
    assert (await api.get(path))["state"] == "pending"

    clock.wait(0.1)
    pipeline = await api.get(path)
    workflow = await _workflow(api, created["id"])
    assert (pipeline["state"], pipeline["vcs"]["branch"], pipeline["trigger"]["type"]) == ("created", "fix", "api")
    assert (workflow["name"], workflow["status"], workflow["stopped_at"]) == ("build", "running", None)
    assert await _jobs(api, workflow["id"]) == {"lint": "queued", "test": "queued"}

    clock.wait(5)
    assert await _jobs(api, workflow["id"]) == {"lint": "running", "test": "running"}
    assert (await api.get("/project/gh/acme/api/1/artifacts"))["items"] == []

    clock.wait(4)
    workflow = await _workflow(api, created["id"])
    assert (workflow["status"], workflow["stopped_at"]) == ("success", "2026-05-04T10:00:10.250Z")
    assert await _jobs(api, workflow["id"]) == {"lint": "success", "test": "success"}
    (artifact,) = (await api.get("/project/gh/acme/api/2/artifacts"))["items"]
    assert artifact["path"] == "logs/build.txt"
    assert len((await api.get("/project/gh/acme/api/2/tests"))["items"]) == 5
    assert (await api.get("/project/gh/acme/api/job/2"))["duration"] == 8100


async def test_times_do_not_depend_on_when_they_are_read(api: Caller, project: Project, clock: Clock) -> None:
    created = await api.post(TRIGGER, status=201)
    clock.wait(3600)

    assert (await _workflow(api, created["id"]))["stopped_at"] == "2026-05-04T10:00:10.250Z"


async def test_a_pipeline_runs_on_the_default_branch_or_for_a_tag(api: Caller, project: Project) -> None:
    await api.post(TRIGGER, status=201)
    await api.post(TRIGGER, {"tag": "v1"}, status=201)

    tagged, plain = (await api.get(TRIGGER))["items"]

    assert (plain["vcs"]["branch"], tagged["vcs"]["tag"], "branch" in tagged["vcs"]) == ("main", "v1", False)


async def test_the_default_clock_is_the_real_one(api: Caller) -> None:
    world = World()
    world.project("gh/acme/api")
    async with FakeCircleCI(world, run_time=0.1) as fake:
        caller = Caller(fake, api.http)
        created = await caller.post(TRIGGER, status=201)
        await asyncio.sleep(0.15)

        assert (await _workflow(caller, created["id"]))["status"] == "success"


async def test_jobs_after_an_approval_wait_for_it(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger("ship", jobs=("lint", "test", "hold:approval", "deploy"))
    workflow_id = await _triggered(api, clock)
    assert await _jobs(api, workflow_id) == {"lint": "queued", "test": "queued", "hold": "blocked", "deploy": "blocked"}

    clock.wait(1000)
    assert (await api.get(f"/workflow/{workflow_id}"))["status"] == "on_hold"
    jobs = (await api.get(f"/workflow/{workflow_id}/job"))["items"]
    hold = next(job for job in jobs if job["name"] == "hold")
    assert (hold["status"], jobs[3]["status"], "job_number" in jobs[3]) == ("on_hold", "blocked", False)

    answer = await api.post(f"/workflow/{workflow_id}/approve/{hold['approval_request_id']}", status=202)
    assert answer == {"message": "Accepted."}
    jobs = (await api.get(f"/workflow/{workflow_id}/job"))["items"]
    assert (jobs[2]["status"], jobs[2]["approved_by"]) == ("success", api.fake.world.me.id)
    assert (jobs[3]["status"], jobs[3]["job_number"]) == ("queued", 3)
    assert (await api.get(f"/workflow/{workflow_id}"))["status"] == "running"

    clock.wait(4.5)
    assert (await api.get(f"/workflow/{workflow_id}"))["status"] == "success"


async def test_only_a_job_on_hold_can_be_approved(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger(jobs=("test", "hold:approval", "second hold:approval", "deploy"))
    workflow_id = await _triggered(api, clock)
    test, hold, *_ = (await api.get(f"/workflow/{workflow_id}/job"))["items"]
    path = f"/workflow/{workflow_id}/approve"

    await api.post(f"{path}/{hold['id']}", status=400)
    await api.post(f"{path}/{test['id']}", status=404)
    await api.post(f"{path}/{workflow_id}", status=404)
    await api.post(f"{path}/hold", status=400)
    clock.wait(100)
    await api.post(f"{path}/{hold['id']}", status=202)
    await api.post(f"{path}/{hold['id']}", status=400)
    assert (await api.get(f"/workflow/{workflow_id}"))["status"] == "on_hold"


async def test_an_approval_of_workflow_job_can_be_approved(api: Caller, project: Project, clock: Clock) -> None:
    workflow = project.pipeline().workflow(status="on_hold")
    hold = workflow.job("hold", approval=True)
    deploy = workflow.job("deploy", status="blocked", requires=[hold])

    await api.post(f"/workflow/{workflow.id}/approve/{hold.id}", status=202)
    clock.wait(9.9)
    assert (await api.get(f"/workflow/{workflow.id}"))["status"] == "running"
    clock.wait(0.1)

    assert (await api.get(f"/workflow/{workflow.id}"))["status"] == "success"
    assert (await api.get(f"/project/gh/acme/api/job/{deploy.number}"))["status"] == "success"


async def test_a_failed_job_fails_the_workflow_and_blocks_dependent_jobs(
    api: Caller, project: Project, clock: Clock
) -> None:
    project.on_trigger(jobs=("lint", "test:failed", "hold:approval", "deploy"))
    workflow_id = await _triggered(api, clock)
    clock.wait(10)

    assert (await api.get(f"/workflow/{workflow_id}"))["status"] == "failed"
    assert await _jobs(api, workflow_id) == {
        "lint": "success",
        "test": "failed",
        "hold": "blocked",
        "deploy": "blocked",
    }
    results = (await api.get("/project/gh/acme/api/2/tests"))["items"]
    assert [result["result"] for result in results].count("failure") == 1


async def test_a_workflow_is_failing_while_others_still_run(api: Caller, project: Project, clock: Clock) -> None:
    workflow = project.pipeline().workflow(status="running")
    workflow.job("test", status="failed")
    workflow.job("lint", status="running")
    canceled = workflow.job("docs", status="running")

    await api.post(f"/jobs/{canceled.id}/cancel", status=200)

    assert (await api.get(f"/workflow/{workflow.id}"))["status"] == "failing"


async def test_several_workflows_run_in_parallel_and_upload_artifacts(
    api: Caller, project: Project, clock: Clock
) -> None:
    project.on_trigger("build", jobs=("compile",), artifacts={"app.bin": 3000, "notes.txt": b"done"})
    project.on_trigger("docs", jobs=("spell:timedout",))
    created = await api.post(TRIGGER, status=201)
    clock.wait(10)

    workflows = (await api.get(f"/pipeline/{created['id']}/workflow"))["items"]
    artifacts = (await api.get("/project/gh/acme/api/1/artifacts"))["items"]
    config = await api.get(f"/pipeline/{created['id']}/config")

    assert [(each["name"], each["status"]) for each in workflows] == [("build", "success"), ("docs", "failed")]
    assert [each["path"] for each in artifacts] == ["app.bin", "notes.txt"]
    assert [artifact.size for artifact in project.jobs[1].artifacts] == [3000, 4]
    assert "build:" in config["source"]
    assert "- compile" in config["source"]


async def test_an_invalid_config_creates_a_pipeline_without_workflows(
    api: Caller, project: Project, clock: Clock
) -> None:
    project.on_trigger(error="Job test is not defined.")
    created = await api.post(TRIGGER, status=201)
    clock.wait(1)

    pipeline = await api.get(f"/pipeline/{created['id']}")

    assert pipeline["state"] == "errored"
    assert pipeline["errors"] == [{"type": "config", "message": "Job test is not defined."}]
    assert (await api.get(f"/pipeline/{created['id']}/workflow"))["items"] == []


@pytest.mark.parametrize("jobs", [(), ("test", "test"), ("test", "test:failed"), ("",)])
def test_jobs_must_be_different_names(world: World, jobs: tuple[str, ...]) -> None:
    with pytest.raises(InvalidArgument, match="jobs"):
        world.project("gh/acme/api").on_trigger(jobs=jobs)


async def test_a_job_name_can_contain_a_colon(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger(jobs=("node:test", "go:test:failed"))
    workflow_id = await _triggered(api, clock)
    clock.wait(10)

    assert await _jobs(api, workflow_id) == {"node:test": "success", "go:test": "failed"}


async def test_canceling_a_workflow_cancels_its_jobs(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger(jobs=("test", "hold:approval", "deploy"))
    workflow_id = await _triggered(api, clock)

    assert await api.post(f"/workflow/{workflow_id}/cancel", status=202) == {"message": "Accepted."}

    clock.wait(1000)
    workflow = await api.get(f"/workflow/{workflow_id}")
    assert (workflow["status"], workflow["canceled_by"]) == ("canceled", project.world.me.id)
    assert workflow["stopped_at"] == "2026-05-04T10:00:01.250Z"
    assert set((await _jobs(api, workflow_id)).values()) == {"canceled"}
    assert (await api.get("/project/gh/acme/api/1/artifacts"))["items"] == []


async def test_canceling_keeps_ended_jobs(api: Caller, project: Project) -> None:
    workflow = project.pipeline().workflow(status="running")
    for name, status in (("lint", "success"), ("test", "running"), ("docs", "not_run"), ("deploy", "blocked")):
        workflow.job(name, status=status)

    await api.post(f"/workflow/{workflow.id}/cancel", status=202)

    assert await _jobs(api, workflow.id) == {
        "lint": "success",
        "test": "canceled",
        "docs": "not_run",
        "deploy": "canceled",
    }


async def test_canceling_a_job_of_workflow_job_starts_no_other(api: Caller, project: Project) -> None:
    workflow = project.pipeline().workflow(status="running")
    job = workflow.job("test", status="running")
    waiting = workflow.job("lint", status="blocked")

    await api.post(f"/jobs/{job.id}/cancel", status=200)

    assert (workflow.status, waiting.status) == ("canceled", "blocked")


async def test_ended_jobs_and_workflows_cannot_be_canceled(api: Caller, project: Project, clock: Clock) -> None:
    workflow = project.pipeline().workflow(status="failed")
    job = workflow.job("test", status="failed")

    await api.post(f"/workflow/{workflow.id}/cancel", status=400)
    await api.post(f"/jobs/{job.id}/cancel", status=400)
    await api.post(f"/project/gh/acme/api/job/{job.number}/cancel", status=400)
    await api.post(f"/jobs/{workflow.id}/cancel", status=404)
    assert (workflow.status, job.status) == ("failed", "failed")


async def test_canceling_a_job_cancels_its_workflow(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger(jobs=("lint", "test", "hold:approval"))
    workflow_id = await _triggered(api, clock)

    await api.post("/project/gh/acme/api/job/2/cancel", status=200)
    assert (await api.get(f"/workflow/{workflow_id}"))["status"] == "running"
    clock.wait(10)

    assert await _jobs(api, workflow_id) == {"lint": "success", "test": "canceled", "hold": "blocked"}
    assert (await api.get(f"/workflow/{workflow_id}"))["status"] == "canceled"
    assert (await api.get(f"/workflow/{workflow_id}/job"))["items"][1]["canceled_by"] == project.world.me.id


async def test_a_rerun_is_a_new_workflow_of_the_same_pipeline(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger(jobs=("lint", "test"), artifacts={"a.txt": b"a"})
    workflow_id = await _triggered(api, clock)
    clock.wait(100)

    again = (await api.post(f"/workflow/{workflow_id}/rerun", status=202))["workflow_id"]
    assert (await api.get(f"/workflow/{again}"))["status"] == "running"
    clock.wait(10)

    first, second = (await api.get(f"/pipeline/{project.pipelines.all[0].id}/workflow"))["items"]
    assert (first["id"], second["id"], second["status"]) == (workflow_id, again, "success")
    jobs = (await api.get(f"/workflow/{again}/job"))["items"]
    assert [job["job_number"] for job in jobs] == [3, 4]
    assert [a["path"] for a in (await api.get("/project/gh/acme/api/4/artifacts"))["items"]] == ["a.txt"]


async def test_a_rerun_from_failed_keeps_what_succeeded(api: Caller, project: Project, clock: Clock) -> None:
    workflow = project.pipeline().workflow("build", status="failed")
    lint = workflow.job("lint")
    test = workflow.job("test", status="failed", requires=[lint])
    test.test("test_login", result="failure", message="401")
    workflow.job("deploy", status="blocked", requires=[test])

    again = (await api.post(f"/workflow/{workflow.id}/rerun", {"from_failed": True}, status=202))["workflow_id"]
    clock.wait(10)

    jobs = (await api.get(f"/workflow/{again}/job"))["items"]
    assert [(job["name"], job["status"], job["job_number"]) for job in jobs] == [
        ("lint", "success", lint.number),
        ("test", "success", 3),
        ("deploy", "success", 4),
    ]
    assert jobs[2]["dependencies"] == [jobs[1]["id"]]
    assert (await api.get("/project/gh/acme/api/3/tests"))["items"][0]["result"] == "success"
    assert (await api.get(f"/project/gh/acme/api/job/{lint.number}"))["latest_workflow"]["id"] == again
    assert (await api.get(f"/workflow/{workflow.id}"))["status"] == "failed"


async def test_a_rerun_of_jobs_includes_dependent_jobs(api: Caller, project: Project, clock: Clock) -> None:
    workflow = project.pipeline().workflow("build")
    lint = workflow.job("lint")
    test = workflow.job("test")
    workflow.job("deploy", requires=[test])

    body = {"jobs": [test.id], "enable_ssh": True, "sparse_tree": False}
    again = (await api.post(f"/workflow/{workflow.id}/rerun", body, status=202))["workflow_id"]

    jobs = (await api.get(f"/workflow/{again}/job"))["items"]
    assert [job["status"] for job in jobs] == ["success", "queued", "blocked"]
    assert jobs[0]["id"] == lint.id


async def test_a_rerun_uses_the_current_recipe(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger(jobs=("test:failed",))
    workflow_id = await _triggered(api, clock)
    clock.wait(10)
    rerun = f"/workflow/{workflow_id}/rerun"

    still_bad = (await api.post(rerun, status=202))["workflow_id"]
    project.on_trigger(jobs=("test",))
    repaired = (await api.post(rerun, status=202))["workflow_id"]
    clock.wait(10)

    assert (await api.get(f"/workflow/{still_bad}"))["status"] == "failed"
    assert (await api.get(f"/workflow/{repaired}"))["status"] == "success"


@pytest.mark.parametrize(
    "body",
    [
        {"from_failed": True},
        {"from_failed": "true"},
        {"enable_ssh": True},
        {"sparse_tree": True},
        {"jobs": "all"},
        {"jobs": ["nonsense"]},
        {"jobs": [1]},
    ],
)
async def test_an_invalid_rerun_answers_400(api: Caller, project: Project, body: Any) -> None:
    workflow = project.pipeline().workflow("build")
    workflow.job("test")

    await api.post(f"/workflow/{workflow.id}/rerun", body, status=400)

    assert len(workflow.pipeline.workflows) == 1


async def test_jobs_and_from_failed_exclude_each_other(api: Caller, project: Project) -> None:
    workflow = project.pipeline().workflow("build", status="failed")
    job = workflow.job("test", status="failed")

    await api.post(f"/workflow/{workflow.id}/rerun", {"jobs": [job.id], "from_failed": True}, status=400)


async def test_a_running_workflow_cannot_be_rerun(api: Caller, project: Project) -> None:
    workflow = project.pipeline().workflow(status="running")

    await api.post(f"/workflow/{workflow.id}/rerun", status=400)


async def test_a_pipeline_in_setup_is_continued_once_with_its_key(api: Caller, project: Project, clock: Clock) -> None:
    pipeline = project.pipeline(setup=True, config="version: 2.1\nsetup: true\n", parameters={"a": 1})
    key = pipeline.continuation_key
    assert (await api.get(f"/pipeline/{pipeline.id}"))["state"] == "setup"
    body = {"continuation-key": key, "configuration": "version: 2.1\n", "parameters": {"b": "x"}}

    for wrong in (
        {},
        {"continuation-key": key},
        {**body, "continuation-key": "nonsense"},
        {**body, "configuration": 1},
        {**body, "parameters": {"b": None}},
    ):
        await api.post("/pipeline/continue", wrong, status=400)
    assert await api.post("/pipeline/continue", body, status=200) == {"message": "Accepted."}
    await api.post("/pipeline/continue", body, status=400)

    clock.wait(10)
    config = await api.get(f"/pipeline/{pipeline.id}/config")
    values = await api.get(f"/pipeline/{pipeline.id}/values")
    assert (await _workflow(api, pipeline.id))["status"] == "success"
    assert (config["source"], config["setup_config"]) == ("version: 2.1\n", "version: 2.1\nsetup: true\n")
    assert (values["pipeline.parameters.a"], values["pipeline.parameters.b"]) == (1, "x")


async def test_the_world_is_up_to_date_without_a_request(fake: FakeCircleCI, api: Caller, clock: Clock) -> None:
    fake.world.project("gh/acme/api")
    await api.post(TRIGGER, status=201)
    clock.wait(10)

    (pipeline,) = fake.world.projects["gh/acme/api"].pipelines.all

    assert (pipeline.state, pipeline.workflows[0].status) == ("created", "success")
