"""`insights collect`."""

import sys
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World

from ..reports.worlds import run
from .conftest import Cli, signal_when

API = "gh/acme/api"
EMPTY = {"added": 0, "changed": 0}


@pytest.fixture
def acme(world: World, fake: FakeCircleCI) -> FakeCircleCI:
    """A project with two runs."""
    project = world.project(API)
    for day in (3, 8):
        run(project, day)
    return fake


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.parquet"))


def test_new_rows_are_counted_by_table(cli: Cli, acme: FakeCircleCI, tmp_path: Path) -> None:
    into = tmp_path / "history"

    code, out, err = cli("insights", "collect", "gh/acme", "--into", into)

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Runs:        2 added, 0 changed",
        "Jobs:        2 added, 0 changed",
        "Tests:       0 added, 0 changed",
        "Flaky tests: 0 added, 0 changed",
        f"1 project, {len(acme.requests)} requests, in {into}",
    ]
    assert "runs.parquet" in files(into)


def test_json_is_one_object(cli: Cli, acme: FakeCircleCI, world: World, tmp_path: Path) -> None:
    into = tmp_path / "history"
    assert cli("insights", "collect", API, "--into", into).code == 0
    run(world.projects[API], 0.5)
    acme.requests.clear()

    data = cli("insights", "collect", API, "--into", into, "--recheck", "12h", "--json").data

    assert data == {
        "projects": [API],
        "runs": {"added": 1, "changed": 0},
        "jobs": {"added": 1, "changed": 0},
        "tests": EMPTY,
        "flaky_tests": EMPTY,
        "failures": [],
        "is_complete": True,
        "requests": len(acme.requests),
        "location": str(into),
    }


def test_what_cannot_be_read_is_an_error_and_the_rest_is_collected(
    cli: Cli, acme: FakeCircleCI, tmp_path: Path
) -> None:
    into = tmp_path / "history"

    code, out, err = cli("insights", "collect", "gh/acme/none", API, "--into", into)

    assert code == 1
    assert "Runs:        2 added, 0 changed\n" in out
    assert err.partition(" [")[0] == "error: gh/acme/none: 404 Not Found: Project not found"
    acme.fail(f"/api/v2/insights/{API}/workflows", status=403, times=None)
    data = cli("insights", "collect", API, "--into", into, "--json").data
    [failure] = data["failures"]
    assert (data["is_complete"], failure["project"], failure["kind"]) == (False, API, "workflows")
    assert failure["error"].startswith("403 Forbidden")


def test_ctrl_c_says_that_it_can_be_repeated(cli: Cli, acme: FakeCircleCI, tmp_path: Path) -> None:
    slow = acme.fail("/api/v2/insights/*", delay=60, times=None)
    arguments = ("insights", "collect", API, "--into", tmp_path / "history")

    with signal_when(lambda: any("/insights/" in request.path for request in acme.requests)):
        code, out, err = cli(*arguments)

    assert (code, out, err) == (130, "", "stopped: run the same command again to resume\n")
    slow.stop()
    assert cli(*arguments, "--json").data["runs"]["added"] == 2


def test_a_terminal_shows_the_progress(cli: Cli, acme: FakeCircleCI, tmp_path: Path) -> None:
    ran = cli.on_terminal("insights", "collect", API, "--into", tmp_path / "history")
    assert ran.code == 0
    assert "1/1 project" in ran.err
    assert "2 runs" in ran.err


def test_it_needs_the_extra(cli: Cli, acme: FakeCircleCI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    code, out, err = cli("insights", "collect", API, "--into", tmp_path / "history")
    assert (code, out, acme.requests) == (1, "", [])
    assert "needs the extra 'report'" in err.replace("need ", "needs ")
    assert "pip install 'circleci-async[report]'" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([API], 2, "missing option '--into'"),
        (["--into", "history"], 2, "missing argument "),
        (["acme", "--into", "history"], 2, "project slug 'acme' is invalid: "),
        ([API, "--into", "s4://x"], 2, "invalid value for '--into': must be a folder, or a URL that begins with "),
        ([API, "--into", "file"], 1, "into must be a folder that can be written: file: this is a file"),
        ([API, "--into", "history", "--recheck", "soon"], 2, "--recheck must be a length of time such as 90d, 2w or "),
    ],
)
def test_invalid_arguments_are_named_and_send_nothing(
    cli: Cli,
    fake: FakeCircleCI,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    ran = cli("insights", "collect", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert f"error: {message}" in ran.err
    assert fake.requests == []
    assert not Path("history").exists()
