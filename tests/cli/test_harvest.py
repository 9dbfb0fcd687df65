"""Harvesting: what is asked for is found and fetched, shown while it happens, and gone on with after it was stopped."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from circleci_async.testing import Artifact, FakeCircleCI, Job, World

from .conftest import Cli, running
from .process import run_on_terminal, start, wait_until

SECRET = "cci_secret_0123456789abcdef"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def builds(world: World, fake: FakeCircleCI) -> World:
    """Two pipelines of one project, of two branches, and one of another project."""
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
    """The finished files of a harvest."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not any(name.startswith(".") for name in path.parts)}


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def fetched(fake: FakeCircleCI) -> list[str]:
    """What the artifact host was asked for."""
    return [request.path for request in fake.requests if request.origin == "artifacts"]


def numbered(count: int, job: Job, size: int = 10) -> list[Artifact]:
    return [job.artifact(f"{number}.bin", size=size) for number in range(count)]


# What is harvested


def test_all_artifacts_of_a_project_are_harvested(cli: Cli, builds: World, into: Path) -> None:
    code, out, err = cli("harvest", "run", "gh/acme/api", "--into", into)

    assert (code, err) == (0, "")
    assert re.fullmatch(rf"7 files, 72 bytes in \d+\.\ds, in {re.escape(str(into))}\n", out)
    assert files_in(into) == ALL
    assert (into / "gh/acme/api/2/build/test-4/1/reports/junit.xml").read_bytes() == b"<testsuite id='2'/>"


def test_the_same_command_again_fetches_nothing_but_what_is_new(
    cli: Cli, builds: World, fake: FakeCircleCI, into: Path
) -> None:
    command = ("harvest", "run", "gh/acme/api", "https://github.com/acme/web", "--into", into)
    assert cli(*command).out.startswith("8 files, ")
    once = len(fetched(fake))

    again = cli(*command)
    builds.projects["gh/acme/web"].pipeline().workflow("release").job("pack").artifact("new.tar", b"new")
    more = cli(*command)

    assert (again.code, again.err) == (0, "")
    assert re.fullmatch(r"0 files, 0 bytes in .*; 8 there already\n", again.out)
    assert re.fullmatch(r"1 file, 3 bytes in .*; 8 there already\n", more.out)
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
def test_options_choose_among_them(cli: Cli, builds: World, into: Path, options: tuple[str, ...], wanted: str) -> None:
    code, out, err = cli("harvest", "run", "gh/acme/api", "gh/acme/web", "--into", into, *options)

    found = {name for name in ALL | {"gh/acme/web/1/release/pack-1/web.tar"} if wanted in name}
    assert (code, err) == (0, "" if found else "no artifacts are like that\n")
    assert files_in(into) == found
    assert out.startswith(f"{len(found)} file")


def test_pipelines_and_workflows_are_named_by_id(cli: Cli, builds: World, into: Path) -> None:
    first, second = builds.projects["gh/acme/api"].pipelines.all
    build, deploy = second.workflows

    assert cli("harvest", "run", "gh/acme/api", "--into", into, "--workflow-id", deploy.id).code == 0
    assert files_in(into) == {"gh/acme/api/2/deploy/publish-5/publish.log"}
    both = ("--workflow-id", deploy.id, "--workflow-id", build.id)
    assert cli("harvest", "run", "gh/acme/api", "--into", into, *both).code == 0
    assert files_in(into) == {name for name in ALL if "/2/" in name}
    assert cli("harvest", "run", "gh/acme/api", "--into", into, "--pipeline-id", first.id).code == 0
    assert files_in(into) == ALL


def test_a_layout_says_where_files_go(cli: Cli, builds: World, into: Path) -> None:
    layout = ("--layout", "all/{number}-{node}/{path}")

    assert cli("harvest", "run", "gh/acme/api", "--into", into, "--branch", "main", *layout).code == 0
    assert files_in(into) == {
        "all/3-0/lint.txt",
        "all/4-0/reports/junit.xml",
        "all/4-1/reports/junit.xml",
        "all/5-0/publish.log",
    }


def test_files_of_the_same_bytes_can_be_stored_once(cli: Cli, builds: World, into: Path) -> None:
    assert cli("harvest", "run", "gh/acme/api", "--into", into, "--dedupe", "hardlink").code == 0
    assert (into / "gh/acme/api/1/build/lint-1/lint.txt").samefile(into / "gh/acme/api/2/build/lint-3/lint.txt")


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        (("--max-files", "2"), "max_files=2 is reached"),
        (("--max-bytes", "0.02 kB"), "max_bytes=20 is reached"),
        (("--min-free", "900TiB"), "the disk is almost full: less than 989,560,464,998,400 bytes would stay free"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_bound_stops_it_and_without_the_bound_it_goes_on(
    cli: Cli, builds: World, into: Path, bound: tuple[str, str], reason: str
) -> None:
    command = ("harvest", "run", "gh/acme/api", "--into", into)

    code, out, err = cli(*command, "--concurrency", 1, *bound)

    assert (code, err) == (1, f"stopped: {reason}; the same command again goes on\n")
    have = len(files_in(into))
    assert out.startswith(f"{have} file")
    assert have < len(ALL)
    assert cli(*command).code == 0
    assert files_in(into) == ALL


@pytest.mark.parametrize(
    ("size", "count"),
    [("7", 7), ("1k", 1000), ("1.5KiB", 1536), ("2 MB", 2_000_000), ("1gib", 2**30), ("3TB", 3 * 10**12)],
)
def test_sizes_have_units(size: str, count: int) -> None:
    from circleci_async.cli.harvest import _bytes

    assert _bytes(size) == count


# How it fails


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gh/acme/api",), "Missing option '--into'"),
        (("--into", "out"), "Missing argument 'PROJECT'"),
        (("acme", "--into", "out"), "project"),
        (("gh/acme/api", "--into", "out", "--since", "yesterday"), "got 'yesterday'"),
        (("gh/acme/api", "--into", "out", "--since", "1d", "--until", "2d"), "since must be earlier than until"),
        (
            ("gh/acme/api", "--into", "out", "--branch", "main", "--tag", "v1"),
            "branch and tag exclude each other",
        ),
        (("gh/acme/api", "--into", "out", "--status", "good"), "status must be one of blocked"),
        (("gh/acme/api", "--into", "out", "--pipeline-id", "7"), "pipeline_id must be an id such as"),
        (("gh/acme/api", "--into", "out", "--layout", "{path}"), "files would collide"),
        (("gh/acme/api", "--into", "out", "--dedupe", "magic"), "dedupe must be 'hardlink'"),
        (("gh/acme/api", "--into", "out", "--max-bytes", "lots"), "'lots' is no number of bytes: give one such as"),
        (("gh/acme/api", "--into", "out", "--max-files", "-1"), "Invalid value for '--max-files'"),
        (("gh/acme/api", "--into", "out", "--tries", "0"), "Invalid value for '--tries'"),
        (("gh/acme/api", "--into", "out", "--concurrency", "0"), "Invalid value for '--concurrency'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_usage_is_said_and_nothing_is_sent_or_made(
    cli: Cli, fake: FakeCircleCI, into: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(into.parent)

    code, out, err = cli("harvest", "run", *arguments)

    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert fake.requests == []
    assert not into.exists()


@pytest.fixture
def pack(world: World, fake: FakeCircleCI) -> Job:
    """A job whose artifacts a test adds."""
    return world.project("gh/acme/web").pipeline().workflow("release").job("pack")


def test_what_fails_is_named_with_its_reason_and_tried_again_by_the_same_command(
    cli: Cli, pack: Job, fake: FakeCircleCI, into: Path
) -> None:
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
    assert re.match(r"error: 'gh/acme/web job 1: \.\./\.\./evil\\x1b\[2J': artifact path .* refused: it contains", evil)
    assert re.match("error: gh/acme/web job 1: web.tar: 404 Not Found", missing)
    assert nope.startswith("error: pipelines of gh/acme/nope: 404 Not Found: Project not found")

    gone.stop()
    hostile.delete()
    ran = cli(*command)
    assert ran.code == 1
    assert re.match("1 file, 3 bytes in .*; 1 there already\n", ran.out)
    assert ran.err == f"{nope.partition(' request')[0]}{ran.err[ran.err.index(' request') :]}"
    assert files_in(into) == {"gh/acme/web/1/release/pack-1/fine.txt", "gh/acme/web/1/release/pack-1/web.tar"}


def test_very_many_failures_are_not_all_named_and_the_rest_is_in_the_ledger(
    cli: Cli, pack: Job, fake: FakeCircleCI, into: Path
) -> None:
    numbered(30, pack)
    fake.fail("/output/*", status=404, times=None)

    code, _, err = cli("harvest", "run", "gh/acme/web", "--into", into)

    assert code == 1
    assert len(re.findall(r"^error: gh/acme/web job 1: \d+\.bin: 404", err, re.MULTILINE)) == 20
    rest = f"error: and 10 more [hint: circleci-async harvest status {into} tells of them.]"
    assert err.splitlines()[20:] == [rest]
    all_of_them = cli("harvest", "status", into).out
    assert len(re.findall(r"^failed: gh/acme/web job 1: \d+\.bin: 404", all_of_them, re.MULTILINE)) == 30


def test_a_token_that_is_refused_ends_it_with_a_hint(
    cli: Cli, builds: World, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", SECRET)

    code, out, err = cli("harvest", "run", "gh/acme/api", "--into", into, "-v")

    assert code == 1
    assert out.startswith("0 files, ")
    assert SECRET not in err
    assert re.search(
        r"^error: 401 Unauthorized: .* \[hint: Set CIRCLE_TOKEN .* Token: CIRCLE_TOKEN\.\]$", err, re.MULTILINE
    )


def test_files_are_tried_as_often_as_told(cli: Cli, pack: Job, fake: FakeCircleCI, into: Path) -> None:
    pack.artifact("web.tar", b"web")
    bad = fake.fail("/bucket/*", origin="storage", cut=1, headers={"ETag": "W/weak"}, times=None)
    command = ("harvest", "run", "gh/acme/web", "--into", into, "--attempts", 1)

    assert cli(*command, "--tries", 1).code == 1
    once = bad.hits
    assert cli(*command, "--tries", 3).code == 1
    assert bad.hits == once * 4


def test_a_destination_that_can_not_be_made_is_an_error(cli: Cli, fake: FakeCircleCI, into: Path) -> None:
    into.write_text("a file, no folder")

    code, out, err = cli("harvest", "run", "gh/acme/api", "--into", into)

    assert (code, out) == (1, "")
    assert err.startswith(f"error: cannot create {into}: ")


# Stopping, and going on


@pytest.fixture
def stuck(pack: Job, fake: FakeCircleCI, into: Path) -> Iterator["subprocess.Popen[str]"]:
    """A harvest of thirty files, in a process of its own, of which ten are there and the others don't come."""
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


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=str,
)
def test_whatever_stops_it_the_same_command_goes_on_and_fetches_nothing_twice(
    cli: Cli, stuck: "subprocess.Popen[str]", fake: FakeCircleCI, into: Path, number: signal.Signals, code: int
) -> None:
    stuck.send_signal(number)
    out, err = stuck.communicate(timeout=20)

    assert (stuck.returncode, out) == (code, "")
    kept = "stopped: 10 files, 100 bytes, came and are kept; the same command again goes on\n"
    assert err == ("" if number == signal.SIGKILL else kept)
    before = files_in(into)
    assert len(before) == 10
    assert "incomplete; the same `harvest run` again goes on" in cli("harvest", "status", into).out

    ran = cli("harvest", "run", "gh/acme/web", "--into", into)

    assert (ran.code, ran.err) == (0, "")
    assert re.match("20 files, 200 bytes in .*; 10 there already\n", ran.out)
    assert len(files_in(into)) == 30
    asked = [Path(path).name for path in fetched(fake)]
    assert [asked.count(Path(name).name) for name in before] == [1] * 10
    assert cli("harvest", "verify", into).code == 0


def test_one_that_is_stopped_in_json_ends_with_its_summary_too(pack: Job, fake: FakeCircleCI, into: Path) -> None:
    fault = fake.fail("*/artifacts", origin="api", delay=60)
    process = start("harvest", "run", "gh/acme/web", "--into", into, "--json")
    wait_until(lambda: fault.hits)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert err == "stopped: 0 files, 0 bytes, came and are kept; the same command again goes on\n"
    summary = {"event": "harvest_report", "files": 0, "bytes": 0, "is_complete": False, "stopped": "interrupted"}
    assert events(out)[-1] == summary


def test_a_second_harvest_into_the_same_folder_is_refused(cli: Cli, stuck: "subprocess.Popen[str]", into: Path) -> None:
    busy = cli("harvest", "run", "gh/acme/web", "--into", into)
    status = cli("harvest", "status", into)
    verify = cli("harvest", "verify", into)

    hint = r"\[hint: Wait until it has ended, or give another destination\.\]"
    assert (busy.code, busy.out) == (1, "")
    assert re.fullmatch(rf"error: another harvest \(process {stuck.pid}\) is running in .* {hint}\n", busy.err)
    assert "State:      a harvest is at work\n" in status.out
    assert (verify.code, verify.out) == (1, "")
    assert verify.err.startswith("error: a harvest is running in ")


# What is shown


def test_json_has_a_line_for_each_event_and_the_summary_is_the_last(
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
    }
    assert summary.pop("seconds") > 0
    web, nope = sorted(summary.pop("failures"), key=lambda failure: failure["kind"])
    assert summary == {
        "event": "harvest_report",
        "files": 1,
        "skipped": 0,
        "failed": 2,
        "bytes": 4,
        "is_complete": False,
        "stopped": None,
        "error": None,
    }
    assert (web["kind"], web["project"], web["number"], web["name"]) == ("artifact", "gh/acme/web", 1, "web.tar")
    assert web["error"].startswith("404 Not Found")
    assert (nope["kind"], nope["name"], nope["number"]) == ("pipelines", "gh/acme/nope", None)


def test_json_of_a_refused_token_says_why(cli: Cli, builds: World, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", SECRET)

    code, out, err = cli("harvest", "run", "gh/acme/api", "--into", into, "--json")

    summary = events(out)[-1]
    assert (code, err.count("\n")) == (1, 1)
    assert summary["error"].startswith("401 Unauthorized")
    assert summary["stopped"] == summary["error"]


def test_json_that_nobody_reads_any_more_ends_the_harvest(pack: Job, fake: FakeCircleCI, into: Path) -> None:
    numbered(3, pack)
    fake.fail("/bucket/*", origin="storage", delay=60, times=None)
    process = start("harvest", "run", "gh/acme/web", "--into", into, "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] in {"job_listed", "harvest_progress"}

    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (141, "")


@pytest.fixture
def unread(pack: Job, into: Path) -> Iterator["subprocess.Popen[str]"]:
    """A harvest that is through, and has more to tell than fits into the pipe, which nobody reads."""
    numbered(1000, pack)
    process = start("harvest", "run", "gh/acme/web", "--into", into, "--json")
    try:
        wait_until(lambda: len(files_in(into)) == 1000 or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_json_waits_for_a_slow_reader_who_misses_nothing(unread: "subprocess.Popen[str]") -> None:
    time.sleep(0.5)
    assert unread.poll() is None

    out, err = unread.communicate(timeout=20)

    assert (unread.returncode, err) == (0, "")
    lines = events(out)
    assert sum(line["event"] == "file_done" for line in lines) == 1000
    assert (lines[-1]["event"], lines[-1]["files"]) == ("harvest_report", 1000)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_json_that_nobody_reads_can_be_stopped(
    unread: "subprocess.Popen[str]", number: signal.Signals, code: int
) -> None:
    unread.send_signal(number)
    unread.wait(10)

    out, err = unread.communicate(timeout=10)

    assert unread.returncode == code
    assert re.fullmatch("(stopped: .*\n)?", err)  # it may have had a last thing to do
    assert out.endswith("}\n")


def test_a_terminal_sees_the_progress(pack: Job, fake: FakeCircleCI, into: Path) -> None:
    pack.artifact("large.bin", size=3_000_000)
    numbered(3, pack)
    fake.fail("/bucket/*", origin="storage", delay=1.2, after=2, times=1)
    fake.fail("/output/*1.bin", status=404)

    code, shown, _ = run_on_terminal("harvest", "run", "gh/acme/web", "--into", into, columns=100)

    assert code == 1
    assert re.search(r"[12]/4 files", shown)
    assert "3/4 files" in shown
    assert "3.0 MB" in shown
    assert re.search(r"\d ([kM]?B|bytes)/s", shown)
    assert re.search(r"[\d.]+s left", shown)
    assert "1 failed" in shown
    assert "\x1b[?25h" in shown.rpartition("\x1b[?25l")[2], "the cursor is still hidden"
    last = shown.splitlines()[-1]
    assert last.endswith(f"in {into}")
    assert re.search(r"3 files, 3\.0 MB in \d", last)


def test_ctrl_c_on_a_terminal_takes_the_bar_away(pack: Job, fake: FakeCircleCI, into: Path) -> None:
    numbered(5, pack)
    fault = fake.fail("/bucket/*", origin="storage", delay=60, after=2, times=None)

    code, shown, _ = run_on_terminal(
        "harvest", "run", "gh/acme/web", "--into", into, interrupt_when=lambda: fault.hits and len(files_in(into)) == 2
    )

    assert code == 130
    assert "\x1b[?25h" in shown.rpartition("\x1b[?25l")[2], "the cursor is still hidden"
    kept = "stopped: 2 files, 20 bytes, came and are kept; the same command again goes on"
    assert kept in shown.splitlines()[-1]


def test_a_terminal_sees_that_the_server_wants_a_pause(pack: Job, fake: FakeCircleCI, into: Path) -> None:
    numbered(3, pack)
    fake.fail("*/artifacts", origin="api", status=429, headers={"Retry-After": "1"})

    code, shown, _ = run_on_terminal("harvest", "run", "gh/acme/web", "--into", into)

    assert code == 0
    assert re.search(r"held back \(429\): 0\.\ds", shown)


@pytest.mark.parametrize("option", ["--json", "-v"])
def test_a_terminal_sees_no_bar_where_it_would_be_in_the_way(pack: Job, into: Path, option: str) -> None:
    numbered(3, pack)

    code, shown, _ = run_on_terminal("harvest", "run", "gh/acme/web", "--into", into, option)

    assert code == 0
    assert "/3 files" not in shown
    assert "\x1b[?25l" not in shown


# Looking at it afterwards


@pytest.fixture
def offline(cli: Cli, world: World, into: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A harvest of three files, of which one failed, whose server is gone, and a token too."""
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


def test_the_status_needs_no_token_and_no_network(cli: Cli, offline: Path) -> None:
    code, out, err = cli("harvest", "status", offline)

    assert (code, err) == (0, "")
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(
        "State:      incomplete; the same `harvest run` again goes on\n"
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


def test_verify_needs_neither_and_agrees(cli: Cli, offline: Path) -> None:
    code, out, err = cli("harvest", "verify", offline)

    assert (code, err) == (0, "")
    assert re.fullmatch(r"2 files, 3 bytes, as the ledger says, checked in \d+\.\ds\n", out)
    assert cli("harvest", "verify", offline, "--json").data["differences"] == 0


def test_a_terminal_sees_that_verify_is_at_work(offline: Path) -> None:
    code, shown, _ = run_on_terminal("harvest", "verify", offline)

    assert code == 0
    assert "Hashing every file again ..." in shown
    assert shown.splitlines()[-1].endswith("s")


def test_verify_names_every_difference_and_fails(cli: Cli, offline: Path) -> None:
    folder = offline / "gh/acme/web/1/release/pack-1"
    (folder / "a.txt").write_bytes(b"z")
    (folder / "b.txt").unlink()
    (folder / "odd\x1b[2J").write_bytes(b"?")
    (offline / ".own").write_bytes(b"a name that begins with a dot")

    code, out, err = cli("harvest", "verify", offline)

    assert code == 1
    assert re.fullmatch(r"0 files, 0 bytes, as the ledger says; 3 not, checked in \d+\.\ds\n", out)
    assert err.splitlines() == [
        "error: changed: gh/acme/web/1/release/pack-1/a.txt",
        "error: missing: gh/acme/web/1/release/pack-1/b.txt",
        r"error: unknown: gh/acme/web/1/release/pack-1/odd\x1b[2J",
    ]
    ran = cli("harvest", "verify", offline, "--json")
    assert (ran.code, ran.err, ran.data["missing"]) == (1, "", ["gh/acme/web/1/release/pack-1/b.txt"])


def test_verify_says_where_the_rest_of_very_many_differences_is(cli: Cli, offline: Path) -> None:
    for number in range(30):
        (offline / f"stray {number}").touch()

    code, _, err = cli("harvest", "verify", offline)

    assert code == 1
    assert err.count("error: unknown: stray ") == 20
    hint = f"circleci-async harvest verify {offline} --json tells of them."
    assert err.splitlines()[-1] == f"error: and 10 more [hint: {hint}]"
    assert len(cli("harvest", "verify", offline, "--json").data["unknown"]) == 30


@pytest.mark.parametrize("command", ["status", "verify"])
def test_where_no_harvest_is_that_is_an_error(cli: Cli, into: Path, command: str) -> None:
    into.mkdir()

    code, out, err = cli("harvest", command, into)

    assert (code, out) == (1, "")
    assert err == f"error: no harvest in {into}: it contains no .harvest.sqlite\n"
    assert list(into.iterdir()) == []
