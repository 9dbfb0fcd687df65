"""`watch`."""

import json
import re

import pytest

from circleci_async.testing import FakeCircleCI, Pipeline, Project, World

from .conftest import Cli, signal_when

SLUG = "gh/acme/api"
INTERVAL = ("--interval", "0.1")


@pytest.fixture
def project(world: World, fake: FakeCircleCI) -> Project:
    return world.project(SLUG)


@pytest.fixture
def failed(project: Project) -> Pipeline:
    pipeline = project.pipeline(branch="main")
    workflow = pipeline.workflow("build", status="failed")
    workflow.job("lint", duration=12)
    workflow.job("test", status="failed", duration=75)
    return pipeline


def test_a_pipeline_is_given_by_number_id_page_url_or_as_the_newest(cli: Cli, failed: Pipeline) -> None:
    page = f"https://app.circleci.com/pipelines/github/acme/api/{failed.number}"
    for target in ([SLUG, failed.number], [failed.id], [page], [SLUG], [SLUG, "--branch", "main"]):
        code, out, err = cli("watch", *target, *INTERVAL)
        lines = [line[10:] for line in out.splitlines()[1:]]
        assert code == 1
        assert out.splitlines()[0] == "Pipeline 1 of gh/acme/api"
        assert lines == ["build / lint  success  12s", "build / test  failed  1m 15s", "build  failed  1m 15s"]
        number = failed.workflows[0].jobs[1].number
        assert err == f"test failed; see: circleci-async logs gh/acme/api {number} --failed\n"


def test_a_workflow_is_given_by_id_or_page_url(cli: Cli, failed: Pipeline) -> None:
    (workflow,) = failed.workflows
    page = f"https://app.circleci.com/pipelines/github/acme/api/{failed.number}/workflows/{workflow.id}"
    for target in (workflow.id, page):
        code, out, _ = cli("watch", target, *INTERVAL)
        assert (code, out.splitlines()[0]) == (1, "Pipeline 1 of gh/acme/api")
        assert out.splitlines()[-1].endswith("build  failed  1m 15s")


def test_json_has_a_line_per_change_and_one_for_the_result(cli: Cli, failed: Pipeline) -> None:
    code, out, _ = cli("watch", failed.id, *INTERVAL, "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [(each["kind"], each["name"], each["before"], each["after"]) for each in events[:-1]] == [
        ("pipeline", "1", None, "created"),
        ("job", "lint", None, "success"),
        ("job", "test", None, "failed"),
        ("workflow", "build", None, "failed"),
    ]
    assert events[1]["workflow"] == {"id": failed.workflows[0].id, "name": "build"}
    assert events[1]["item"]["status"] == "success"
    assert (events[-1]["event"], events[-1]["status"]) == ("result", "failed")
    assert [each["name"] for each in events[-1]["workflows"]] == ["build"]


def test_a_tree_is_drawn_on_a_terminal(cli: Cli, project: Project) -> None:
    project.on_trigger("build", ("lint", "test"))
    code, screen, _ = cli.on_terminal("trigger", SLUG, "--wait", *INTERVAL)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    assert code == 0
    assert "Pipeline 1 of gh/acme/api" in plain
    assert re.search(r"└── build  success  [\d.]+s", plain)
    assert re.search(r"└── test  success  [\d.]+s", plain)


def test_the_tree_contains_the_command_that_approves(cli: Cli, project: Project) -> None:
    project.on_trigger("release", ("hold:approval",))
    code, screen, _ = cli.on_terminal("trigger", SLUG, "--wait", *INTERVAL, "--on-hold", "return")
    (workflow,) = project.pipelines.all[0].workflows
    assert code == 3
    assert f"circleci-async approve {workflow.id}" in re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen))


def test_changes_are_lines_on_a_dumb_terminal(cli: Cli, failed: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    code, screen, _ = cli.on_terminal("watch", failed.id, *INTERVAL)
    assert code == 1
    assert "build / lint  success  12s\n" in screen
    assert "└──" not in screen


def test_ctrl_c_prints_the_command_that_continues(cli: Cli, project: Project, fake: FakeCircleCI) -> None:
    project.on_trigger("build", ("lint",), workflow_delay=1000)

    def watched() -> bool:
        return any(each.path.endswith("/workflow") for each in fake.requests)

    with signal_when(watched):
        code, _, err = cli.on_terminal("trigger", SLUG, "--wait", *INTERVAL)
    assert code == 130
    assert f"the build continues; watch it with: circleci-async watch {project.pipelines.all[0].id}" in err


def test_the_name_of_a_job_is_quoted_for_the_shell(cli: Cli, project: Project) -> None:
    workflow = project.pipeline().workflow("release", status="on_hold")
    workflow.job("ship it; rm -rf", approval=True, status="on_hold")
    code, _, err = cli("watch", workflow.id, *INTERVAL, "--on-hold", "return")
    assert (code, err) == (3, f"on hold; approve with: circleci-async approve {workflow.id} 'ship it; rm -rf'\n")


def test_an_unknown_id_is_an_error(cli: Cli, fake: FakeCircleCI) -> None:
    code, out, err = cli("watch", "00000000-0000-0000-0000-000000000000")
    assert (code, out) == (1, "")
    assert "no pipeline and no workflow has this id" in err


def test_a_project_without_pipelines_is_an_error(cli: Cli, project: Project) -> None:
    assert "gh/acme/api has no pipeline of the branch dev" in cli("watch", SLUG, "--branch", "dev").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "expected the id or the URL of a pipeline or a workflow, or a project, got 'nonsense'"),
        ([SLUG, 1, "--branch", "main"], "NUMBER and --branch cannot be combined"),
        (["00000000-0000-0000-0000-000000000000", "--branch", "main"], "--branch requires a project"),
        ([SLUG, 1, "--interval", "1,2,3"], "--interval must be seconds"),
        ([SLUG, 1, "--interval", "2,1"], "--interval must be seconds, or two numbers of seconds in ascending order"),
        (["https://app.circleci.com/jobs/gh/acme/api/12"], "got that of a job"),
    ],
)
def test_invalid_arguments_are_bad_usage_and_send_nothing(
    cli: Cli, fake: FakeCircleCI, arguments: list[object], message: str
) -> None:
    code, _, err = cli("watch", *arguments)
    assert code == 2
    assert message in err
    assert fake.requests == []
