"""Commands that show data: tables for people, JSON for programs."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from circleci_async.testing import FakeCircleCI, Project, World

from .conftest import Cli

BEGAN = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


@pytest.fixture
def project(world: World, fake: FakeCircleCI) -> Project:
    return world.project("gh/acme/api")


def test_me_shows_the_user_and_the_source_of_the_token(cli: Cli, fake: FakeCircleCI, world: World) -> None:
    code, out, err = cli("me")

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Login:      octo-dev",
        "Name:       Octo Dev",
        f"Id:         {world.me.id}",
        f"Host:       {fake.url}",
        "Token from: CIRCLE_TOKEN",
    ]


def test_me_as_json_is_the_user(cli: Cli, fake: FakeCircleCI, world: World) -> None:
    ran = cli("me", "--json")

    assert (ran.code, ran.err) == (0, "")
    assert {"id": world.me.id, "login": "octo-dev", "name": "Octo Dev"}.items() <= ran.data.items()


def test_a_project_is_shown(cli: Cli, project: Project) -> None:
    code, out, _ = cli("project", "https://github.com/acme/api")

    assert code == 0
    assert "Project:        gh/acme/api\n" in out
    assert "Default branch: main\n" in out
    assert cli("project", "gh/acme/api", "--json").data["slug"] == "gh/acme/api"


def test_pipelines_are_listed_newest_first(cli: Cli, project: Project, world: World) -> None:
    ada = world.user("ada")
    older = project.pipeline(branch="main", created_at=BEGAN, actor=ada, subject="Begin")
    newer = project.pipeline(tag="v1.0", created_at=BEGAN, subject="Release", errors=[("config", "bad")])

    code, out, err = cli("pipelines", "gh/acme/api")

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Number  State    Branch or tag  Created               By        Commit   Id",
        f"2       errored  v1.0           2026-05-04T12:30:00Z  octo-dev  Release  {newer.id}",
        f"1       created  main           2026-05-04T12:30:00Z  ada       Begin    {older.id}",
    ]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ((), [*range(45, 25, -1)]),
        (("--limit", "41"), [*range(45, 4, -1)]),
        (("--limit", "40"), [*range(45, 5, -1)]),
        (("--limit", "0"), [*range(45, 0, -1)]),
        (("--branch", "odd"), [3, 2]),
        (("--mine",), [45]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_select_the_same_pipelines_in_json_and_in_tables(
    cli: Cli, project: Project, world: World, fake: FakeCircleCI, options: tuple[str, ...], numbers: list[int]
) -> None:
    ada = world.user("ada")
    for number in range(1, 45):
        project.pipeline(branch="odd" if number in (2, 3) else "main", actor=ada)
    project.pipeline(branch="main")

    ran = cli("pipelines", "gh/acme/api", *options, "--json")
    asked = len(fake.requests)
    table = cli("pipelines", "gh/acme/api", *options)

    assert [each["number"] for each in ran.data] == numbers
    assert [int(line.split()[0]) for line in table.out.splitlines()[1:]] == numbers
    assert asked == len(fake.requests) - asked == -(-len(numbers) // 20)  # no unneeded page is requested


def test_a_json_array_has_one_item_per_line(cli: Cli, project: Project) -> None:
    for _ in range(3):
        project.pipeline()

    out = cli("pipelines", "gh/acme/api", "--json").out

    assert [line[:1] for line in out.splitlines()] == ["[", "{", "{", "{", "]"]


def test_an_empty_list_is_noted_on_stderr_and_an_empty_array_in_json(cli: Cli, project: Project) -> None:
    assert cli("pipelines", "gh/acme/api") == (0, "", "no pipelines of gh/acme/api\n")
    assert cli("pipelines", "gh/acme/api", "--branch", "nope") == (0, "", "no pipelines on branch nope\n")
    assert cli("pipelines", "gh/acme/api", "--mine") == (0, "", "no pipelines of gh/acme/api that you triggered\n")
    assert cli("pipelines", "gh/acme/api", "--json") == (0, "[]\n", "")


@pytest.mark.parametrize("by_number", [True, False])
def test_workflows_of_a_pipeline_by_its_id_or_number(cli: Cli, project: Project, by_number: bool) -> None:
    pipeline = project.pipeline(created_at=BEGAN)
    build = pipeline.workflow("build", status="failed")
    build.job("test", status="failed", duration=75)
    hold = pipeline.workflow("deploy", status="on_hold")

    target = ("gh/acme/api", 1) if by_number else (pipeline.id,)
    code, out, err = cli("workflows", *target)

    assert (code, err) == (0, "")
    header, *rows = out.splitlines()
    assert header.split() == ["Workflow", "Status", "Created", "Took", "Id"]
    assert sorted(" ".join(row.split()) for row in rows) == [
        f"build failed 2026-05-04T12:30:00Z 1m 15s {build.id}",
        f"deploy on_hold 2026-05-04T12:30:00Z - {hold.id}",
    ]
    assert {each["id"] for each in cli("workflows", *target, "--json").data} == {build.id, hold.id}


def test_jobs_of_a_workflow(cli: Cli, project: Project) -> None:
    workflow = project.pipeline(created_at=BEGAN).workflow("build", status="on_hold")
    test = workflow.job("test", duration=5)
    hold = workflow.job("hold", approval=True, requires=[test])

    code, out, err = cli("jobs", workflow.id)

    assert (code, err) == (0, "")
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "Number Job Status Type Started Took Id",
        f"1 test success build 2026-05-04T12:30:00Z 5.0s {test.id}",
        f"- hold on_hold approval - - {hold.id}",
    ]
    assert [each["name"] for each in cli("jobs", workflow.id, "--json").data] == ["test", "hold"]


def test_one_job_is_shown_with_a_summary_of_its_tests(cli: Cli, project: Project) -> None:
    job = (
        project.pipeline(created_at=BEGAN)
        .workflow("build", status="failed")
        .job("test", status="failed", duration=4000, parallelism=2, contexts=["deploy", "slack"])
    )
    for number in range(21):
        job.test(f"test_{number}")
    job.test("test_bad", result="failure", classname="tests.test_auth", message="401 != 200\n  in line 3")
    job.test("test_left_out", result="skipped")

    code, out, err = cli("jobs", "gh/acme/api", 1)

    assert (code, err) == (0, "")
    record, table = out.split("\n\n")
    fields = dict(line.split(":", 1) for line in record.splitlines())
    assert {name: value.strip() for name, value in fields.items()} == {
        "Job": "test (1)",
        "Status": "failed",
        "Project": "gh/acme/api",
        "Workflow": "build",
        "Pipeline": job.workflow.pipeline.id,
        "Started": "2026-05-04T12:30:00Z",
        "Took": "1h 06m",
        "Executor": "docker medium",
        "Parallel runs": "2",
        "Contexts": "deploy, slack",
        "Tests": "21 success, 1 failure, 1 skipped",
        "Page": fields["Page"].strip(),
    }
    assert [" ".join(line.split()) for line in table.splitlines()] == [
        "Failed test In Message",
        "test_bad tests.test_auth 401 != 200 in line 3",
    ]


def test_one_job_as_json_contains_test_counts_and_failed_tests(cli: Cli, project: Project) -> None:
    job = project.pipeline().workflow("build").job("test")
    job.test("test_good")
    job.test("test_bad", result="error", message="boom")

    data: dict[str, Any] = cli("jobs", "gh/acme/api", 1, "--json").data

    assert (data["number"], data["name"], data["status"]) == (1, "test", "success")
    assert (data["tests"]["total"], data["tests"]["results"]) == (2, {"success": 1, "error": 1})
    assert [(each["name"], each["message"]) for each in data["tests"]["failures"]] == [("test_bad", "boom")]


def test_a_job_that_has_not_started_has_no_times(cli: Cli, project: Project) -> None:
    project.pipeline().workflow("build", status="running").job("test", status="queued")

    code, out, _ = cli("jobs", "gh/acme/api", 1)

    assert code == 0
    assert [line.split() for line in out.splitlines() if line.startswith(("Started", "Took", "Tests"))] == [
        ["Started:", "-"],
        ["Took:", "-"],
        ["Tests:", "-"],
    ]


def test_insights_are_shown_in_the_order_of_the_arguments(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    for name in ("api", "web"):
        pipeline = world.project(f"gh/acme/{name}").pipeline(branch="main")
        pipeline.workflow("build").job("test", duration=100)
    world.project("gh/acme/idle")
    fake.fail("*/insights/gh/acme/api/*", delay=0.2)

    code, out, err = cli("insights", "gh/acme/api", "gh/acme/web", "gh/acme/idle", "github/acme/web")

    assert (code, err) == (0, "gh/acme/idle: no workflow runs in this window\n")
    header, *rows = out.splitlines()
    assert header.split() == [
        "Project",
        "Workflow",
        "Runs",
        "Success",
        "Per",
        "day",
        "Median",
        "p95",
        "Recovery",
        "Credits",
    ]
    assert [row.split()[:4] for row in rows] == [
        ["gh/acme/api", "build", "1", "100.0%"],
        ["gh/acme/web", "build", "1", "100.0%"],
    ]
    assert "1m 40s" in rows[0]


def test_a_failed_project_does_not_affect_the_others(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    world.project("gh/acme/api").pipeline().workflow("build").job("test")

    code, out, err = cli("insights", "gh/acme/nope", "gh/acme/api")

    assert code == 1
    assert out.splitlines()[1].startswith("gh/acme/api")
    assert re.fullmatch(
        r"error: gh/acme/nope: 404 Not Found: Project not found \[hint: [Cc]heck the name, .*\] \(GET .*\)\n", err
    )

    ran = cli("insights", "gh/acme/nope", "gh/acme/api", "--json")

    assert ran.code == 1
    found = {each["project"]: each for each in ran.data}
    assert "404" in found["gh/acme/nope"]["error"]
    assert [each["name"] for each in found["gh/acme/api"]["workflows"]] == ["build"]


def test_if_all_projects_fail_no_table_is_printed(cli: Cli, fake: FakeCircleCI) -> None:
    code, out, _ = cli("insights", "gh/acme/nope")

    assert (code, out) == (1, "")


def test_the_hint_of_a_failed_project_names_options_of_the_command_line(
    cli: Cli, world: World, fake: FakeCircleCI
) -> None:
    world.project("gh/acme/api")
    fake.fail("*/insights/*", status=429, headers={"Retry-After": "86400"}, times=None)

    code, _, err = cli("insights", "gh/acme/api")

    assert code == 1
    assert "[hint: " in err
    assert "RetryPolicy" not in err


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ((), {}),
        (("--branch", "dev"), {"branch": "dev"}),
        (("--all-branches", "--window", "last-7-days"), {"all-branches": "true", "reporting-window": "last-7-days"}),
    ],
    ids=["default", "branch", "all-branches"],
)
def test_options_of_insights_become_query_parameters(
    cli: Cli, world: World, fake: FakeCircleCI, options: tuple[str, ...], query: dict[str, str]
) -> None:
    world.project("gh/acme/api")

    assert cli("insights", "gh/acme/api", *options).code == 0

    assert [dict(each.query) for each in fake.requests] == [query]


def test_shared_options_are_accepted_before_and_after_the_command(cli: Cli, fake: FakeCircleCI) -> None:
    elsewhere = ("--host", "http://127.0.0.1:9", "--attempts", "1")

    before = cli(*elsewhere, "--json", "me", "--host", fake.url)
    after = cli("me", *elsewhere)
    group = cli("--json", "artifacts", "list", "gh/acme/api", 1)

    assert (before.code, before.data["login"]) == (0, "octo-dev")  # the option after the command wins
    assert after.code == 1
    assert "http://127.0.0.1:9" in after.err
    assert (group.code, group.out) == (1, "")


def several_projects(world: World) -> None:
    for days, name in ((3, "api"), (1, "web")):
        pipeline = world.project(f"gh/acme/{name}").pipeline(created_at=world.clock() - timedelta(days=days))
        pipeline.workflow("build").job("test").artifact("a.txt", name.encode())
    world.project("gh/acme/idle")
    world.project("gh/other/lib").pipeline()


def test_the_projects_of_an_organization_are_listed(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    several_projects(world)

    code, out, err = cli("projects", "gh/acme")
    assert (code, err) == (0, "")
    web, api = (world.projects[f"gh/acme/{name}"].pipelines.all[0].created_at for name in ("web", "api"))
    assert [line.split() for line in out.splitlines()] == [
        ["Project", "Last", "pipeline"],
        ["gh/acme/web", f"{web:%Y-%m-%dT%H:%M:%SZ}"],
        ["gh/acme/api", f"{api:%Y-%m-%dT%H:%M:%SZ}"],
        ["gh/acme/idle", "-"],
    ]
    assert "1d ago" in cli.on_terminal("projects", "gh/acme").out
    ran = cli("projects", "https://app.circleci.com/pipelines/github/acme", "--json")
    assert ran.code == 0
    assert [(each["slug"], each["name"], each["organization_slug"]) for each in ran.data] == [
        ("gh/acme/web", "web", "gh/acme"),
        ("gh/acme/api", "api", "gh/acme"),
        ("gh/acme/idle", "idle", "gh/acme"),
    ]


def test_projects_are_listed_since_a_time(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    several_projects(world)
    ran = cli("projects", "gh/acme", "--since", "2d", "--json")
    dates = {each["slug"]: each["last_pipeline_at"] for each in ran.data}
    assert [slug for slug, date in dates.items() if date] == ["gh/acme/web"]
    wrong = cli("projects", "gh/acme", "--since", "soon")
    assert (wrong.code, wrong.err[:23]) == (2, "error: --since must be ")


def test_a_list_of_projects_says_that_pipelines_were_not_read(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    several_projects(world)
    code, out, err = cli("projects", "gh/acme", "--look-back", 1)
    assert (code, len(out.splitlines())) == (0, 4)
    assert err == "read the newest 1 pipelines: a larger --look-back can find more projects\n"


@pytest.mark.parametrize(("organization", "code"), [("acme", 2), ("gh/acme/api", 2), ("gh/nobody", 1)])
def test_projects_of_what_is_not_an_organization(cli: Cli, fake: FakeCircleCI, organization: str, code: int) -> None:
    ran = cli("projects", organization)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("error: ")


def test_insights_of_an_organization_are_shown(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    several_projects(world)
    code, out, err = cli("insights", "gh/other/lib", "gh/acme")
    assert [row.split()[0] for row in out.splitlines()[1:]] == ["gh/acme/api", "gh/acme/web"]
    assert (code, err.splitlines()) == (
        0,
        [f"{slug}: no workflow runs in this window" for slug in ("gh/other/lib", "gh/acme/idle")],
    )
    found = cli("insights", "gh/acme", "--json").data
    assert sorted(each["project"] for each in found) == ["gh/acme/api", "gh/acme/idle", "gh/acme/web"]


def test_an_organization_is_harvested(cli: Cli, world: World, fake: FakeCircleCI, tmp_path: Path) -> None:
    several_projects(world)
    assert cli("harvest", "run", "gh/acme", "--into", tmp_path / "out").code == 0
    assert sorted(path.read_text() for path in (tmp_path / "out").rglob("a.txt")) == ["api", "web"]
