"""Watching a pipeline or a workflow until it has ended."""

import json
import re

import pytest

from circleci_async.testing import FakeCircleCI, Pipeline, Project, World

from .conftest import Cli
from .process import run_on_terminal

SLUG = "gh/acme/api"
EVERY = ("--every", "0.1")


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


def test_a_pipeline_is_watched_by_its_number_its_id_its_page_or_as_the_newest(cli: Cli, failed: Pipeline) -> None:
    page = f"https://app.circleci.com/pipelines/github/acme/api/{failed.number}"
    for target in ([SLUG, failed.number], [failed.id], [page], [SLUG], [SLUG, "--branch", "main"]):
        code, out, err = cli("watch", *target, *EVERY)
        lines = [line[10:] for line in out.splitlines()[1:]]
        assert code == 1
        assert out.splitlines()[0] == "Pipeline 1 of gh/acme/api"
        assert lines == ["build / lint  success  12s", "build / test  failed  1m 15s", "build  failed  1m 15s"]
        number = failed.workflows[0].jobs[1].number
        assert err == f"why test failed: circleci-async logs gh/acme/api {number} --failed\n"


def test_a_workflow_is_watched_by_its_id_or_its_page(cli: Cli, failed: Pipeline) -> None:
    (workflow,) = failed.workflows
    page = f"https://app.circleci.com/pipelines/github/acme/api/{failed.number}/workflows/{workflow.id}"
    for target in (workflow.id, page):
        code, out, _ = cli("watch", target, *EVERY)
        assert (code, out.splitlines()[0]) == (1, "Pipeline 1 of gh/acme/api")
        assert out.splitlines()[-1].endswith("build  failed  1m 15s")


def test_for_programs_each_change_and_the_result_are_lines_of_json(cli: Cli, failed: Pipeline) -> None:
    code, out, _ = cli("watch", failed.id, *EVERY, "--json")
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


def test_on_a_terminal_a_tree_is_drawn(project: Project, fake: FakeCircleCI) -> None:
    project.on_trigger("build", ("lint", "test"))
    code, screen, _ = run_on_terminal("trigger", SLUG, "--wait", *EVERY)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    assert code == 0
    assert "Pipeline 1 of gh/acme/api" in plain
    assert re.search(r"└── build  success  [\d.]+s", plain)
    assert re.search(r"└── test  success  [\d.]+s", plain)


def test_on_a_terminal_what_to_type_for_an_approval_can_be_copied(project: Project, fake: FakeCircleCI) -> None:
    project.on_trigger("release", ("hold:approval",))
    code, screen, _ = run_on_terminal("trigger", SLUG, "--wait", *EVERY, "--on-hold", "return")
    (workflow,) = project.pipelines.all[0].workflows
    assert code == 3
    assert f"circleci-async approve {workflow.id}" in re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen))


def test_on_a_terminal_that_can_not_move_its_cursor_changes_are_lines(
    failed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    code, screen, _ = run_on_terminal("watch", failed.id, *EVERY)
    assert code == 1
    assert "build / lint  success  12s\n" in screen
    assert "└──" not in screen


def test_ctrl_c_says_how_to_go_on(project: Project, fake: FakeCircleCI) -> None:
    project.on_trigger("build", ("lint",), workflow_delay=1000)

    def watched() -> bool:
        return any(each.path.endswith("/workflow") for each in fake.requests)

    code, screen, _ = run_on_terminal("trigger", SLUG, "--wait", *EVERY, columns=100, interrupt_when=watched)
    assert code == 130
    assert f"it goes on; to watch it further: circleci-async watch {project.pipelines.all[0].id}" in screen


def test_a_job_is_named_as_a_shell_reads_it(cli: Cli, project: Project) -> None:
    workflow = project.pipeline().workflow("release", status="on_hold")
    workflow.job("ship it; rm -rf", approval=True, status="on_hold")
    code, _, err = cli("watch", workflow.id, *EVERY, "--on-hold", "return")
    assert (code, err) == (3, f"to approve it: circleci-async approve {workflow.id} 'ship it; rm -rf'\n")


def test_what_is_neither_a_pipeline_nor_a_workflow_is_an_error(cli: Cli, fake: FakeCircleCI) -> None:
    code, out, err = cli("watch", "00000000-0000-0000-0000-000000000000")
    assert (code, out) == (1, "")
    assert "Neither a pipeline nor a workflow has this id." in err


def test_a_project_without_pipelines_is_an_error(cli: Cli, project: Project) -> None:
    assert "gh/acme/api has no pipeline of the branch dev" in cli("watch", SLUG, "--branch", "dev").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "give the id of a pipeline or a workflow"),
        ([SLUG, 1, "--branch", "main"], "NUMBER and --branch can't be combined"),
        (["00000000-0000-0000-0000-000000000000", "--branch", "main"], "--branch goes with a project"),
        (["https://app.circleci.com/jobs/gh/acme/api/12"], "that is the page of a job"),
    ],
)
def test_what_can_not_be_watched_is_bad_usage(cli: Cli, fake: FakeCircleCI, arguments: list[object], said: str) -> None:
    code, _, err = cli("watch", *arguments)
    assert code == 2
    assert said in err
    assert fake.requests == []
