"""`harvest run`, `harvest status`, `harvest verify` and `harvest prune`."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.cli.harvest import parse_size
from circleci_async.cli.progress import file_count
from circleci_async.harvest import progress
from circleci_async.testing import Artifact, FakeCircleCI, Job, World

from .conftest import Cli, running, signal_when
from .process import start, wait_until

ID = "5034460f-c7c4-4c43-9457-de07e2029e7b"
SECRET = "cci_secret_0123456789abcdef"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def builds(world: World, fake: FakeCircleCI) -> World:
    """Two pipelines of one project, on two branches, and one of another project."""
    api = world.project("gh/acme/api")
    _build(api.pipeline(branch="feature/x").workflow("build"))
    pipeline = api.pipeline(branch="main")
    _build(pipeline.workflow("build"))
    pipeline.workflow("deploy").job("publish", status="failed").artifact("publish.log", b"no")
    world.project("gh/acme/web").pipeline(tag="v1.0").workflow("release").job("pack").artifact("web.tar", b"web")
    return world


def _build(workflow: Any) -> None:
    workflow.job("lint").artifact("lint.txt", b"fine")
    test = workflow.job("test", parallelism=2)
    test.artifact("reports/junit.xml", b"<testsuite/>")
    test.artifact("reports/junit.xml", b"<testsuite id='2'/>", node=1)


ALL = {
    "gh/acme/api/1/build/lint-1/lint.txt",
    "gh/acme/api/1/build/test-2/0/reports/junit.xml",
    "gh/acme/api/1/build/test-2/1/reports/junit.xml",
    "gh/acme/api/2/build/lint-3/lint.txt",
    "gh/acme/api/2/build/test-4/0/reports/junit.xml",
    "gh/acme/api/2/build/test-4/1/reports/junit.xml",
    "gh/acme/api/2/deploy/publish-5/publish.log",
}


def files_in(folder: Path) -> set[str]:
    """Return the complete files of a harvest."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not any(name.startswith(".") for name in path.parts)}


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def fetched(fake: FakeCircleCI) -> list[str]:
    """Return the paths requested from the artifact host."""
    return [request.path for request in fake.requests if request.origin == "artifacts"]


def numbered(count: int, job: Job, size: int = 10) -> list[Artifact]:
    return [job.artifact(f"{number}.bin", size=size) for number in range(count)]


# Selection


def test_all_artifacts_of_a_project_are_harvested(cli: Cli, builds: World, into: Path) -> None:
    code, out, err = cli("harvest", "run", "gh/acme/api", "--into", into)

    assert (code, err) == (0, "")
    assert re.fullmatch(rf"7 files, 72 bytes in \d+\.\ds, in {re.escape(str(into))}; 25 requests, 0 saved\n", out)
    assert files_in(into) == ALL
    assert (into / "gh/acme/api/2/build/test-4/1/reports/junit.xml").read_bytes() == b"<testsuite id='2'/>"


def test_a_second_run_downloads_only_new_artifacts(cli: Cli, builds: World, fake: FakeCircleCI, into: Path) -> None:
    command = ("harvest", "run", "gh/acme/api", "https://github.com/acme/web", "--into", into)
    assert cli(*command).out.startswith("8 files, ")
    once = len(fetched(fake))

    again = cli(*command)
    builds.projects["gh/acme/web"].pipeline().workflow("release").job("pack").artifact("new.tar", b"new")
    more = cli(*command)

    assert (again.code, again.err) == (0, "")
    assert re.fullmatch(r"0 files, 0 bytes in .*; 5 requests, 10 saved; 8 already present\n", again.out)
    assert re.fullmatch(r"1 file, 3 bytes in .*; 8 already present\n", more.out)
    summary = json.loads(cli(*command, "--recheck", "1m", "--json").out.splitlines()[-1])
    assert (summary["requests"], summary["requests_saved"]) == (2, 16)
    assert len(fetched(fake)) == once + 1


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--branch", "main"), "/api/2/"),
        (("--branch", "feature/*"), "/api/1/"),
        (("--tag", "v*"), "/web/"),
        (("--workflow", "dep*"), "publish"),
        (("--job", "li?t"), "lint.txt"),
        (("--status", "failed"), "publish"),
        (("--path", "**/*.xml"), "junit"),
        (("--path", "*.xml"), "nothing"),
        (("--since", "1d"), ""),
        (("--until", "2001-01-01"), "nothing"),
        (("--latest", "--workflow", "build"), "/2/build/"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_select_artifacts(cli: Cli, builds: World, into: Path, options: tuple[str, ...], wanted: str) -> None:
    code, out, err = cli("harvest", "run", "gh/acme/api", "gh/acme/web", "--into", into, *options)

    found = {name for name in ALL | {"gh/acme/web/1/release/pack-1/web.tar"} if wanted in name}
    assert (code, err) == (0, "" if found else "no matching artifacts\n")
    assert files_in(into) == found
    assert out.startswith(f"{len(found)} file")


def test_pipelines_and_workflows_are_selected_by_id(cli: Cli, builds: World, into: Path) -> None:
    first, second = builds.projects["gh/acme/api"].pipelines.all
    build, deploy = second.workflows

    assert cli("harvest", "run", "gh/acme/api", "--into", into, "--workflow-id", deploy.id).code == 0
    assert files_in(into) == {"gh/acme/api/2/deploy/publish-5/publish.log"}
    both = ("--workflow-id", deploy.id, "--workflow-id", build.id)
    assert cli("harvest", "run", "gh/acme/api", "--into", into, *both).code == 0
    assert files_in(into) == {name for name in ALL if "/2/" in name}
    assert cli("harvest", "run", "gh/acme/api", "--into", into, "--pipeline-id", first.id).code == 0
    assert files_in(into) == ALL


def test_a_layout_sets_the_paths_of_files(cli: Cli, builds: World, into: Path) -> None:
    layout = ("--layout", "all/{number}-{node}/{path}")

    assert cli("harvest", "run", "gh/acme/api", "--into", into, "--branch", "main", *layout).code == 0
    assert files_in(into) == {
        "all/3-0/lint.txt",
        "all/4-0/reports/junit.xml",
        "all/4-1/reports/junit.xml",
        "all/5-0/publish.log",
    }


def test_dedupe_stores_identical_files_once(cli: Cli, builds: World, into: Path) -> None:
    assert cli("harvest", "run", "gh/acme/api", "--into", into, "--dedupe", "hardlink").code == 0
    assert (into / "gh/acme/api/1/build/lint-1/lint.txt").samefile(into / "gh/acme/api/2/build/lint-3/lint.txt")


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        (("--max-files", "2"), "max_files=2 is reached"),
        (("--max-bytes", "0.02 kB"), "max_bytes=20 is reached"),
        (("--min-free", "900TiB"), ".*disk.* 989,560,464,998,400 .*"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_limit_stops_the_harvest_and_a_run_without_it_resumes(
    cli: Cli, builds: World, into: Path, limit: tuple[str, str], reason: str
) -> None:
    command = ("harvest", "run", "gh/acme/api", "--into", into)

    code, out, err = cli(*command, "--concurrency", 1, *limit)

    assert code == 1
    assert re.fullmatch(f"stopped: {reason}: run the same command again to resume\n", err)
    have = len(files_in(into))
    assert out.startswith(f"{have} file")
    assert have < len(ALL)
    assert cli(*command).code == 0
    assert files_in(into) == ALL


@pytest.mark.parametrize(
    ("size", "count"),
    [("7", 7), ("1k", 1000), ("1.5KiB", 1536), ("2 MB", 2_000_000), ("1gib", 2**30), ("3TB", 3 * 10**12)],
)
def test_sizes_accept_units(size: str, count: int) -> None:
    assert parse_size(size) == count


# Failures


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gh/acme/api",), "missing option '--into'"),
        (("--into", "out"), "missing argument 'PROJECT'"),
        (("acme", "--into", "out"), "project"),
        (("gh/acme/api", "--into", "out", "--since", "yesterday"), "--since must be a time such as 7d, "),
        (("gh/acme/api", "--into", "out", "--recheck", "never"), "--recheck must be a time such as 7d, "),
        (("gh/acme/api", "--into", "out", "--until", ""), "--until must be a time such as 7d, "),
        (("gh/acme/api", "--into", "out", "--since", "1d", "--until", "2d"), "since"),
        (
            ("gh/acme/api", "--into", "out", "--branch", "main", "--tag", "v1"),
            "branch",
        ),
        (("gh/acme/api", "--into", "out", "--status", "good"), "blocked"),
        (("gh/acme/api", "--into", "out", "--pipeline-id", ID, "--pipeline-id", "7"), ", got '7'"),
        (("gh/acme/api", "--into", "out", "--pipeline-id", "7"), "pipeline_id must be an id such as "),
        (("gh/acme/api", "--into", "out", "--layout", "{path}"), "layout"),
        (("gh/acme/api", "--into", "out", "--dedupe", "magic"), "hardlink"),
        (
            ("gh/acme/api", "--into", "out", "--max-bytes", "lots"),
            "expected a number of bytes",
        ),
        (("gh/acme/api", "--into", "out", "--max-files", "-1"), "invalid value for '--max-files'"),
        (("gh/acme/api", "--into", "out", "--file-attempts", "0"), "invalid value for '--file-attempts'"),
        (("gh/acme/api", "--into", "out", "--concurrency", "0"), "invalid value for '--concurrency'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_invalid_arguments_are_bad_usage_and_neither_send_nor_create_anything(
    cli: Cli, fake: FakeCircleCI, into: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(into.parent)

    code, out, err = cli("harvest", "run", *arguments)

    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("error: ")
    assert message in err.splitlines()[-1]
    assert fake.requests == []
    assert not into.exists()


@pytest.fixture
def pack(world: World, fake: FakeCircleCI) -> Job:
    """A job whose artifacts a test adds."""
    return world.project("gh/acme/web").pipeline().workflow("release").job("pack")


def test_failures_are_printed_and_retried_by_the_next_run(cli: Cli, pack: Job, fake: FakeCircleCI, into: Path) -> None:
    pack.artifact("fine.txt", b"fine")
    pack.artifact("web.tar", b"web")
    hostile = pack.artifact("../../evil\x1b[2J", b"x")
    gone = fake.fail("/output/*web.tar", status=404, times=None)
    command = ("harvest", "run", "gh/acme/web", "gh/acme/nope", "--into", into)

    code, out, err = cli(*command)

    assert code == 1
    assert out.startswith("1 file, 4 bytes in ")
    assert "\x1b" not in err
    evil, missing, nope = sorted(err.splitlines())
    assert re.match(r"error: 'gh/acme/web job 1: \.\./\.\./evil\\x1b\[2J': ", evil)
    assert re.fullmatch(
        r"error: gh/acme/web job 1: web\.tar: 404 Not Found: .* \[hint: check the name, .*\] \(GET .*\)", missing
    )
    assert nope.startswith("error: pipelines of gh/acme/nope: 404 Not Found: Project not found [hint: check the name, ")

    gone.stop()
    hostile.delete()
    ran = cli(*command)
    assert ran.code == 1
    assert re.match("1 file, 3 bytes in .*; 1 already present\n", ran.out)
    assert ran.err == f"{nope.partition(' request')[0]}{ran.err[ran.err.index(' request') :]}"
    assert files_in(into) == {"gh/acme/web/1/release/pack-1/fine.txt", "gh/acme/web/1/release/pack-1/web.tar"}


def test_the_first_twenty_failures_are_printed_and_status_lists_all(
    cli: Cli, pack: Job, fake: FakeCircleCI, into: Path
) -> None:
    numbered(30, pack)
    fake.fail("/output/*", status=404, times=None)

    code, _, err = cli("harvest", "run", "gh/acme/web", "--into", into)

    assert code == 1
    assert len(re.findall(r"^error: gh/acme/web job 1: \d+\.bin: 404", err, re.MULTILINE)) == 20
    rest = f"error: and 10 more [hint: list all: circleci-async harvest status {into}]"
    assert err.splitlines()[20:] == [rest]
    all_of_them = cli("harvest", "status", into).out
    assert len(re.findall(r"^failed: gh/acme/web job 1: \d+\.bin: 404", all_of_them, re.MULTILINE)) == 30


def test_an_invalid_token_is_an_error_with_a_hint(
    cli: Cli, builds: World, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", SECRET)

    code, out, err = cli("harvest", "run", "gh/acme/api", "--into", into, "-v")

    assert code == 1
    assert out.startswith("0 files, ")
    assert SECRET not in err
    assert err.count("error: ") == 1
    assert re.search(
        r"^error: 401 Unauthorized: .* \[hint: [Ss]et CIRCLE_TOKEN .*; token: CIRCLE_TOKEN\] \(GET .*\)$",
        err,
        re.MULTILINE,
    )


def test_file_attempts_limits_the_attempts_per_file(cli: Cli, pack: Job, fake: FakeCircleCI, into: Path) -> None:
    pack.artifact("web.tar", b"web")
    bad = fake.fail("/bucket/*", origin="storage", cut=1, headers={"ETag": "W/weak"}, times=None)
    command = ("harvest", "run", "gh/acme/web", "--into", into, "--attempts", 1)

    assert cli(*command, "--file-attempts", 1).code == 1
    once = bad.hits
    assert cli(*command, "--file-attempts", 2).code == 1
    assert bad.hits == once * 3


def test_a_destination_that_is_a_file_is_an_error(cli: Cli, fake: FakeCircleCI, into: Path) -> None:
    into.write_text("a file")

    code, out, err = cli("harvest", "run", "gh/acme/api", "--into", into)

    assert (code, out) == (1, "")
    assert re.fullmatch(rf"error: .*{re.escape(str(into))}.*\n", err)


# Interruption


RESUME = "run the same command again to resume"


@pytest.fixture
def stalled(pack: Job, fake: FakeCircleCI, into: Path) -> Iterator["subprocess.Popen[str]"]:
    """A harvest in another process that has ten of thirty files; the storage does not answer for the others."""
    numbered(30, pack)
    fault = fake.fail("/bucket/*", origin="storage", delay=60, after=10, times=None)
    process = start("harvest", "run", "gh/acme/web", "--into", into)
    try:
        wait_until(lambda: (fault.hits == 20 and len(files_in(into)) == 10) or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        fault.stop()
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)], ids=str)
def test_a_harvest_locks_its_folder_and_can_be_resumed_after_a_signal(
    cli: Cli, stalled: "subprocess.Popen[str]", fake: FakeCircleCI, into: Path, number: signal.Signals, code: int
) -> None:
    busy = cli("harvest", "run", "gh/acme/web", "--into", into)
    status = cli("harvest", "status", into)
    verify = cli("harvest", "verify", into)

    assert (busy.code, busy.out) == (1, "")
    assert re.fullmatch(rf"error: another harvest .*{stalled.pid}.* \[hint: .*\]\n", busy.err)
    assert "State:      running\n" in status.out
    assert (verify.code, verify.out) == (1, "")
    assert verify.err.startswith("error: a harvest ")

    stalled.send_signal(number)
    out, err = stalled.communicate(timeout=20)

    assert (stalled.returncode, out) == (code, "")
    lines = [line for line in err.splitlines() if "has been waiting" not in line]  # on a busy machine
    assert lines == ([] if number == signal.SIGKILL else [f"stopped after 10 files, 100 bytes: {RESUME}"])
    resume(cli, fake, into)


def resume(cli: Cli, fake: FakeCircleCI, into: Path) -> None:
    """Resume a harvest that has ten of thirty files: it downloads no file twice."""
    before = files_in(into)
    assert len(before) == 10
    assert "State:      incomplete: run `harvest run` again to resume\n" in cli("harvest", "status", into).out

    ran = cli("harvest", "run", "gh/acme/web", "--into", into)

    assert (ran.code, ran.err) == (0, "")
    assert re.match("20 files, 200 bytes in .*; 10 already present\n", ran.out)
    assert len(files_in(into)) == 30
    requested = [Path(path).name for path in fetched(fake)]
    assert [requested.count(Path(name).name) for name in before] == [1] * 10
    assert cli("harvest", "verify", into).code == 0


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_a_harvest_can_be_resumed_after_ctrl_c(
    cli: Cli, pack: Job, fake: FakeCircleCI, into: Path, terminal: bool
) -> None:
    numbered(30, pack)
    fault = fake.fail("/bucket/*", origin="storage", delay=60, after=10, times=None)

    with signal_when(lambda: fault.hits == 20 and len(files_in(into)) == 10):
        run = cli.on_terminal if terminal else cli
        ran = run("harvest", "run", "gh/acme/web", "--into", into)

    assert (ran.code, ran.out) == (130, "")
    message = f"stopped after 10 files, 100 bytes: {RESUME}"
    if terminal:
        assert "\x1b[?25h" in ran.err.rpartition("\x1b[?25l")[2], "the cursor is still hidden"
        assert message in ran.err.splitlines()[-1]
    else:
        assert ran.err == f"{message}\n"
    fault.stop()
    resume(cli, fake, into)


def test_json_of_an_interrupted_harvest_ends_with_the_summary(
    cli: Cli, pack: Job, fake: FakeCircleCI, into: Path
) -> None:
    fault = fake.fail("*/artifacts", origin="api", delay=60)

    with signal_when(lambda: fault.hits):
        code, out, err = cli("harvest", "run", "gh/acme/web", "--into", into, "--json")

    assert (code, err) == (130, f"stopped after 0 files, 0 bytes: {RESUME}\n")
    summary = {"event": "harvest_report", "files": 0, "bytes": 0, "is_complete": False, "stopped": "interrupted"}
    assert events(out)[-1] == summary


# Progress


def test_json_has_a_line_per_event_and_ends_with_the_summary(
    cli: Cli, pack: Job, fake: FakeCircleCI, into: Path
) -> None:
    pack.artifact("fine.txt", b"fine")
    pack.artifact("web.tar", b"web")
    fake.fail("/output/*web.tar", status=404, times=None)

    code, out, err = cli("harvest", "run", "gh/acme/web", "gh/acme/nope", "--into", into, "--json")

    assert (code, err) == (1, "")
    lines = events(out)
    summary = lines.pop()
    assert {line["event"] for line in lines} == {
        "job_listed", "file_done", "file_failed", "listing_failed", "harvest_progress"
    }  # fmt: skip
    (done,) = [line for line in lines if line["event"] == "file_done"]
    assert done == {
        "event": "file_done",
        "project": "gh/acme/web",
        "job": 1,
        "node": 0,
        "path": "fine.txt",
        "target": "gh/acme/web/1/release/pack-1/fine.txt",
        "size": 4,
        "kind": "artifacts",
    }
    assert summary.pop("seconds") > 0
    web, nope = sorted(summary.pop("failures"), key=lambda failure: failure["kind"])
    assert summary == {
        "event": "harvest_report",
        "files": 1,
        "skipped": 0,
        "failed": 2,
        "bytes": 4,
        "requests": 8,
        "requests_saved": 0,
        "scrubbed": {},
        "is_complete": False,
        "stopped": None,
        "error": None,
    }
    assert (web["kind"], web["project"], web["number"], web["name"]) == ("artifact", "gh/acme/web", 1, "web.tar")
    assert web["error"].startswith("404 Not Found")
    assert (nope["kind"], nope["name"], nope["number"]) == ("pipelines", "gh/acme/nope", None)


def test_the_json_summary_contains_the_error_of_an_invalid_token(
    cli: Cli, builds: World, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", SECRET)

    code, out, err = cli("harvest", "run", "gh/acme/api", "--into", into, "--json")

    summary = events(out)[-1]
    assert (code, err.count("\n")) == (1, 1)
    assert summary["error"].startswith("401 Unauthorized")
    assert summary["stopped"] == summary["error"]


def test_a_closed_pipe_ends_the_harvest(pack: Job, fake: FakeCircleCI, into: Path) -> None:
    numbered(3, pack)
    fake.fail("/bucket/*", origin="storage", delay=60, times=None)
    process = start("harvest", "run", "gh/acme/web", "--into", into, "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] in {"job_listed", "harvest_progress"}

    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (141, "")


LONGEST_LINE = 1_000
"""Bytes of an event at most: the next one or two do not fit into a pipe that has less space."""


def unread_bytes(pipe: int) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.fixture
def unread(pack: Job, into: Path) -> Iterator["tuple[subprocess.Popen[str], int]"]:
    """A harvest that has downloaded everything, and the pipe to read its JSON from, which is full."""
    numbered(100, pack)
    reader, writer = os.pipe()
    size = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    process = start("harvest", "run", "gh/acme/web", "--into", into, "--json", stdout=writer)
    os.close(writer)
    try:
        wait_until(lambda: len(files_in(into)) == 100 or process.poll() is not None)
        wait_until(lambda: unread_bytes(reader) > size - LONGEST_LINE or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        yield process, reader
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_a_slow_reader_receives_every_line(unread: "tuple[subprocess.Popen[str], int]") -> None:
    process, reader = unread

    with open(reader, encoding="utf-8") as pipe:  # noqa: PTH123
        lines = events(pipe.read())

    assert (process.wait(20), process.stderr and process.stderr.read()) == (0, "")
    assert sum(line["event"] == "file_done" for line in lines) == 100
    assert (lines[-1]["event"], lines[-1]["files"]) == ("harvest_report", 100)


def test_ctrl_c_ends_a_harvest_whose_pipe_is_full(unread: "tuple[subprocess.Popen[str], int]") -> None:
    process, reader = unread

    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 130
    assert process.stderr is not None
    assert re.fullmatch("(stopped .*\n)?", process.stderr.read())  # printed only if the harvest was still running
    with open(reader, encoding="utf-8") as pipe:  # noqa: PTH123
        lines = events(pipe.read())  # every line is complete
    assert 0 < len(lines) < 100


def test_a_progress_bar_is_shown_on_a_terminal(cli: Cli, pack: Job, fake: FakeCircleCI, into: Path) -> None:
    pack.artifact("large.bin", size=3_000_000)
    numbered(3, pack)
    fake.fail("/bucket/*", origin="storage", delay=0.8, after=2, times=1)
    fake.fail("/output/*1.bin", status=404)

    code, out, bar = cli.on_terminal("harvest", "run", "gh/acme/web", "--into", into, columns=100)

    assert code == 1
    assert re.search(r"[12]/4 files", bar)
    assert "3/4 files" in bar
    assert "3.0 MB" in bar
    assert re.search(r"\d ([kM]?B|bytes)/s", bar)
    assert re.search(r"[\d.]+s left", bar)
    assert "1 failed" in bar
    assert "\x1b[?25h" in bar.rpartition("\x1b[?25l")[2], "the cursor is still hidden"
    *_, files, requests = out.splitlines()
    assert re.search(rf"3 files, 3\.0 MB in .*, in {re.escape(str(into))}$", files)
    assert re.fullmatch(r"\d+ requests, 0 saved", requests)


def test_the_progress_of_discovery_is_shown_before_files(
    cli: Cli, world: World, fake: FakeCircleCI, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PROGRESS_INTERVAL", 0.02)
    project = world.project("gh/acme/api")
    project.pipeline().workflow("build").job("pack").artifact("a.bin", size=500_000)
    for _ in range(2):
        project.pipeline()
    fake.fail("*/artifacts", origin="api", delay=0.3)

    code, _, bar = cli.on_terminal("harvest", "run", "gh/acme/api", "--into", into)

    assert code == 0
    assert "discovering: 2 of ~3 pipelines" in bar
    before = bar.partition(" of ~3 pipelines")[2].partition(" file")[0]
    assert not re.search(r"\d ([kM]?B|bytes)", before)  # responses of the API are not files


@pytest.mark.parametrize(
    ("pipelines", "expected", "shown"),
    [
        (0, None, "discovering: 0 pipelines"),
        (1, None, "discovering: 1 pipeline"),
        (3, 1_200, "discovering: 3 of ~1,200 pipelines"),
        (0, 1, "discovering: 0 of ~1 pipeline"),
    ],
)
def test_the_number_of_pipelines_is_an_estimate(pipelines: int, expected: int | None, shown: str) -> None:
    zeros: Any = dict.fromkeys(
        ["discovered", "done", "skipped", "failed", "bytes", "received", "seconds", "speed", "paused"], 0
    )
    numbers = ca.HarvestProgress(
        **zeros, seconds_left=None, is_discovering=True, pipelines=pipelines, pipelines_expected=expected
    )

    assert file_count(numbers) == shown


def test_the_progress_bar_shows_a_rate_limit_pause(cli: Cli, pack: Job, fake: FakeCircleCI, into: Path) -> None:
    numbered(3, pack)
    fake.fail("*/artifacts", origin="api", status=429, headers={"Retry-After": "1"})

    code, _, bar = cli.on_terminal("harvest", "run", "gh/acme/web", "--into", into)

    assert code == 0
    assert re.search(r"rate limited \(429\): 0\.\ds", bar)


@pytest.mark.parametrize("option", ["--json", "-v"])
def test_no_progress_bar_is_shown_with_json_or_a_log(cli: Cli, pack: Job, into: Path, option: str) -> None:
    numbered(3, pack)

    code, out, err = cli.on_terminal("harvest", "run", "gh/acme/web", "--into", into, option)

    assert code == 0
    assert "/3 files" not in out + err
    assert "\x1b[?25l" not in out + err


# Status and verification


@pytest.fixture
def offline(cli: Cli, world: World, into: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished harvest of three files, one of which failed; neither server nor token exist any more."""
    job = world.project("gh/acme/web").pipeline().workflow("release").job("pack")
    job.artifact("a.txt", b"a")
    job.artifact("b.txt", b"bb")
    job.artifact("gone.txt", b"x")
    server = FakeCircleCI(world)
    with running(server), monkeypatch.context() as patched:
        for name, value in server.environment.items():
            patched.setenv(name, value)
        server.fail("/output/*gone.txt", status=404, times=None)
        assert cli("harvest", "run", "gh/acme/web", "--into", into).code == 1
    monkeypatch.delenv("CIRCLE_TOKEN", raising=False)
    return into


def test_status_needs_neither_token_nor_network(cli: Cli, offline: Path) -> None:
    code, out, err = cli("harvest", "status", offline)

    assert (code, err) == (0, "")
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(
        "State:      incomplete: run `harvest run` again to resume\n"
        "Files:      2, 3 bytes\n"
        "Pending:    0\n"
        "Failed:     1\n"
        "Runs:       1\n"
        f"Last began: {moment}\n"
        f"Last ended: {moment}\n"
        r"failed: gh/acme/web job 1: gone.txt: 404 Not Found.*\n",
        out,
    )
    data = cli("harvest", "status", offline, "--json").data
    assert (data["done"], data["failed"], data["bytes"], data["is_complete"]) == (2, 1, 3, False)
    assert [failure["name"] for failure in data["failures"]] == ["gone.txt"]


def test_verify_needs_neither_token_nor_network(cli: Cli, offline: Path) -> None:
    code, out, err = cli("harvest", "verify", offline)

    assert (code, err) == (0, "")
    assert re.fullmatch(r"2 files, 3 bytes match the ledger, checked in \d+\.\ds\n", out)
    assert cli("harvest", "verify", offline, "--json").data["differences"] == 0


def test_verify_shows_a_status_on_a_terminal(cli: Cli, offline: Path) -> None:
    code, out, err = cli.on_terminal("harvest", "verify", offline)

    assert code == 0
    assert "Checking files ..." in err
    assert out.startswith("2 files, ")


def test_verify_prints_every_difference_and_fails(cli: Cli, offline: Path) -> None:
    folder = offline / "gh/acme/web/1/release/pack-1"
    (folder / "a.txt").write_bytes(b"z")
    (folder / "b.txt").unlink()
    (folder / "odd\x1b[2J").write_bytes(b"?")
    (offline / ".own").write_bytes(b"a name that begins with a dot")

    code, out, err = cli("harvest", "verify", offline)

    assert code == 1
    assert re.fullmatch(r"0 files, 0 bytes match the ledger; 3 differences, checked in \d+\.\ds\n", out)
    assert err.splitlines() == [
        "error: changed: gh/acme/web/1/release/pack-1/a.txt",
        "error: missing: gh/acme/web/1/release/pack-1/b.txt",
        r"error: unknown: gh/acme/web/1/release/pack-1/odd\x1b[2J",
    ]
    ran = cli("harvest", "verify", offline, "--json")
    assert (ran.code, ran.err, ran.data["missing"]) == (1, "", ["gh/acme/web/1/release/pack-1/b.txt"])


def test_the_first_twenty_differences_are_printed_and_json_lists_all(cli: Cli, offline: Path) -> None:
    for number in range(30):
        (offline / f"stray {number}").touch()

    code, _, err = cli("harvest", "verify", offline)

    assert code == 1
    assert err.count("error: unknown: stray ") == 20
    hint = f"list all: circleci-async harvest verify {offline} --json"
    assert err.splitlines()[-1] == f"error: and 10 more [hint: {hint}]"
    assert len(cli("harvest", "verify", offline, "--json").data["unknown"]) == 30


@pytest.mark.parametrize("command", ["status", "verify"])
def test_a_folder_without_a_harvest_is_an_error(cli: Cli, into: Path, command: str) -> None:
    into.mkdir()

    code, out, err = cli("harvest", command, into)

    assert (code, out) == (1, "")
    assert re.fullmatch(rf"error: .*{re.escape(str(into))}.*\.harvest\.sqlite\n", err)
    assert list(into.iterdir()) == []
    assert cli("harvest", command, into / "absent") == (
        1,
        "",
        f"error: no harvest in {into / 'absent'}: it is not a folder\n",
    )


# Pruning


@pytest.fixture
def aged(world: World) -> World:
    """A pipeline of 400 days ago with two artifacts, and one of an hour ago with one."""
    project = world.project("gh/acme/api")
    old = project.pipeline(created_at=datetime.now(UTC) - timedelta(days=400)).workflow("build").job("test")
    old.artifact("a.txt", b"a" * 1_000)
    old.artifact("b.txt", b"b" * 500)
    project.pipeline().workflow("build").job("test").artifact("c.txt", b"c")
    return world


def test_prune_deletes_old_files_for_good(cli: Cli, aged: World, fake: FakeCircleCI, into: Path) -> None:
    assert cli("harvest", "run", "gh/acme/api", "--into", into).code == 0
    prune = ("harvest", "prune", into, "--older-than", "365d")
    once = len(fetched(fake))

    dry = cli(*prune, "--dry-run")
    assert (dry.code, dry.out, dry.err) == (0, f"2 files, 1.5 kB would be deleted from {into}\n", "")
    assert len(files_in(into)) == 3

    ran = cli(*prune)
    assert (ran.code, ran.out, ran.err) == (0, f"2 files, 1.5 kB deleted from {into}\n", "")
    assert files_in(into) == {"gh/acme/api/2/build/test-2/c.txt"}

    again = json.loads(cli(*prune, "--json").out)
    assert again.pop("seconds") > 0
    assert again.pop("older_than") < datetime.now(UTC).isoformat()
    assert again == {"files": 0, "bytes": 0, "failed": [], "failures": 0, "dry_run": False}

    assert cli("harvest", "run", "gh/acme/api", "--into", into).out.startswith("0 files, ")
    assert len(fetched(fake)) == once
    assert cli("harvest", "verify", into).code == 0
    status = cli("harvest", "status", into).out
    assert "State:      complete\nFiles:      1, 1 byte\n" in status
    assert "Pruned:     2\n" in status


def test_files_that_cannot_be_deleted_are_printed(cli: Cli, aged: World, fake: FakeCircleCI, into: Path) -> None:
    assert cli("harvest", "run", "gh/acme/api", "--into", into).code == 0
    (into / "gh/acme/api/1/build/test-1/a.txt").unlink()
    (into / "gh/acme/api/1/build/test-1/a.txt").mkdir()

    ran = cli("harvest", "prune", into, "--older-than", "365d")

    assert (ran.code, ran.out) == (1, f"1 file, 500 bytes deleted from {into}\n")
    assert ran.err.startswith("error: gh/acme/api/1/build/test-1/a.txt: ")
    assert "is not a regular file" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "missing option '--older-than'"),
        (("--older-than", "yesterday"), 2, "older_than must be a datetime, a date"),
        (("--older-than", "0d"), 2, "older_than must be a datetime, a date"),
        (("--older-than", "9999-01-01"), 2, "older_than must be a time in the past"),
        (("--older-than", "1d"), 1, "no harvest in"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_prune_is_an_error(cli: Cli, into: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    ran = cli("harvest", "prune", into, *arguments)

    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert not into.exists()


# Logs, tests and builds


@pytest.fixture
def logged(world: World, fake: FakeCircleCI) -> World:
    """One job with files of all kinds."""
    job = world.project("gh/acme/api").pipeline(branch="main").workflow("build").job("test")
    job.artifact("a.txt", b"a")
    job.step("Run", output=f"\x1b[1mghp_{'a1B2' * 9}\x1b[0m hunter2\n")
    job.test("it")
    return world


FOLDER = "gh/acme/api/1/build/test-1"


def test_run_takes_the_kinds_of_what(cli: Cli, logged: World, into: Path) -> None:
    done = cli("harvest", "run", "gh/acme/api", "--into", str(into), "--what", "logs, builds", "--json")
    assert done.code == 0
    *_, report = events(done.out)
    assert (report["files"], report["scrubbed"]) == (2, {"github-token": 1})
    assert {event["kind"] for event in events(done.out) if event["event"] == "file_done"} == {"logs", "builds"}
    assert files_in(into) == {f"{FOLDER}/build.json", f"{FOLDER}/logs/0/0-Run.txt"}
    assert (into / FOLDER / "logs/0/0-Run.txt").read_text() == "[scrubbed] hunter2\n"


def test_run_replaces_matches_of_scrub(cli: Cli, logged: World, into: Path) -> None:
    what = ("--what", "artifacts,logs,tests", "--scrub", "hunter[0-9]", "--scrub", "x{3}", "--ansi")
    done = cli("harvest", "run", "gh/acme/api", "--into", str(into), *what)
    assert done.code == 0
    assert "4 files" in done.out
    assert "2 secrets replaced in logs and tests" in done.out
    assert (into / FOLDER / "logs/0/0-Run.txt").read_text() == "\x1b[1m[scrubbed]\x1b[0m [scrubbed]\n"


def test_run_replaces_nothing_with_no_scrub(cli: Cli, logged: World, into: Path) -> None:
    done = cli("harvest", "run", "gh/acme/api", "--into", str(into), "--what", "logs", "--no-scrub")
    assert (done.code, "replaced" in done.out) == (0, False)
    assert "ghp_" in (into / FOLDER / "logs/0/0-Run.txt").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--what", "log"], "what must be one of"),
        (["--what", ""], "what must be one of"),
        (["--scrub", "("], "scrub must contain valid regular expressions, got '('"),
        (["--scrub", "x*"], "scrub must not contain an expression that matches empty text"),
        (["--scrub", "x", "--no-scrub"], "--scrub and --no-scrub exclude each other"),
    ],
)
def test_wrong_kinds_and_patterns_exit_with_2(
    options: list[str], message: str, cli: Cli, logged: World, into: Path
) -> None:
    done = cli("harvest", "run", "gh/acme/api", "--into", str(into), *options)
    assert done.code == 2
    assert message in " ".join(done.err.replace("│", " ").split())
    assert not into.exists()
