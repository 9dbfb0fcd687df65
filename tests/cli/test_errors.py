"""How a command fails: one line with a hint, an exit code; and it never shows the token."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from circleci_async.testing import FakeCircleCI, World

from .conftest import Cli
from .process import run, start, wait_until

SECRET = "cci_secret_0123456789abcdef"


def test_an_unknown_token_fails_with_a_hint_that_says_where_it_came_from(
    cli: Cli, fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", SECRET)

    code, out, err = cli("me")

    assert (code, out) == (1, "")
    assert re.fullmatch(
        r"error: 401 Unauthorized: Invalid token provided\. \(GET .*\)"
        r" \[hint: Set CIRCLE_TOKEN to a personal API token .*\. Token: CIRCLE_TOKEN\.\]\n",
        err,
    )


def test_no_token_at_all_is_said(cli: Cli, fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CIRCLE_TOKEN")

    code, _, err = cli("me")

    assert code == 1
    assert "Token: no token found" in err


def test_what_is_not_there_fails_in_json_mode_with_nothing_on_stdout(cli: Cli, fake: FakeCircleCI) -> None:
    code, out, err = cli("project", "gh/acme/nope", "--json")

    assert (code, out) == (1, "")
    assert re.fullmatch(r"error: 404 Not Found: .*\) \[hint: Check the name, .*\.\]\n", err)


def test_an_error_without_a_hint_is_one_line_too(cli: Cli, fake: FakeCircleCI) -> None:
    fake.fail("*", status=418, body="short\nand stout")

    assert re.fullmatch(r"error: 418 .*short and stout \(GET .*\)\n", cli("me").err)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("project",),
        ("me", "--nonsense"),
        ("pipelines", "gh/acme/api", "--limit", "-1"),
        ("me", "--attempts", "0"),
        ("jobs", "gh/acme/api", "x"),
    ],
    ids=" ".join,
)
def test_bad_usage_says_how_to_get_help(cli: Cli, arguments: tuple[str, ...]) -> None:
    code, out, err = cli(*arguments)

    assert (code, out) == (2, "")
    assert "Usage: circleci-async" in err
    assert err.splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("project", "acme"), "project slug 'acme' is invalid: expected 'gh/org/repo'"),
        (("insights", "gh/acme/api", "gh/acme/.."), "slug has the invalid name '..'"),
        (("pipelines", "gh/acme/api", "--mine", "--branch", "x"), "--mine and --branch can't be combined"),
        (("workflows", "gh/acme/api"), "'gh/acme/api' is no id of a pipeline; with a project, give a number too"),
        (("jobs", "gh/acme/api"), "'gh/acme/api' is no id of a workflow; with a project, give a number too"),
        (("trigger", "gh/acme/api", "--branch", "a", "--tag", "b"), "branch"),
        (("me", "--timeout", "0"), "timeout=0.0: give a number of seconds above 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_argument_that_can_not_be_right_is_bad_usage_and_nothing_is_sent(
    cli: Cli, fake: FakeCircleCI, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = cli(*arguments)

    assert (code, out) == (2, "")
    assert re.fullmatch(f"error: .*{re.escape(message)}.*\n", err)
    assert fake.requests == []


def test_a_host_that_can_not_be_right_is_an_error(cli: Cli) -> None:
    code, _, err = cli("me", "--host", "")

    assert code == 1
    assert re.fullmatch("error: argument host: '' can't be the host: .*\n", err)


def test_hints_name_the_options_of_the_command_line(cli: Cli, fake: FakeCircleCI) -> None:
    fake.fail("*", delay=5)
    slow = cli("me", "--timeout", "0.1", "--attempts", "1").err
    assert re.fullmatch(r"error: .* \[hint: Raise --timeout \(seconds for one attempt\)\.\]\n", slow)

    fake.fail("*", status=429, headers={"Retry-After": "86400"})
    code, _, err = cli("me")
    assert code == 1
    assert err.startswith("error: 429 Too Many Requests")
    assert err.endswith(" [hint: Ask less often, or lower --concurrency where the command has it.]\n")
    assert err.count("\n") == 1


def test_a_file_that_can_not_be_made_is_an_error(cli: Cli, fake: FakeCircleCI, world: World, tmp_path: Path) -> None:
    world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("a.txt", b"a")
    (tmp_path / "taken").write_text("a file, no folder")

    code, _, err = cli("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path / "taken")

    assert code == 1
    assert re.match("error: a.txt: .*can't be placed", err)


def test_an_error_of_the_system_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circleci_async.cli.command._client", _broken(PermissionError(13, "Permission denied", "x")))

    assert cli("me") == (1, "", "error: [Errno 13] Permission denied: 'x'\n")


def test_a_bug_is_one_line_and_shows_its_place_only_when_asked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circleci_async.cli.command._client", _broken(KeyError("surprise\x1b[2J")))

    code, out, err = cli("me")
    assert (code, out) == (1, "")
    line = r"error: unexpected KeyError: 'surprise\x1b[2J' [hint: This is a bug; -v shows where it happened.]"
    assert err == f"{line}\n"

    code, _, err = cli("me", "-v")
    assert code == 1
    assert err.startswith("Traceback (most recent call last):\n")
    assert "command.py" in err
    assert "\x1b" not in err


def _broken(error: Exception) -> object:
    def fail(_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("verbose", [(), ("-v",)], ids=["plain", "verbose"])
@pytest.mark.parametrize("auth_works", [True, False], ids=["accepted", "refused"])
def test_the_token_is_never_shown(
    cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verbose: tuple[str, ...], auth_works: bool
) -> None:
    from .conftest import running

    world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("a.txt", b"a")
    server = FakeCircleCI(world, token=SECRET if auth_works else "another")
    with running(server):
        for name, value in {**server.environment, "CIRCLE_TOKEN": SECRET}.items():
            monkeypatch.setenv(name, value)
        server.fail("*/project/gh/acme/api", status=500, body={"message": f"bad token {SECRET}"}, times=None)
        server.fail("/bucket/*", status=500, body=f"bad token {SECRET}", times=None)
        for command in (
            ("me",),
            ("project", "gh/acme/api", "--attempts", "1"),
            ("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path, "--attempts", "1"),
            ("pipelines", "gh/acme/api"),
        ):
            _, out, err = cli(*command, *verbose)
            assert SECRET not in out + err


def test_the_log_is_shown_when_asked_for_and_only_then(cli: Cli, fake: FakeCircleCI) -> None:
    assert cli("me").err == ""
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET /api/v2/me: 200 in \d+ ms\n", cli("me", "-v").err)
    assert cli("-v", "me").err.count("GET /api/v2/me: 200") == 1
    assert cli("me").err == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_stops_a_command_quietly(fake: FakeCircleCI, number: signal.Signals, code: int) -> None:
    fault = fake.fail("*", delay=30)
    process = start("me")
    wait_until(lambda: fault.hits)

    process.send_signal(number)
    out, err = process.communicate(timeout=10)

    assert (process.returncode, out, err) == (code, "", "")


def test_ctrl_c_before_a_command_has_begun_is_quiet_too() -> None:
    code = """
import sys
from circleci_async import __main__
class Hurry:
    def find_spec(self, name, path=None, target=None):
        if name == "circleci_async.cli.app":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Hurry())
__main__.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("arguments", [("pipelines", "gh/acme/api"), ("pipelines", "gh/acme/api", "--json"), ("me",)])
def test_a_pipe_that_is_closed_ends_a_command_quietly(
    fake: FakeCircleCI, world: World, arguments: tuple[str, ...]
) -> None:
    project = world.project("gh/acme/api")
    for _ in range(30):
        project.pipeline()
    reader, writer = os.pipe()
    process = start(*arguments, stdout=writer)
    os.close(writer)
    os.close(reader)

    _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (141, "")


@pytest.mark.parametrize(("closed", "arguments"), [(">&-", "--json"), (">&-", ""), ("2>&-", "")])
def test_an_output_that_was_closed_before_the_start_is_no_error(
    fake: FakeCircleCI, closed: str, arguments: str
) -> None:
    command = f"{sys.executable} -m circleci_async me {arguments} {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [each.path for each in fake.requests] == ["/api/v2/me"]


def test_a_name_that_the_output_can_not_encode_is_shown_all_the_same(fake: FakeCircleCI, world: World) -> None:
    world.project("gh/acme/api").pipeline(subject="größe 日本")

    code, out, err = run("pipelines", "gh/acme/api", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})

    assert (code, err) == (0, "")
    assert r"gr\xf6\xdfe \u65e5\u672c" in out


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_its_extra_it_says_what_to_install(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from circleci_async.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "circleci-async needs its extra: pip install 'circleci-async[cli]'\n"


def test_help_does_not_wait_for_the_sdk() -> None:
    code = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "try:\n    from circleci_async.__main__ import main; main()\n"
        "finally: print(sorted({'aiohttp', 'attrs', 'cattrs'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 0, done.stderr
    assert "Commands:" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_has_help(cli: Cli) -> None:
    out = cli("--help").out
    commands = re.findall(r"^  ([a-z]+)  ", out.partition("Commands:")[2], re.MULTILINE)

    assert sorted(commands) == [
        "api", "approve", "artifacts", "cancel", "completion", "demo", "fake", "harvest", "insights", "jobs",
        "listen", "logs", "me", "pipelines", "project", "rerun", "trigger", "usage", "watch", "workflows",
    ]  # fmt: skip
    inner = [("artifacts", "list"), ("artifacts", "download"), ("usage", "export")]
    inner += [("harvest", "run"), ("harvest", "status"), ("harvest", "verify")]
    for command in (*((each,) for each in commands), *inner):
        code, out, err = cli(*command, "-h")
        assert (code, err) == (0, "")
        assert f"Usage: circleci-async {' '.join(command)} " in out


def test_the_version_is_said() -> None:
    from circleci_async import __version__

    assert run("--version") == (0, f"circleci-async {__version__}\n", "")
