"""`report`."""

import asyncio
import csv
import re
import stat
import sys
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

import circleci_async as ca
from circleci_async.cli.output import Output
from circleci_async.cli.progress import InsightsProgressBar
from circleci_async.cli.report_summary import show_summary
from circleci_async.models import UsageExportState
from circleci_async.testing import FakeCircleCI, JobTest, World

from ..reports.worlds import run
from .conftest import Cli, Terminal, signal_when

API, WEB, EMPTY = "gh/acme/api", "gh/acme/web", "gh/other/empty"
TABLES = ["workflows", "runs", "jobs", "flaky_tests", "tests", "usage"]
QUESTIONS = [
    "Is it getting worse?",
    "How long do people wait?",
    "What is worth speeding up?",
    "Which tests flake, and what does that cost?",
    "Where do the credits go?",
    "Who waits in the queue?",
    "What is oversized?",
    "What changed against the window before?",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    path = tmp_path / "pages"
    path.mkdir()
    return path


@pytest.fixture
def acme(world: World, fake: FakeCircleCI) -> FakeCircleCI:
    """Two projects with six runs, one of them failed; a test is flaky. Another project has no runs, and no charts."""
    world.project(EMPTY)
    for slug, duration in ((API, 600), (WEB, 120)):
        project = world.project(slug)
        for day in (1, 8, 15):
            failed = slug == API and day == 8
            run(
                project,
                day,
                duration,
                status="failed" if failed else "success",
                revision="abc",
                tests=(JobTest("test_checkout", result="failure" if failed else "success", run_time=90.0),),
            )
    return fake


def plain(text: str) -> str:
    """Return a text without the codes of a terminal."""
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)


def test_a_pipe_gets_each_answer_as_plain_lines(cli: Cli, acme: FakeCircleCI) -> None:
    before = datetime.now(UTC).date()
    code, out, err = cli("report", API, WEB, "--window", "30d")

    assert code == 0
    assert "\x1b" not in out + err
    head, *answers, notes = out.split("\n\n")
    found = re.fullmatch(rf"2 projects, (\S+) to (\S+): 6 runs, {len(acme.requests)} requests", head)
    assert found
    first, last = map(date.fromisoformat, found.groups())
    assert last - first == timedelta(days=30)
    assert before <= last <= datetime.now(UTC).date()
    assert [answer.partition("\n")[0] for answer in answers] == QUESTIONS
    lines = dict(zip(QUESTIONS, [answer.strip().split("\n")[1:] for answer in answers], strict=True))
    assert re.fullmatch("[▁-█ ]{31}  failure rate, 7-day mean, up to 50 %", lines[QUESTIONS[0]][0])
    assert lines[QUESTIONS[0]][1].startswith("17 % of 6 runs failed")
    assert lines[QUESTIONS[2]][:2] == [
        f"{'█' * 16}  30 min  {API} build test",
        f"{'█' * 3:16}   6 min  {WEB} build test",
    ]
    assert lines[QUESTIONS[3]][0].endswith(f"{API} test test_checkout")
    assert len(lines[QUESTIONS[7]]) == 1
    assert notes.startswith("Notes\n- CircleCI updates insights once a day: runs of the last day can be missing\n- ")
    assert err == ""


def test_a_terminal_gets_lines_that_fit_wrapped_at_words(cli: Cli, acme: FakeCircleCI) -> None:
    ran = cli.on_terminal("report", API, WEB, "--window", "30d")
    piped = cli("report", API, WEB, "--window", "30d")

    shown = plain(ran.out)
    assert max(map(len, shown.split("\n"))) <= 80
    assert "\x1b[1mIs it getting worse?\x1b[0m" in ran.out
    sentence = next(line for line in piped.out.split("\n") if len(line) > 80)
    assert sentence not in shown
    assert " ".join(sentence.split()) in " ".join(shown.split())
    assert "projects" in ran.err
    assert "\x1b[2K" in ran.err, "the progress bar is removed"


def test_names_and_branches_are_cut_to_the_terminal(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    name = f"a{'b' * 70}\x1b[2J/c"
    project = world.project(API)
    for job in (name, "other"):
        run(project, 1, job=job, branch="main")
    ran = cli.on_terminal("report", API, "--branch", "main", columns=60)
    assert ran.code == 0
    lines = plain(ran.out).split("\n")
    assert max(map(len, lines)) <= 60
    assert ", branch main: 2 runs, " in " ".join(lines)
    assert "\x1b[2J" not in ran.out
    assert any(line.startswith("█") and line.endswith("…") for line in lines)


def test_a_terminal_of_one_column_has_sparklines(cli: Cli, acme: FakeCircleCI) -> None:
    ran = cli.on_terminal("report", API, columns=1)
    assert (ran.code, ran.out == "") == (0, False)


def test_no_charts_where_the_encoding_has_no_blocks(acme: FakeCircleCI, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ascii(StringIO):
        encoding = "ascii"

    async def read() -> ca.InsightsReport:
        async with acme.client() as circle:
            return await circle.insights.report(API)

    out = Ascii()
    show_summary(Output(stream=out), asyncio.run(read()))
    assert "Is it getting worse?" in out.getvalue()
    assert out.getvalue().isascii()


def test_json_has_the_tables_the_answers_and_the_failures(cli: Cli, acme: FakeCircleCI) -> None:
    ran = cli("report", API, "gh/acme/none", "--window", "30d", "--branch", "main", "--json")

    assert ran.code == 1
    data = ran.data
    assert [name for name in data if name in TABLES] == TABLES
    assert {name: len(data[name]) for name in TABLES} == {
        "workflows": 1,
        "runs": 3,
        "jobs": 1,
        "flaky_tests": 1,
        "tests": 1,
        "usage": 0,
    }
    assert {run["project"] for run in data["runs"]} == {API}
    assert data["runs"][0]["created_at"].endswith("Z")
    assert [answer["question"] for answer in data["answers"]] == QUESTIONS
    [failure] = data["failures"]
    assert {**failure, "error": failure["error"][:13]} == {
        "project": "gh/acme/none",
        "kind": "project",
        "workflow": None,
        "error": "404 Not Found",
    }
    assert data["projects"] == [API, "gh/acme/none"]
    assert (data["branch"], data["page"], data["requests"]) == ("main", None, len(acme.requests))
    start, end = (datetime.fromisoformat(data[name]) for name in ("start", "end"))
    assert end - start == timedelta(days=30)
    assert data["notes"]
    assert ran.err.startswith("error: gh/acme/none: 404 Not Found: ")


def test_what_cannot_be_read_is_an_error_and_the_rest_is_reported(cli: Cli, acme: FakeCircleCI) -> None:
    acme.fail(f"/api/v2/insights/{API}/workflows/build/jobs", status=403, times=None)

    code, out, err = cli("report", API, "gh/acme/none", WEB, "--quiet")

    assert code == 1
    assert out.startswith("3 projects, ")
    assert ": 6 runs, " in out
    errors = err.splitlines()
    assert [line.partition(" [")[0] for line in errors] == [
        f"error: {API} build: jobs: 403 Forbidden: Forbidden.",
        "error: gh/acme/none: 404 Not Found: Project not found",
    ]


def test_an_organization_stands_for_its_projects(cli: Cli, acme: FakeCircleCI) -> None:
    code, out, _ = cli("report", "gh/acme")
    assert (code, out[:11]) == (0, "2 projects,")


def test_into_writes_the_page_and_replaces_an_existing_one(cli: Cli, acme: FakeCircleCI, folder: Path) -> None:
    page = folder / "page"  # any name
    page.write_text("before")

    code, out, _ = cli("report", EMPTY, "--into", page)

    assert code == 0
    assert out.endswith(f"\nThe page is {page}\n")
    assert [each.name for each in folder.iterdir()] == ["page"]
    assert all(question in page.read_text("utf-8") for question in QUESTIONS)


def test_a_page_that_cannot_be_written_is_an_error_before_the_first_request(
    cli: Cli, acme: FakeCircleCI, tmp_path: Path
) -> None:
    folder = tmp_path / "absent"
    code, out, err = cli("report", API, "--into", folder / "page.html")
    assert (code, out) == (1, "")
    assert err == f"error: --into {folder / 'page.html'} cannot be written: {folder}: no such file or directory\n"
    assert cli("report", API, "--into", tmp_path).err.startswith(f"error: --into {tmp_path} cannot be written: ")
    assert acme.requests == []


@pytest.mark.parametrize("library", ["altair", "vl_convert"])
def test_the_page_needs_the_extra_and_the_summary_does_not(
    cli: Cli, acme: FakeCircleCI, folder: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    for name in ("polars", library):
        monkeypatch.setitem(sys.modules, name, None)

    code, out, err = cli("report", API, "--into", folder / "page.html")

    assert (code, out, acme.requests, [*folder.iterdir()]) == (1, "", [], [])
    assert err == (
        "error: the page of a report needs the extra 'report': install it with `pip install 'circleci-async[report]'`\n"
    )
    assert cli("report", API)[::2] == (0, cli("report", API).err)
    assert cli("report", API, "--json").data["runs"]


def test_ctrl_c_leaves_the_page_as_it_was(cli: Cli, acme: FakeCircleCI, folder: Path) -> None:
    page = folder / "page.html"
    page.write_text("before")
    acme.fail("/api/v2/insights/*", delay=60, times=None)

    with signal_when(lambda: any("/insights/" in request.path for request in acme.requests)):
        code, out, err = cli("report", API, "--into", page)

    assert (code, out, err) == (130, "", "")
    assert [each.name for each in folder.iterdir()] == ["page.html"]
    assert page.read_text() == "before"


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to which the browser writes what it opens."""
    opened, program = tmp_path / "opened", tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER", str(program))
    monkeypatch.setattr("webbrowser._tryorder", None)  # read the variable again
    return opened


def test_open_opens_the_page(cli: Cli, acme: FakeCircleCI, tmp_path: Path, browser: Path) -> None:
    page = tmp_path / "a page.html"
    code, _, _ = cli("report", EMPTY, "--into", page, "--open", "--json")
    assert (code, browser.read_text()) == (0, f"{page.as_uri()}\n")


def test_open_without_into_writes_a_temporary_page(
    cli: Cli, acme: FakeCircleCI, folder: Path, browser: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    assert cli("report", EMPTY, "--open", "--branch", "").code == 2
    assert [*folder.iterdir()] == []
    ran = cli("report", EMPTY, "--open")

    [page] = folder.iterdir()
    assert (ran.code, browser.read_text()) == (0, f"{page.as_uri()}\n")
    assert f"The page is {page}\n" in ran.out


def test_a_browser_that_cannot_be_started_is_noted(
    cli: Cli, acme: FakeCircleCI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser._tryorder", [])  # no browser is installed
    code, _, err = cli("report", EMPTY, "--into", tmp_path / "page.html", "--open")
    assert (code, err.splitlines()[-1]) == (0, "no browser could be started: open the page yourself")


def test_usage_is_exported(cli: Cli, acme: FakeCircleCI, world: World) -> None:
    world.organization("gh/acme").usage.export_time = 0.0
    data = cli("report", API, "--window", "20d", "--usage", "--json").data
    assert len(data["usage"]) == 3
    assert {answer["key"] for answer in data["answers"] if answer["rows"]} >= {"queue", "credits"}


def test_a_usage_file_is_read(cli: Cli, acme: FakeCircleCI, world: World, tmp_path: Path) -> None:
    world.organization("gh/acme").usage.export_time = 0.0
    file = tmp_path / "usage.csv"
    assert cli("usage", "export", "gh/acme", "--into", file, "--interval", "0.05").code == 0
    acme.requests.clear()

    data = cli("report", API, "--window", "20d", "--usage-file", file, "--json").data

    with file.open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["PROJECT_NAME"] == "api"]
    assert len(data["usage"]) == len(rows) == 3
    assert not any("usage" in request.path for request in acme.requests)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "PROJECT is required: projects such as gh/acme/api, or an organization such as gh/acme"),
        ([API, "--window", "45x"], "--window must be a length of time such as 90d, 2w or 12h, got '45x'"),
        ([API, "--window", ""], "--window must be a length of time such as 90d, 2w or 12h, got ''"),
        ([API, "--window", "2026-01-01"], "--window must be a length of time such as 90d, 2w or 12h, got '2026-01-01'"),
        ([API, "--window", "9999d"], "window must be at most 10 years long, got '9999d'"),
        ([API, "--branch", ""], "branch must be the name of a branch, or left out for all branches, got ''"),
        (["acme"], "project slug 'acme' is invalid: expected a project such as 'gh/acme/api', "),
        (
            [API, "--usage-file", "absent.csv"],
            "usage must be the CSV file of a usage export, got 'absent.csv': ",
        ),
        ([API, "--usage", "--usage-file", "u.csv"], "--usage and --usage-file exclude each other: use one of them"),
        (["--from", "history", "--usage"], "--usage cannot be combined with --from, which sends no request: "),
        ([API, "--from", "history", "--window", "soon"], "--window must be a length of time such as 90d, 2w or 12h"),
    ],
)
def test_invalid_arguments_are_bad_usage_and_send_nothing(
    cli: Cli, fake: FakeCircleCI, folder: Path, arguments: list[str], message: str
) -> None:
    code, out, err = cli("report", *arguments, "--into", folder / "page.html")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert fake.requests == []
    assert [*folder.iterdir()] == []


def test_a_history_is_reported_without_a_token_or_requests(
    cli: Cli, acme: FakeCircleCI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = tmp_path / "history"
    assert cli("insights", "collect", "gh/acme", "--into", history).code == 0
    acme.requests.clear()
    monkeypatch.delenv("CIRCLE_TOKEN")

    both = cli("report", "--from", history)
    one = cli("report", "--from", history, API, "--window", "10d", "--json").data
    on_terminal = cli.on_terminal("report", "--from", history)

    assert both.code == 0
    assert re.match(r"2 projects, \S+ to \S+: 6 runs, 0 requests\n", both.out)
    assert (one["projects"], len(one["runs"]), one["requests"]) == ([API], 2, 0)
    assert "Reading the history ..." in on_terminal.err
    assert acme.requests == []


def test_a_history_that_does_not_exist_is_an_error(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli("report", "--from", tmp_path / "absent")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: history '{tmp_path / 'absent'}' contains no insights: collect them with ")


def progress_shown(**values: object) -> str:
    screen = Terminal()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stderr", screen)
        patched.setenv("COLUMNS", "80")
        out = Output()
        with InsightsProgressBar(out) as bar:
            bar.update(ca.InsightsProgress(**values))  # type: ignore[arg-type]  # any fields
    return plain(screen.getvalue()).split("\r")[-2].strip()


@pytest.mark.parametrize(
    ("values", "start", "end"),
    [
        ({}, "0/0 projects ", " 0 runs  0 requests"),
        ({"projects_total": 2, "runs": 1, "requests": 9}, "0/2 projects ", " 1 run  9 requests"),
        (
            {
                "projects_total": 1,
                "projects_done": 1,
                "usage_exports": {"a": UsageExportState.COMPLETED, "b": UsageExportState.PROCESSING},
                "requests": 1_200,
            },
            "usage export 1/2 processing ",
            " 0 runs  1,200 requests",
        ),
        ({"projects_total": 1, "projects_done": 1, "usage_rows": 5_000}, "5,000 rows of usage ", " 0 requests"),
        ({"projects_total": 1, "usage_exports": {"a": UsageExportState.CREATED}}, "0/1 project ", " 0 requests"),
    ],
)
def test_the_progress_bar_names_the_phase(values: dict[str, object], start: str, end: str) -> None:
    shown = progress_shown(**values)
    assert shown.startswith(start)
    assert shown.endswith(end)
    assert len(shown) <= 80
