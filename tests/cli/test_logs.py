"""`logs`."""

import json

import pytest

from circleci_async.cli.logs import ranges
from circleci_async.testing import FakeCircleCI, Job, World

from .conftest import Cli
from .process import wait_until

SLUG = "gh/acme/api"
RED, PLAIN = "\x1b[31m", "\x1b[0m"


@pytest.fixture
def job(world: World, fake: FakeCircleCI) -> Job:
    job = world.project(SLUG).pipeline().workflow("build", status="failed").job("test", status="failed", parallelism=2)
    for node in (0, 1):
        job.step("Spin up environment", node=node, output="Build-agent version 1\n", duration=2)
    job.step("pytest", node=0, output=f"collected 9 items\n{RED}1 failed{PLAIN}\n", exit_code=1, duration=61)
    job.step("pytest", node=1, output="collected 8 items\n\t8 passed\n", exit_code=0)
    return job


def test_the_output_is_printed_by_step_and_node(cli: Cli, job: Job) -> None:
    code, out, err = cli("logs", SLUG, job.number)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "== Spin up environment (node 0)  success  2.0s",
        "Build-agent version 1",
        "== Spin up environment (node 1)  success  2.0s",
        "Build-agent version 1",
        "== pytest (node 0)  failed  1m 01s",
        "collected 9 items",
        "1 failed",
        "== pytest (node 1)  success  1.0s",
        "collected 8 items",
        "        8 passed",
    ]


def test_a_job_is_given_by_its_page_url(cli: Cli, job: Job) -> None:
    page = f"https://app.circleci.com/pipelines/github/acme/api/1/workflows/{job.workflow.id}/jobs/{job.number}"
    assert cli("logs", page) == cli("logs", SLUG, job.number)


def test_failed_prints_the_last_lines_of_the_failed_steps(cli: Cli, job: Job) -> None:
    assert cli("logs", SLUG, job.number, "--failed") == (
        0,
        "== pytest  failed  exit code 1\ncollected 9 items\n1 failed\n",
        "",
    )
    assert cli("logs", SLUG, job.number, "--failed", "--tail", 1).out.splitlines()[1:] == ["1 failed"]
    (failure,) = cli("logs", SLUG, job.number, "--failed", "--json").data
    assert (failure["name"], failure["node"], failure["exit_code"]) == ("pytest", 0, 1)
    assert failure["text"] == "collected 9 items\n1 failed"


def test_failed_prints_the_same_output_of_several_nodes_once(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    job = world.project(SLUG).pipeline().workflow().job("test", status="failed", parallelism=6)
    for node in (0, 1, 2, 4, 5):
        job.step("pytest", node=node, output="2 failed\n" if node == 4 else "1 failed\n", exit_code=1)
    job.step("pytest", node=3, output="passed\n")
    job.step("Upload", node=5, output="1 failed\n", exit_code=2)

    assert cli("logs", SLUG, job.number, "--failed").out.splitlines() == [
        "== pytest (nodes 0-2, 5)  failed  exit code 1",
        "1 failed",
        "== pytest (node 4)  failed  exit code 1",
        "2 failed",
        "== Upload (node 5)  failed  exit code 2",
        "1 failed",
    ]
    assert len(cli("logs", SLUG, job.number, "--failed", "--json").data) == 6


def test_failed_shows_one_node_alone(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    job = world.project(SLUG).pipeline().workflow().job("test", status="failed", parallelism=3)
    for node in (0, 1):
        job.step("pytest", node=node, output=f"{node} failed\n", exit_code=1)
    job.step("pytest", node=2, output="passed\n")

    asked = len(fake.requests)
    one = cli("logs", SLUG, job.number, "--failed", "--node", 1)

    assert one == (0, "== pytest  failed  exit code 1\n1 failed\n", "")
    assert [each.origin for each in fake.requests[asked:]].count("storage") <= 1
    assert [each["node"] for each in cli("logs", SLUG, job.number, "--failed", "--node", 1, "--json").data] == [1]
    assert cli("logs", SLUG, job.number, "--failed", "--node", 2) == (0, "", "no failed steps on node 2\n")


def test_nodes_are_listed_as_ranges() -> None:
    assert [ranges(each) for each in ([3], [0, 1], [0, 1, 2], [5, 3, 4, 0, 7, 8])] == [
        "3",
        "0, 1",
        "0-2",
        "0, 3-5, 7, 8",
    ]


def test_colours_are_printed_only_with_ansi(cli: Cli, job: Job) -> None:
    assert f"{RED}1 failed{PLAIN}" in cli("logs", SLUG, job.number, "--failed", "--ansi").out
    assert "\x1b" not in cli("logs", SLUG, job.number).out


def test_control_characters_are_escaped(cli: Cli, job: Job) -> None:
    job.step("odd", node=0, output="\u202e reversed\n")
    assert "\\u202e reversed" in cli("logs", SLUG, job.number, "--step", "odd").out


def test_step_and_node_select_the_output(cli: Cli, job: Job) -> None:
    assert cli("logs", SLUG, job.number, "--step", "pytest", "--node", 1).out == "collected 8 items\n        8 passed\n"
    tails = cli("logs", SLUG, job.number, "--step", "99", "--tail", 1).out
    assert tails.splitlines() == ["1 failed", "        8 passed"]
    outputs = cli("logs", SLUG, job.number, "--step", "pytest", "--json").data
    assert [(each["node"], each["text"].split("\n")[-1]) for each in outputs] == [(0, "1 failed"), (1, "\t8 passed")]
    assert {each["output_url"] for each in outputs} == {None}


def test_the_steps_are_listed(cli: Cli, job: Job) -> None:
    assert cli("logs", SLUG, job.number, "--steps").out.splitlines() == [
        "Number  Step                 Status   Exit code  Nodes  Took",
        "0       Spin up environment  success  0          2      2.0s",
        "99      pytest               failed   1          2      1m 01s",
    ]


def test_follow_prints_new_output_until_the_job_is_finished(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    project = world.project(SLUG)
    project.on_trigger("build", ("test:failed",), output={"test": "one\ntwo\nthree\n"})
    cli("trigger", SLUG)
    wait_until(lambda: fake.world.jobs)
    (job,) = project.jobs.values()
    ran = cli("logs", SLUG, job.number, "--follow", "--interval", "0.1,1")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [line for line in lines if line in {"one", "two", "three"}] == ["one", "two", "three"]
    assert any(line.startswith("== ") for line in lines)
    events = [json.loads(line) for line in cli("logs", SLUG, job.number, "--follow", "--json").out.splitlines()]
    assert [each["text"] for each in events if each["text"] in {"one", "two", "three"}] == ["one", "two", "three"]


def test_failed_prints_nothing_for_a_successful_job(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    job = world.project(SLUG).pipeline().workflow().job("lint")
    job.step("ruff", output="All checks passed!\n")
    assert cli("logs", SLUG, job.number, "--failed") == (0, "", "no failed steps\n")


def test_an_unknown_job_or_step_is_an_error(cli: Cli, job: Job) -> None:
    code, _, err = cli("logs", SLUG, 4711)
    assert code == 1
    assert "404" in err
    code, _, err = cli("logs", SLUG, job.number, "--step", "mypy")
    assert code == 2
    assert "--step must be a step of the job (Spin up environment, pytest), got 'mypy'" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([SLUG], "expected a project and a job number, or the URL of a job, got 'gh/acme/api'"),
        ([SLUG, 1, "--failed", "--follow"], "--failed, --follow and --steps cannot be combined"),
        ([SLUG, 1, "--failed", "--step", "x"], "--step cannot be combined with"),
        ([SLUG, 1, "--follow", "--node", 1], "--node cannot be combined with"),
        ([SLUG, 1, "--steps", "--node", 1], "--node cannot be combined with"),
        ([SLUG, 1, "--follow", "--tail", 3], "--tail cannot be combined with"),
        ([SLUG, 1, "--interval", 1], "--interval requires --follow"),
        ([SLUG, 1, "--follow", "--interval", "0"], "--interval must be seconds"),
        (["https://app.circleci.com/pipelines/github/acme/api/1"], "got that of a workflow or a pipeline"),
    ],
)
def test_invalid_arguments_are_bad_usage_and_send_nothing(
    cli: Cli, fake: FakeCircleCI, arguments: list[object], message: str
) -> None:
    code, out, err = cli("logs", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert fake.requests == []
