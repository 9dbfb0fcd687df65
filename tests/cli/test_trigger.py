"""Setting a pipeline going, and watching it."""

import asyncio
import json
import re
from itertools import takewhile
from typing import Any

import pytest

from circleci_async.cli.trigger import parameters
from circleci_async.errors import InvalidArgument
from circleci_async.testing import FakeCircleCI, Project, World

from .conftest import Cli
from .process import start

WATCH = ("--wait", "--every", "0.1")
TITLE = "Pipeline 1 of gh/acme/api"


@pytest.fixture
def project(world: World, fake: FakeCircleCI) -> Project:
    return world.project("gh/acme/api")


def changes(out: str) -> list[str]:
    """The lines of a watched pipeline, without the time of day, and without how long it took."""
    return [re.sub(r"^\d\d:\d\d:\d\d  |  [\d.]+s$", "", line) for line in out.splitlines()]


def workflows(out: str) -> list[str]:
    """Those of its workflows."""
    return [line for line in changes(out)[1:] if "/" not in line]


def test_a_pipeline_is_set_going(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    code, out, err = cli("trigger", "gh/acme/api", "--branch", "dev", "-p", "n=1", "-p", "deploy=true", "-s", "v=2")

    (pipeline,) = project.pipelines.all
    assert (code, err) == (0, "")
    assert out.splitlines() == ["Number: 1", "State:  pending", f"Id:     {pipeline.id}"]
    assert json.loads(fake.requests[0].body) == {"branch": "dev", "parameters": {"n": 1, "deploy": True, "v": "2"}}


def test_without_options_only_the_project_is_sent(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    ran = cli("trigger", "gh/acme/api", "--json")

    assert json.loads(fake.requests[0].body) == {}
    assert (ran.code, ran.data["number"], ran.data["state"]) == (0, 1, "pending")


def test_a_tag_can_be_built(cli: Cli, project: Project) -> None:
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
        ("\u0661", "\u0661"),  # a digit, but none of ours
        ("", ""),
        ("a=b", "a=b"),
        ('"1"', '"1"'),
    ],
)
def test_parameters_are_what_they_look_like(text: str, value: Any) -> None:
    (found,) = parameters([f"key={text}"], []).values()

    assert (found, type(found)) == (value, type(value))
    assert parameters([], [f"key={text}"]) == {"key": text}


@pytest.mark.parametrize(
    ("typed", "strings", "message"),
    [
        (["key"], [], "'key': give key=value"),
        (["=1"], [], "'=1': give key=value"),
        ([], ["key"], "'key': give key=value"),
        (["key=1"], ["key=1"], "'key' is given twice"),
    ],
)
def test_a_parameter_that_can_not_be_right_is_refused(typed: list[str], strings: list[str], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        parameters(typed, strings)


def test_a_bad_parameter_is_bad_usage(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    assert cli("trigger", "gh/acme/api", "-p", "key") == (2, "", "error: 'key': give key=value\n")
    assert fake.requests == []


def test_a_pipeline_is_followed_to_its_end(cli: Cli, project: Project) -> None:
    code, out, err = cli("trigger", "gh/acme/api", *WATCH)

    assert (code, err) == (0, "")
    assert changes(out)[0] == TITLE
    assert workflows(out) == ["build  running", "build  success"]
    assert "build / lint  success" in changes(out)
    assert out.splitlines()[-1].endswith("s")


def test_a_workflow_that_fails_is_an_exit_code(cli: Cli, project: Project) -> None:
    project.on_trigger("good", ("lint",))
    project.on_trigger("bad", ("test:failed",))

    code, out, err = cli("trigger", "gh/acme/api", *WATCH)

    assert code == 1
    assert set(workflows(out)) == {"good  running", "bad  running", "good  success", "bad  failed"}
    (job,) = [job for job in project.jobs.values() if job.name == "test"]
    assert err == f"why test failed: circleci-async logs gh/acme/api {job.number} --failed\n"


def test_json_of_a_followed_pipeline_is_one_object_at_its_end(cli: Cli, project: Project) -> None:
    project.on_trigger("bad", ("test:failed",))

    ran = cli("trigger", "gh/acme/api", *WATCH, "--json")

    assert (ran.code, ran.err) == (1, "")
    assert ran.data["status"] == "failed"
    assert ran.data["pipeline"]["state"] == "created"
    assert [(each["name"], each["status"]) for each in ran.data["workflows"]] == [("bad", "failed")]


def test_a_config_that_can_not_be_used_ends_the_watch_with_its_errors(cli: Cli, project: Project) -> None:
    project.on_trigger(error="Job test_all\nis not defined.")

    code, out, err = cli("trigger", "gh/acme/api", *WATCH)

    assert code == 1
    assert changes(out) == [TITLE]
    assert err.splitlines()[0] == "error: config: Job test_all is not defined."


def test_a_pipeline_in_which_nothing_runs_is_no_success(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    fake.fail("*/workflow", body={"items": [], "next_page_token": None}, times=None)

    code, out, err = cli("trigger", "gh/acme/api", *WATCH, "--grace", 0.3)

    assert (code, err) == (1, "no workflow runs in this pipeline\n")
    assert changes(out) == [TITLE]


def test_a_rerun_counts_instead_of_what_it_ran_again(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    def workflow(status: str, at: str) -> dict[str, Any]:
        return {"id": status, "name": "build", "status": status, "created_at": at}

    fake.fail("*/job", body={"items": [], "next_page_token": None}, times=None)
    again = workflow("success", "2026-05-04T12:01:00Z")
    first = workflow("failed", "2026-05-04T12:00:00Z")
    fake.fail("*/workflow", body={"items": [again, first], "next_page_token": None}, times=None)

    assert cli("trigger", "gh/acme/api", *WATCH).code == 0


def test_a_pipeline_that_waits_for_an_approval_has_an_exit_code_of_its_own(cli: Cli, project: Project) -> None:
    project.on_trigger("release", ("test", "hold:approval", "ship"))

    code, out, err = cli("trigger", "gh/acme/api", *WATCH)

    (workflow,) = project.pipelines.all[0].workflows
    assert code == 3
    assert workflows(out)[-1] == "release  on_hold"
    assert err == f"to approve it: circleci-async approve {workflow.id} hold\n"


def test_a_pipeline_that_does_not_end_in_time_has_an_exit_code_of_its_own(cli: Cli, project: Project) -> None:
    project.on_trigger("release", ("test", "hold:approval", "ship"))

    code, _, err = cli("trigger", "gh/acme/api", *WATCH, "--on-hold", "wait", "--within", 0.8)

    (pipeline,) = project.pipelines.all
    assert code == 4
    assert f"pipeline {pipeline.id} did not end within 0.8 s" in err
    assert f"circleci-async watch {pipeline.id}]\n" in err


def test_a_choice_that_there_is_not_is_bad_usage_and_triggers_nothing(
    cli: Cli, project: Project, fake: FakeCircleCI
) -> None:
    code, _, err = cli("trigger", "gh/acme/api", *WATCH, "--on-hold", "approve")

    assert code == 2
    assert "'approve': give 'return' or 'wait'" in err
    assert fake.requests == []


def test_for_programs_a_pipeline_that_does_not_end_in_time_is_shown_as_it_stands(cli: Cli, project: Project) -> None:
    project.on_trigger("release", ("test", "hold:approval", "ship"))

    ran = cli("trigger", "gh/acme/api", *WATCH, "--on-hold", "wait", "--within", 0.8, "--json")

    assert (ran.code, ran.data["status"]) == (4, "on_hold")
    assert ran.data["pipeline"]["id"] == project.pipelines.all[0].id


def test_an_approval_that_is_waited_for_is_said_and_watched_on(project: Project, fake: FakeCircleCI) -> None:
    project.on_trigger("release", ("test", "hold:approval", "ship"))
    process = start("trigger", "gh/acme/api", *WATCH, "--on-hold", "wait")
    assert process.stderr is not None
    assert process.stdout is not None
    said = process.stderr.readline()
    shown = list(takewhile(lambda line: "release  on_hold" not in line, process.stdout))  # the workflow, after its job

    (workflow,) = project.pipelines.all[0].workflows
    (hold,) = [job for job in workflow.jobs if job.name == "hold"]
    approve(fake, workflow.id, hold.id)
    out, err = process.communicate(timeout=20)

    assert said == f"to approve it: circleci-async approve {workflow.id} hold\n"
    assert (process.returncode, err) == (0, "")
    assert "release / test  success" in changes("".join(shown))
    assert changes(out)[-1] == "release  success"


def approve(fake: FakeCircleCI, workflow: str, job: str) -> None:
    async def send() -> None:
        async with fake.client() as circle:
            await circle.workflows.approve(workflow, job)

    asyncio.run(send())
