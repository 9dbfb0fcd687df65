"""`trigger`, and what `--wait` shows."""

import asyncio
import io
import json
import re
from typing import Any

import pytest

from circleci_async.cli import watch
from circleci_async.cli.trigger import parameters
from circleci_async.errors import InvalidArgument
from circleci_async.testing import FakeCircleCI, Project, World

from .conftest import Cli, meanwhile
from .process import wait_until

WAIT = ("--wait", "--interval", "0.1,0.2")
TITLE = "Pipeline 1 of gh/acme/api"


@pytest.fixture
def project(world: World, fake: FakeCircleCI) -> Project:
    return world.project("gh/acme/api")


def changes(out: str) -> list[str]:
    """Return the lines of a watched pipeline, without the time of day and the duration."""
    return [re.sub(r"^\d\d:\d\d:\d\d  |  [\d.]+s$", "", line) for line in out.splitlines()]


def workflows(out: str) -> list[str]:
    """Return the lines of its workflows."""
    return [line for line in changes(out)[1:] if "/" not in line]


def test_a_pipeline_is_triggered(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    code, out, err = cli("trigger", "gh/acme/api", "--branch", "dev", "-p", "n=1", "-p", "deploy=true", "-s", "v=2")

    (pipeline,) = project.pipelines.all
    assert (code, err) == (0, "")
    assert out.splitlines() == ["Number: 1", "State:  pending", f"Id:     {pipeline.id}"]
    assert json.loads(fake.requests[0].body) == {"branch": "dev", "parameters": {"n": 1, "deploy": True, "v": "2"}}


def test_without_options_the_body_is_empty(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    ran = cli("trigger", "gh/acme/api", "--json")

    assert json.loads(fake.requests[0].body) == {}
    assert (ran.code, ran.data["number"], ran.data["state"]) == (0, 1, "pending")


def test_the_pipeline_of_a_lost_response_is_found_when_asked(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    fake.fail("*/pipeline", method="POST", times=2, reset="after")
    lost = cli("trigger", "gh/acme/api")
    found = cli("trigger", "gh/acme/api", "--if-lost", "find", "--json")

    assert (lost.code, found.code) == (1, 0)
    assert found.data["id"] == project.pipelines.all[1].id
    assert len(project.pipelines.all) == 2
    assert "expected 'raise' or 'find', got 'twice'" in cli("trigger", "gh/acme/api", "--if-lost", "twice").err


def test_a_tag_is_built(cli: Cli, project: Project) -> None:
    assert cli("trigger", "gh/acme/api", "--tag", "v1").code == 0
    assert project.pipelines.all[0].tag == "v1"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("0", 0),
        ("-12", -12),
        ("007", "007"),
        ("1.5", "1.5"),
        ("\u0661", "\u0661"),  # an Arabic-Indic digit
        ("", ""),
        ("a=b", "a=b"),
        ('"1"', '"1"'),
    ],
)
def test_parameters_are_typed_by_their_text(text: str, value: Any) -> None:
    (found,) = parameters([f"key={text}"], []).values()

    assert (found, type(found)) == (value, type(value))
    assert parameters([], [f"key={text}"]) == {"key": text}


@pytest.mark.parametrize(
    ("typed", "strings", "message"),
    [
        (["key"], [], "a parameter must be KEY=VALUE, got 'key'"),
        (["=1"], [], "a parameter must be KEY=VALUE, got '=1'"),
        ([], ["key"], "a parameter must be KEY=VALUE, got 'key'"),
        (["key=1"], ["key=1"], "'key' is given twice"),
    ],
)
def test_an_invalid_parameter_is_rejected(typed: list[str], strings: list[str], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        parameters(typed, strings)


def test_a_bad_parameter_is_bad_usage(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    assert cli("trigger", "gh/acme/api", "-p", "key") == (2, "", "error: a parameter must be KEY=VALUE, got 'key'\n")
    assert fake.requests == []


def test_wait_shows_the_pipeline_until_it_is_finished(cli: Cli, project: Project) -> None:
    code, out, err = cli("trigger", "gh/acme/api", *WAIT)

    assert (code, err) == (0, "")
    assert changes(out)[0] == TITLE
    assert workflows(out) == ["build  running", "build  success"]
    assert "build / lint  success" in changes(out)
    assert out.splitlines()[-1].endswith("s")


def test_a_failed_workflow_sets_the_exit_code(cli: Cli, project: Project) -> None:
    project.on_trigger("good", ("lint",))
    project.on_trigger("bad", ("test:failed",))

    code, out, err = cli("trigger", "gh/acme/api", *WAIT)

    assert code == 1
    assert set(workflows(out)) == {"good  running", "bad  running", "good  success", "bad  failed"}
    (job,) = [job for job in project.jobs.values() if job.name == "test"]
    assert err == f"test failed; see: circleci-async logs gh/acme/api {job.number} --failed\n"


def test_json_of_a_finished_pipeline_is_one_object(cli: Cli, project: Project) -> None:
    project.on_trigger("bad", ("test:failed",))

    ran = cli("trigger", "gh/acme/api", *WAIT, "--json")

    assert (ran.code, ran.err) == (1, "")
    assert ran.data["status"] == "failed"
    assert ran.data["pipeline"]["state"] == "created"
    assert [(each["name"], each["status"]) for each in ran.data["workflows"]] == [("bad", "failed")]


def test_an_invalid_config_ends_the_wait_with_its_errors(cli: Cli, project: Project) -> None:
    project.on_trigger(error="Job test_all\nis not defined.")

    code, out, err = cli("trigger", "gh/acme/api", *WAIT)

    assert code == 1
    assert changes(out) == [TITLE]
    assert err.splitlines()[0] == "error: config: Job test_all is not defined."


def test_jobs_that_stay_running_do_not_delay_the_end(
    cli: Cli, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LAST_CHANGES", 0.1)
    pipeline = project.pipeline()
    pipeline.workflow("build", status="canceled").job("test", status="running")

    code, out, err = cli("watch", pipeline.id, "--interval", "0.1", "--grace", 1000)

    assert (code, err) == (1, "")
    assert changes(out) == [TITLE, "build / test  running", "build  canceled"]


def test_a_workflow_that_is_created_late_is_awaited(cli: Cli, project: Project) -> None:
    project.on_trigger("lint", ("lint",))
    project.on_trigger("late", ("test",), workflow_delay=0.5)

    code, out, _ = cli("trigger", "gh/acme/api", "--wait", "--interval", "0.2")

    assert code == 0
    assert {"lint  success", "late  success"} <= set(workflows(out))


def test_a_pipeline_without_workflows_fails(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    fake.fail("*/workflow", body={"items": [], "next_page_token": None}, times=None)

    code, out, err = cli("trigger", "gh/acme/api", *WAIT, "--grace", 0.3)

    assert (code, err) == (1, "the pipeline started no workflow\n")
    assert changes(out) == [TITLE]


def test_the_newest_run_of_a_workflow_counts(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    def workflow(status: str, at: str) -> dict[str, Any]:
        return {"id": status, "name": "build", "status": status, "created_at": at}

    fake.fail("*/job", body={"items": [], "next_page_token": None}, times=None)
    again = workflow("success", "2026-05-04T12:01:00Z")
    first = workflow("failed", "2026-05-04T12:00:00Z")
    fake.fail("*/workflow", body={"items": [again, first], "next_page_token": None}, times=None)

    assert cli("trigger", "gh/acme/api", *WAIT).code == 0


def test_a_pipeline_on_hold_has_its_own_exit_code(cli: Cli, project: Project) -> None:
    project.on_trigger("release", ("test", "hold:approval", "ship"))

    code, out, err = cli("trigger", "gh/acme/api", *WAIT)

    (workflow,) = project.pipelines.all[0].workflows
    assert code == 3
    assert workflows(out)[-1] == "release  on_hold"
    assert err == f"on hold; approve with: circleci-async approve {workflow.id} hold\n"


def test_a_pipeline_that_is_not_finished_in_time_has_its_own_exit_code(cli: Cli, project: Project) -> None:
    project.on_trigger("release", ("test", "hold:approval", "ship"))

    code, _, err = cli("trigger", "gh/acme/api", *WAIT, "--on-hold", "wait", "--within", 0.8)

    (pipeline,) = project.pipelines.all
    assert code == 4
    assert re.search(f"^error: .*{pipeline.id}.* 0.8 s", err, re.MULTILINE)
    assert err.endswith(f"[hint: the build continues; watch it with: circleci-async watch {pipeline.id}]\n")


def test_an_invalid_option_is_bad_usage_and_triggers_nothing(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    on_hold = cli("trigger", "gh/acme/api", *WAIT, "--on-hold", "approve")
    interval = cli("trigger", "gh/acme/api", "--wait", "--interval", "1,x")

    assert (on_hold.code, interval.code) == (2, 2)
    assert "expected 'return' or 'wait', got 'approve'" in on_hold.err
    assert "--interval must be seconds" in interval.err
    assert fake.requests == []


def test_json_of_a_pipeline_that_is_not_finished_in_time_is_its_state(cli: Cli, project: Project) -> None:
    project.on_trigger("release", ("test", "hold:approval", "ship"))

    ran = cli("trigger", "gh/acme/api", *WAIT, "--on-hold", "wait", "--within", 0.8, "--json")

    assert (ran.code, ran.data["status"]) == (4, "on_hold")
    assert ran.data["pipeline"]["id"] == project.pipelines.all[0].id


def test_wait_continues_after_an_approval(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    project.on_trigger("release", ("test", "hold:approval", "ship"))
    screen, messages = io.StringIO(), io.StringIO()

    def approve() -> None:
        wait_until(lambda: "release  on_hold" in screen.getvalue())  # the workflow, after its job
        (workflow,) = project.pipelines.all[0].workflows
        (hold,) = [job for job in workflow.jobs if job.name == "hold"]
        asyncio.run(send_approval(fake, workflow.id, hold.id))

    with meanwhile(approve):
        code, out, err = cli("trigger", "gh/acme/api", *WAIT, "--on-hold", "wait", stdout=screen, stderr=messages)

    (workflow,) = project.pipelines.all[0].workflows
    assert (code, err) == (0, f"on hold; approve with: circleci-async approve {workflow.id} hold\n")
    assert "release / test  success" in changes(out)
    assert changes(out)[-1] == "release  success"


async def send_approval(fake: FakeCircleCI, workflow: str, job: str) -> None:
    async with fake.client() as circle:
        await circle.workflows.approve(workflow, job)
