"""Setup workflows, delayed workflows, and pipelines that are not found at first."""

from typing import Any

import pytest

from circleci_async.errors import InvalidArgument
from circleci_async.testing import Project, World

from .caller import Caller
from .clock import Clock

TRIGGER = "/project/gh/acme/api/pipeline"


@pytest.fixture
def project(world: World) -> Project:
    return world.project("gh/acme/api")


async def state_of(api: Caller, id: str) -> tuple[str, dict[str, str]]:
    """Return the state of a pipeline and the statuses of its workflows."""
    state = (await api.get(f"/pipeline/{id}"))["state"]
    workflows = (await api.get(f"/pipeline/{id}/workflow"))["items"]
    return state, {workflow["name"]: workflow["status"] for workflow in workflows}


async def trigger(api: Caller) -> str:
    return str((await api.post(TRIGGER, status=201))["id"])


async def follow(api: Caller, clock: Clock, id: str, seconds: float) -> list[tuple[str, dict[str, str]]]:
    """Poll every half second, and return the distinct results."""
    seen = [await state_of(api, id)]
    for _ in range(round(seconds * 2)):
        clock.wait(0.5)
        now = await state_of(api, id)
        if now != seen[-1]:
            seen.append(now)
    return seen


async def test_a_setup_runs_before_the_other_workflows(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger("setup", jobs=("generate",), setup=True)
    project.on_trigger("build", jobs=("test",))
    project.on_trigger("docs", jobs=("spell:failed",))
    created = await api.post(TRIGGER, status=201)
    assert created["state"] == "setup-pending"

    seen = await follow(api, clock, created["id"], 25)

    done = {"setup": "success"}
    assert seen == [
        ("setup-pending", {}),
        ("setup", {"setup": "running"}),
        ("setup", done),
        ("created", {**done, "build": "running", "docs": "running"}),
        ("created", {**done, "build": "success", "docs": "failed"}),
    ]
    workflows = (await api.get(f"/pipeline/{created['id']}/workflow"))["items"]
    assert [workflow.get("tag") for workflow in workflows] == ["setup", None, None]
    assert [workflow["stopped_at"] for workflow in workflows] == [
        "2026-05-04T10:00:10.250Z",
        "2026-05-04T10:00:20.250Z",
        "2026-05-04T10:00:20.250Z",
    ]
    config = await api.get(f"/pipeline/{created['id']}/config")
    assert "setup: true" in config["setup_config"]
    assert "generate" in config["setup_config"]
    assert "setup: true" not in config["source"]
    assert "- test" in config["source"]


async def test_a_setup_and_its_continuation_do_not_depend_on_when_they_are_read(
    api: Caller, project: Project, clock: Clock
) -> None:
    project.on_trigger("setup", jobs=("generate",), setup=True)
    project.on_trigger("build", jobs=("test",))
    id = await trigger(api)
    clock.wait(3600)

    assert await state_of(api, id) == ("created", {"setup": "success", "build": "success"})
    assert project.pipelines.all[0].updated_at.isoformat() == "2026-05-04T10:00:11.250000+00:00"


async def test_a_failed_setup_continues_after_a_rerun(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger("setup", jobs=("generate:failed",), setup=True)
    project.on_trigger("build", jobs=("test",))
    id = await trigger(api)
    clock.wait(1000)
    assert await state_of(api, id) == ("setup", {"setup": "failed"})

    [workflow] = (await api.get(f"/pipeline/{id}/workflow"))["items"]
    project.on_trigger("setup", jobs=("generate",), setup=True)
    await api.post(f"/workflow/{workflow['id']}/rerun", status=202)
    clock.wait(1000)

    workflows = (await api.get(f"/pipeline/{id}/workflow"))["items"]
    assert [(each["name"], each["status"], each.get("tag")) for each in workflows] == [
        ("setup", "failed", "setup"),
        ("setup", "success", "setup"),
        ("build", "success", None),
    ]


async def test_a_setup_without_other_workflows_waits_for_a_continue_call(
    api: Caller, project: Project, clock: Clock
) -> None:
    project.on_trigger("setup", jobs=("generate",), setup=True)
    id = await trigger(api)
    key = project.pipelines.all[0].continuation_key
    body = {"continuation-key": key, "configuration": "version: 2.1\n"}
    await api.post("/pipeline/continue", body, status=400)  # the setup has not started
    clock.wait(1000)
    assert await state_of(api, id) == ("setup", {"setup": "success"})

    await api.post("/pipeline/continue", body, status=200)

    assert (await state_of(api, id))[0] == "pending"
    clock.wait(1000)
    assert await state_of(api, id) == ("created", {"setup": "success", "build": "success"})
    assert (await api.get(f"/pipeline/{id}/config"))["source"] == "version: 2.1\n"


@pytest.mark.parametrize(("seconds", "status"), [(5, "running"), (10.5, "success")])
async def test_a_pipeline_is_continued_once(
    api: Caller, project: Project, clock: Clock, seconds: float, status: str
) -> None:
    project.on_trigger("setup", jobs=("generate",), setup=True)
    project.on_trigger("build", jobs=("test",))
    id = await trigger(api)
    clock.wait(seconds)
    assert await state_of(api, id) == ("setup", {"setup": status})
    key = project.pipelines.all[0].continuation_key

    await api.post("/pipeline/continue", {"continuation-key": key, "configuration": "x"}, status=200)
    clock.wait(1000)

    workflows = (await api.get(f"/pipeline/{id}/workflow"))["items"]
    assert [workflow["name"] for workflow in workflows] == ["setup", "build"]


@pytest.mark.parametrize(("setup", "workflows"), [(True, {}), (False, {"setup": "success"})])
async def test_the_config_of_the_setup_or_of_the_continuation_can_be_invalid(
    api: Caller, project: Project, clock: Clock, setup: bool, workflows: dict[str, str]
) -> None:
    project.on_trigger("setup", jobs=("generate",), setup=True, error="no good" if setup else None)
    project.on_trigger("build", jobs=("test",), error=None if setup else "no good")
    id = await trigger(api)
    clock.wait(1000)

    assert await state_of(api, id) == ("errored", workflows)
    assert (await api.get(f"/pipeline/{id}"))["errors"] == [{"type": "config", "message": "no good"}]


async def test_a_project_can_be_deleted_during_a_run(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger("setup", jobs=("generate",), setup=True)
    project.on_trigger("build", jobs=("test",), workflow_delay=5)
    await trigger(api)
    clock.wait(12)
    assert [workflow.name for workflow in api.fake.world.workflows.values()] == ["setup"]

    await api.delete("/project/gh/acme/api")
    clock.wait(1000)

    assert api.fake.world.workflows == {}


async def test_workflow_delay_postpones_workflows(api: Caller, project: Project, clock: Clock) -> None:
    project.on_trigger("build", jobs=("test",))
    project.on_trigger("docs", jobs=("spell",), workflow_delay=20)
    project.on_trigger("nightly", jobs=("scan",), workflow_delay=3)
    id = await trigger(api)

    assert await follow(api, clock, id, 35) == [
        ("pending", {}),
        ("created", {"build": "running"}),
        ("created", {"build": "running", "nightly": "running"}),
        ("created", {"build": "success", "nightly": "running"}),
        ("created", {"build": "success", "nightly": "success"}),
        ("created", {"build": "success", "nightly": "success", "docs": "running"}),
        ("created", {"build": "success", "nightly": "success", "docs": "success"}),
    ]
    workflows = (await api.get(f"/pipeline/{id}/workflow"))["items"]
    assert [workflow["created_at"] for workflow in workflows] == [
        "2026-05-04T10:00:01.250Z",
        "2026-05-04T10:00:04.250Z",
        "2026-05-04T10:00:21.250Z",
    ]


async def test_a_triggered_pipeline_is_not_found_before_creation_lag(
    api: Caller, project: Project, clock: Clock
) -> None:
    project.on_trigger("build", jobs=("test",), creation_lag=2)
    project.on_trigger("docs", jobs=("spell",))
    id = await trigger(api)
    paths = [f"/pipeline/{id}{rest}" for rest in ("", "/workflow", "/config", "/values")] + [f"{TRIGGER}/1"]

    for path in paths:
        assert await api.get(path, status=404) == {"message": "Pipeline not found"}
    clock.wait(1.9)
    for path in paths:
        await api.get(path, status=404)
    clock.wait(0.1)
    for path in paths:
        await api.get(path)
    assert (await state_of(api, id))[0] == "created"


async def test_pipelines_of_project_pipeline_are_found_at_once(api: Caller, project: Project) -> None:
    project.on_trigger("build", jobs=("test",), creation_lag=2)

    await api.get(f"/pipeline/{project.pipeline().id}")


@pytest.mark.parametrize("name", ["workflow_delay", "creation_lag"])
def test_negative_seconds_are_rejected(project: Project, name: str) -> None:
    arguments: dict[str, Any] = {name: -1}
    with pytest.raises(InvalidArgument, match=name):
        project.on_trigger(**arguments)
