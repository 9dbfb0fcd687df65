"""`approve`, `rerun` and `cancel`."""

import json
import re
from typing import Any

import pytest

from circleci_async.cli.build_ref import BuildRef
from circleci_async.errors import InvalidArgument
from circleci_async.testing import FakeCircleCI, Pipeline, Project, Workflow, World

from .conftest import Cli, meanwhile
from .process import wait_until

ID = "5034460f-c7c4-4c43-9457-de07e2029e7b"
APP = "https://app.circleci.com/pipelines/github/acme/api"


@pytest.fixture
def project(world: World, fake: FakeCircleCI) -> Project:
    return world.project("gh/acme/api")


@pytest.fixture
def pipeline(project: Project) -> Pipeline:
    return project.pipeline()


def on_hold(pipeline: Pipeline, name: str = "release", *holds: str) -> Workflow:
    """Make a workflow that is on hold for approvals."""
    workflow = pipeline.workflow(name, status="on_hold")
    test = workflow.job("test")
    for hold in holds or ("hold",):
        held = workflow.job(hold, approval=True, requires=[test])
        workflow.job(f"deploy-after-{hold}", status="blocked", requires=[held])
    return workflow


def posts(fake: FakeCircleCI) -> list[str]:
    return [request.path.removeprefix("/api/v2") for request in fake.requests if request.method == "POST"]


# References to builds


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (ID, BuildRef(id=ID)),
        (f" {ID.upper()} ", BuildRef(id=ID)),
        (f"{APP}/23", BuildRef(project="gh/acme/api", pipeline=23)),
        (f"{APP}/23/", BuildRef(project="gh/acme/api", pipeline=23)),
        (f"{APP}/23/workflows/{ID}", BuildRef(project="gh/acme/api", pipeline=23, workflow=ID)),
        (f"{APP}/23/workflows/{ID}?x=1#y", BuildRef(project="gh/acme/api", pipeline=23, workflow=ID)),
        (f"{APP}/23/workflows/{ID}/jobs/42", BuildRef(project="gh/acme/api", pipeline=23, workflow=ID, job=42)),
        (
            f"{APP}/23/workflows/{ID}/jobs/42/tests#failed-test-0",
            BuildRef(project="gh/acme/api", pipeline=23, workflow=ID, job=42),
        ),
        (
            f"https://ci.example.com/pipelines/circleci/{'a' * 22}/{'b' * 22}/7/workflows/{ID.upper()}",
            BuildRef(project=f"circleci/{'a' * 22}/{'b' * 22}", pipeline=7, workflow=ID),
        ),
        ("https://circleci.com/gh/acme/api/42", BuildRef(project="gh/acme/api", job=42)),
        ("https://app.circleci.com/jobs/github/acme/api/42", BuildRef(project="gh/acme/api", job=42)),
        (f"https://app.circleci.com/pipelines/workflows/{ID}", BuildRef(workflow=ID)),
        (f"https://app.circleci.com/workflow/{ID}", BuildRef(workflow=ID)),
    ],
)
def test_an_id_or_a_page_url_is_parsed(text: str, target: BuildRef) -> None:
    assert BuildRef.parse(text, "a workflow") == target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("build", "expected the id or the URL of a workflow, got 'build'"),
        ("gh/acme/api", "expected the id or the URL of a workflow, got 'gh/acme/api'"),
        ("", "expected the id or the URL of a workflow, got ''"),
        (APP, "got a URL with the path '/pipelines/github/acme/api'"),
        (f"{APP}/23x", "expected the id or the URL of a workflow"),
        (f"{APP}/workflows/{ID}0", "expected the id or the URL of a workflow"),
        ("someone:s3cret@localhost/build", "expected the id or the URL of a workflow, got 'localhost/build'"),
        ("https://example.com/?secret", "got a URL with the path '/'"),
        ("https://ci.example.com/pipelines/svn/acme/api/7", "project"),
    ],
)
def test_any_other_text_is_rejected_without_its_query(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        BuildRef.parse(text, "a workflow")
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


# approve


def test_the_job_on_hold_is_approved(cli: Cli, pipeline: Pipeline, fake: FakeCircleCI) -> None:
    workflow = on_hold(pipeline)

    code, out, err = cli("approve", workflow.id)

    assert (code, err) == (0, "")
    assert out.splitlines() == ["Approved: hold", "Workflow: release", f"Id:       {workflow.id}"]
    assert posts(fake) == [f"/workflow/{workflow.id}/approve/{workflow.jobs[1].id}"]
    assert workflow.jobs[1].status == "success"


def test_a_pipeline_is_approved_by_id_or_page_url(cli: Cli, pipeline: Pipeline) -> None:
    pipeline.workflow("docs").job("docs")
    workflow = on_hold(pipeline)
    assert cli("approve", pipeline.id).code == 0
    assert workflow.jobs[1].status == "success"

    another = on_hold(pipeline, "another")
    ran = cli("approve", f"{APP}/1", "--json")
    assert (ran.code, another.jobs[1].status) == (0, "success")
    assert ran.data["message"] == "Accepted."
    assert (ran.data["workflow"]["name"], ran.data["job"]["name"]) == ("another", "hold")


def test_several_jobs_on_hold_require_the_name_of_one(cli: Cli, pipeline: Pipeline, fake: FakeCircleCI) -> None:
    workflow = on_hold(pipeline, "release", "hold-eu", "hold-us")

    code, out, err = cli("approve", pipeline.id)
    assert (code, out) == (2, "")
    assert err == ("error: JOB must be given: several are on hold: hold-eu (release), hold-us (release)\n")
    assert posts(fake) == []

    assert cli("approve", pipeline.id, "hold-us").code == 0
    assert [job.status for job in workflow.jobs if job.type == "approval"] == ["on_hold", "success"]


def test_jobs_of_the_same_name_on_hold_require_the_id_of_a_workflow(cli: Cli, pipeline: Pipeline) -> None:
    on_hold(pipeline, "a")
    workflow = on_hold(pipeline, "b")

    code, _, err = cli("approve", pipeline.id, "hold")
    assert code == 2
    assert err == "error: a workflow must be given: several are on hold: hold (a), hold (b)\n"
    assert cli("approve", workflow.id, "hold").code == 0


def test_without_a_job_on_hold_approve_fails(cli: Cli, pipeline: Pipeline, fake: FakeCircleCI) -> None:
    workflow = pipeline.workflow("build")
    workflow.job("test")
    assert cli("approve", workflow.id) == (1, "", "error: no job is on hold for an approval\n")

    held = on_hold(pipeline)
    assert cli("approve", held.id, "hold-on") == (
        1, "", "error: no job named 'hold-on' is on hold for an approval; on hold: hold (release)\n"
    )  # fmt: skip
    assert posts(fake) == []


def test_a_job_without_approval_request_id_is_approved_by_its_own_id(
    cli: Cli, pipeline: Pipeline, fake: FakeCircleCI
) -> None:
    workflow = on_hold(pipeline)
    job = {"id": workflow.jobs[1].id, "name": "hold", "type": "approval", "status": "on_hold"}
    fake.fail("*/job", body={"items": [job], "next_page_token": None})

    assert cli("approve", workflow.id).code == 0
    assert workflow.jobs[1].status == "success"


@pytest.mark.parametrize("command", ["approve", "cancel"])
def test_an_unknown_id_is_an_error_that_names_the_kinds_tried(cli: Cli, fake: FakeCircleCI, command: str) -> None:
    code, out, err = cli(command, ID)

    assert (code, out) == (1, "")
    assert re.fullmatch(r"error: 404 Not Found: .* \[hint: .*; no .* has this id\] \((GET|POST) .*\)\n", err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("approve", "build"), "expected the id or the URL of a workflow or a pipeline, got 'build'"),
        (("approve", "https://circleci.com/gh/acme/api/42"), "got that of a job"),
        (("cancel", "gh/acme/api"), "expected the id or the URL of a workflow, a pipeline or a job, got 'gh/acme/api'"),
        (("cancel", "acme", "42"), "'acme'"),
        (("rerun", "build"), "expected the id or the URL of a workflow, got 'build'"),
        (("rerun", f"{APP}/23"), "got that of a pipeline"),
        (("rerun", f"{APP}/23/workflows/{ID}/jobs/42"), "got that of a job: use --job NAME"),
        (("rerun", ID, "--from-failed", "--job", "test"), "--from-failed and --job cannot be combined"),
        (("rerun", ID, "--ssh"), "--ssh requires --job"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_invalid_arguments_are_bad_usage_and_send_nothing(
    cli: Cli, fake: FakeCircleCI, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = cli(*arguments)

    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert fake.requests == []


# rerun


@pytest.fixture
def failed(pipeline: Pipeline) -> Workflow:
    workflow = pipeline.workflow("build", status="failed")
    lint = workflow.job("lint")
    workflow.job("test", status="failed", requires=[lint])
    return workflow


def sent(fake: FakeCircleCI) -> Any:
    [request] = [request for request in fake.requests if request.method == "POST"]
    return json.loads(request.body)


def test_a_workflow_is_rerun(cli: Cli, failed: Workflow, fake: FakeCircleCI) -> None:
    code, out, err = cli("rerun", failed.id)

    assert (code, err) == (0, "")
    [_, again] = failed.pipeline.workflows
    assert out == f"Workflow: {again.id}\n"
    assert sent(fake) == {}
    assert len(fake.requests) == 1


def test_only_failed_jobs_are_rerun(cli: Cli, failed: Workflow, fake: FakeCircleCI) -> None:
    ran = cli("rerun", f"{APP}/1/workflows/{failed.id}", "--from-failed", "--json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.data == {"workflow_id": failed.pipeline.workflows[1].id}
    assert sent(fake) == {"from_failed": True}


@pytest.mark.parametrize("option", ["--job", "--jobs", "-j"])
def test_jobs_are_rerun_by_name_or_id_and_with_ssh(cli: Cli, failed: Workflow, fake: FakeCircleCI, option: str) -> None:
    lint, test = failed.jobs

    assert cli("rerun", failed.id, option, "test", option, lint.id, "--ssh").code == 0

    assert sent(fake) == {"jobs": [test.id, lint.id], "enable_ssh": True}


def test_an_unknown_job_is_bad_usage_that_lists_the_jobs(cli: Cli, failed: Workflow, fake: FakeCircleCI) -> None:
    message = "error: --job must be a job of the workflow (lint, test), got 'tset'\n"
    assert cli("rerun", failed.id, "--job", "tset") == (2, "", message)
    assert posts(fake) == []


def test_a_rerun_that_the_server_rejects_is_an_error(cli: Cli, pipeline: Pipeline) -> None:
    code, out, err = cli("rerun", on_hold(pipeline).id)

    assert (code, out) == (1, "")
    assert "its status is on_hold" in err


# cancel

SOON = ("--interval", "0.05", "--grace", "0.05")
CANCELING = "canceling all workflows until the pipeline has ended; Ctrl-C stops waiting\n"


def running(pipeline: Pipeline, name: str = "build") -> Workflow:
    workflow = pipeline.workflow(name, status="running")
    workflow.job("test", status="running")
    return workflow


def test_a_workflow_is_canceled(cli: Cli, pipeline: Pipeline, fake: FakeCircleCI) -> None:
    workflow, other = running(pipeline), running(pipeline, "other")

    assert cli("cancel", workflow.id) == (0, f"Canceling workflow build ({workflow.id})\n", "")

    assert (workflow.status, other.status) == ("canceled", "running")
    assert posts(fake) == [f"/workflow/{workflow.id}/cancel"]


def test_the_unfinished_workflows_of_a_pipeline_are_canceled(cli: Cli, pipeline: Pipeline) -> None:
    pipeline.workflow("docs").job("docs")
    workflows = [running(pipeline, "a"), on_hold(pipeline, "b")]

    ran = cli("cancel", pipeline.id, "--json", *SOON)

    assert (ran.code, ran.err) == (0, CANCELING)
    assert ran.data == [{"kind": "workflow", "id": each.id, "name": each.name} for each in workflows]
    assert [each.status for each in pipeline.workflows] == ["success", "canceled", "canceled"]


def test_a_workflow_that_appears_after_cancel_began_is_canceled_too(
    cli: Cli, pipeline: Pipeline, fake: FakeCircleCI
) -> None:
    first = running(pipeline, "setup")

    def continue_pipeline() -> None:
        wait_until(lambda: first.status == "canceled")
        running(pipeline, "build")

    with meanwhile(continue_pipeline):
        ran = cli("cancel", f"{APP}/1", "--interval", "0.05", "--grace", "0.4")

    late = pipeline.workflows[-1]
    assert (ran.code, late.status) == (0, "canceled")
    assert ran.out == f"Canceled workflow setup ({first.id})\nCanceled workflow build ({late.id})\n"


def test_a_pipeline_that_does_not_end_in_time_has_an_exit_code(
    cli: Cli, pipeline: Pipeline, fake: FakeCircleCI
) -> None:
    running(pipeline)
    fake.fail("*/cancel", status=202, body={"message": "Accepted."}, times=None)

    code, out, err = cli("cancel", pipeline.id, "--interval", "0.05", "--within", "0.1")

    assert (code, out) == (4, "")
    assert re.search(
        r"^error: pipeline .* did not end within 0\.1 s \[hint: run the same command again", err, re.MULTILINE
    )


def test_canceling_a_finished_build_changes_nothing(cli: Cli, pipeline: Pipeline, fake: FakeCircleCI) -> None:
    pipeline.workflow("docs").job("docs")

    assert cli("cancel", f"{APP}/1", *SOON) == (0, "", f"{CANCELING}already finished: nothing to cancel\n")
    assert cli("cancel", pipeline.id, "--json", *SOON).data == []
    assert posts(fake) == []
    assert cli("cancel", "gh/acme/api", 1) == (0, "", "already finished: nothing to cancel\n")
    assert cli("cancel", f"{APP}/1/workflows/{ID}/jobs/1", "--json").data == []


def test_a_job_is_canceled_by_id_number_or_page_url(cli: Cli, pipeline: Pipeline, fake: FakeCircleCI) -> None:
    workflow = pipeline.workflow("build", status="running")
    one, two, three = (workflow.job(name, status="running") for name in "abc")

    assert cli("cancel", one.id) == (0, f"Canceling job {one.id}\n", "")
    assert cli("cancel", "gh/acme/api", 2) == (0, "Canceling job 2 of gh/acme/api\n", "")
    ran = cli("cancel", f"{APP}/1/workflows/{workflow.id}/jobs/3", "--json")

    assert ran.data == [{"kind": "job", "project": "gh/acme/api", "number": 3}]
    assert [job.status for job in (one, two, three)] == ["canceled"] * 3


def test_a_workflow_url_that_is_not_found_is_not_tried_as_another_kind(cli: Cli, fake: FakeCircleCI) -> None:
    code, _, err = cli("cancel", f"https://app.circleci.com/workflow/{ID}")

    assert code == 1
    assert err.startswith("error: 404 Not Found")
    assert [request.path for request in fake.requests] == [f"/api/v2/workflow/{ID}"]
