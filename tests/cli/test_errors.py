"""Errors of commands: one line with a hint, an exit code, and never the token."""

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from circleci_async import __main__, __version__
from circleci_async.cli.app import main
from circleci_async.testing import FakeCircleCI, World
from tests.frames import exposed

from .conftest import Cli, running, signal_when
from .process import start

ID = "5034460f-c7c4-4c43-9457-de07e2029e7b"
URL = "u:s3cret@localhost/x"
PAGE = "https://app.circleci.com/pipelines/github/acme/api/1"
SECRET = "cci_secret_0123456789abcdef"


def test_an_invalid_token_is_an_error_that_names_the_source_of_the_token(
    cli: Cli, fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", SECRET)

    code, out, err = cli("me")

    assert (code, out) == (1, "")
    assert re.fullmatch(
        r"error: 401 Unauthorized: Invalid token provided\."
        r" \[hint: [Ss]et CIRCLE_TOKEN to a personal API token .*; token: CIRCLE_TOKEN\] \(GET .*, request .*\)\n",
        err,
    )


def test_a_missing_token_is_an_error(cli: Cli, fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CIRCLE_TOKEN")

    code, _, err = cli("me")

    assert code == 1
    assert err.startswith(f"error: no token for {fake.url}: set CIRCLE_TOKEN to a personal API token [hint: ")
    assert f"{fake.url}/settings/user/tokens" in err
    assert "circleci setup" in err
    assert "; token: no token found" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("project", "acme"),
        ("pipelines", "gh/acme/api", "--mine", "--branch", "x"),
        ("jobs", "nonsense"),
        ("watch", "nonsense"),
        ("logs", "nonsense"),
        ("trigger", "gh/acme/api", "--branch", "a", "--tag", "b"),
        ("api", "/me", "--body", "@absent"),
        ("insights", "acme"),
        ("artifacts", "list", "acme", "1"),
        ("artifacts", "download", "acme", "1", "--into", "out"),
        ("harvest", "run", "acme", "--into", "out", "--since", "yesterday"),
        ("usage", "export", "x"),
    ],
    ids=" ".join,
)
def test_a_missing_token_is_the_first_error_of_each_command(
    cli: Cli, fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    monkeypatch.delenv("CIRCLE_TOKEN")
    monkeypatch.chdir(tmp_path)

    code, out, err = cli(*arguments)

    assert (code, out) == (1, "")
    assert err.startswith("error: no token for ")
    assert fake.requests == []
    assert not (tmp_path / "out").exists()


def test_an_error_leaves_stdout_empty_in_json_mode(cli: Cli, fake: FakeCircleCI) -> None:
    code, out, err = cli("project", "gh/acme/nope", "--json")

    assert (code, out) == (1, "")
    assert re.fullmatch(r"error: 404 Not Found: .* \[hint: [Cc]heck the name, .*\] \(GET .*, request .*\)\n", err)


def test_a_multiline_message_is_printed_as_one_line(cli: Cli, fake: FakeCircleCI) -> None:
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
def test_a_usage_error_prints_the_usage_and_the_error(cli: Cli, arguments: tuple[str, ...]) -> None:
    code, out, err = cli(*arguments)

    assert (code, out) == (2, "")
    assert "Usage: circleci-async" in err
    assert re.fullmatch(r"error: [^A-Z].*[^.]", err.splitlines()[-1])


@pytest.mark.parametrize("group", [(), ("artifacts",), ("harvest",), ("usage",)], ids=" ".join)
def test_without_a_command_the_help_is_printed_as_it_is(cli: Cli, group: tuple[str, ...]) -> None:
    code, out, err = cli(*group)

    assert (code, out) == (2, "")
    assert err == f"{cli(*group, '--help').out}\nerror: missing command\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pipelines", "gh/acme/api", "--limit", "x"), "error: invalid value for '--limit'.*: .*integer.*"),
        (("logs", "gh/acme/api", "0"), "error: invalid value for 'NUMBER': .*"),
        (("me", "--host"), "error: option '--host' requires an argument"),
        (("harvest", "nope"), "error: no such command 'nope'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_usage_error_is_one_line_in_the_style_of_all_errors(
    cli: Cli, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = cli(*arguments)

    assert (code, out) == (2, "")
    assert re.fullmatch(message, err.splitlines()[-1])
    assert err.lower().count("error:") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("project", "acme"), "'acme'"),
        (("project", "gitlab.com/acme/api"), "projects on GitLab have an opaque slug"),
        (("insights", "gh/acme/api", "gh/acme/.."), "'..'"),
        (("pipelines", "gh/acme/api", "--mine", "--branch", "x"), "--mine and --branch cannot be combined"),
        (
            ("workflows", "gh/acme/api"),
            "the id or the URL of a pipeline, or a project and a number such as gh/acme/api 42, got",
        ),
        (
            ("jobs", "gh/acme/api"),
            "the id or the URL of a workflow, or a project and a number such as gh/acme/api 42, got",
        ),
        (
            ("workflows", "12"),
            "the URL of a pipeline, or a project and a number such as gh/acme/api 42, got '12'",
        ),
        (
            ("jobs", "build"),
            "the URL of a workflow, or a project and a number such as gh/acme/api 42, got 'build'",
        ),
        (
            ("trigger", "gh/acme/api", "--branch", "a", "--tag", "b"),
            "error: branch and tag cannot be combined, got ",
        ),
        (("me", "--timeout", "0"), "error: timeout must be a positive number of seconds, got 0.0"),
        (("insights", "gh/acme/api", "--window", "7d"), "error: reporting_window must be one of 'last-24-hours', "),
        (("harvest", "run", "gh/acme/api", "--into", "o", "--status", "bad"), "error: status must be one of "),
        (("harvest", "run", "gh/acme/api", "--into", "o", "--layout", "bad"), "error: layout must end with "),
        (
            ("harvest", "run", "gh/acme/api", "--into", "o", "--since", "1d", "--until", "2d"),
            "error: since must be earlier than until, got ",
        ),
        (
            ("harvest", "run", "gh/acme/api", "--into", "o", "--since", "soon"),
            "error: --since must be a time such as 7d, 12h, 2026-11-24 or 2026-11-24T10:00:00Z, got 'soon'",
        ),
        (("usage", "export", "gh/acme", "--end", "soon"), "error: --end must be a time such as 7d, 12h, "),
        *(
            (command, "got 'localhost/x'")
            for command in (("jobs", URL), ("workflows", URL), ("logs", URL), ("artifacts", "list", URL))
        ),
        (
            ("harvest", "run", "gh/acme/api", "--into", "o", "--latest", "--pipeline-id", ID),
            "error: latest",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_invalid_argument_is_bad_usage_and_sends_nothing(
    cli: Cli, fake: FakeCircleCI, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = cli(*arguments)

    assert (code, out) == (2, "")
    assert re.fullmatch(f"(error: .*)?{re.escape(message)}.*\n", err)
    assert fake.requests == []


INVALID_HOSTS = [
    "",
    "ftp://ci.example.com",
    "file:///etc/passwd",
    "https://",
    "https://ci.example.com/?x=1",
    "ci example com",
    "http://ci.example.com:99999",
    "https://ci.example.com/api/v2",
]


@pytest.mark.parametrize("host", INVALID_HOSTS)
@pytest.mark.parametrize("where", ["before", "after"])
def test_an_invalid_host_option_is_bad_usage(cli: Cli, host: str, where: str) -> None:
    option = ("--host", host)
    code, out, err = cli(*option, "me") if where == "before" else cli("me", *option)

    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: argument host: .*\n", err)


@pytest.mark.parametrize("host", [host for host in INVALID_HOSTS if host])
@pytest.mark.parametrize("name", ["CIRCLE_HOST", "CIRCLECI_CLI_HOST"])
def test_an_invalid_host_variable_is_bad_usage(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, host: str) -> None:
    monkeypatch.delenv("CIRCLE_HOST", raising=False)
    monkeypatch.setenv(name, host)

    code, out, err = cli("pipelines", "gh/acme/api", "--json")

    assert (code, out) == (2, "")
    assert re.fullmatch(rf"error: {name}: .*\n", err)


def test_an_invalid_artifact_host_names_the_variable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_ARTIFACT_HOSTS", "http://files.example.com/")

    code, _, err = cli("me")

    assert code == 2
    assert err.startswith("error: artifact_hosts: 'http://files.example.com/' is invalid: expected host or ")


def test_an_invalid_host_in_a_config_file_is_bad_usage(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CIRCLE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / ".circleci").mkdir()
    file = tmp_path / ".circleci" / "cli.yml"
    file.write_text("host: ftp://ci.example.com\ntoken: t\n")

    code, _, err = cli("me")

    assert code == 2
    assert err.startswith(f"error: {file}: 'ftp://ci.example.com' is not a valid host: expected the https address")


def test_hints_name_options_of_the_command_line(cli: Cli, fake: FakeCircleCI) -> None:
    fake.fail("*", delay=5)
    slow = cli("me", "--timeout", "0.1", "--attempts", "1").err
    assert re.fullmatch(
        r"error: response timed out \[hint: [Cc]heck that 127.0.0.1 is up .*; or raise `timeout`\] \(GET .*\)\n", slow
    )

    fake.fail("*", status=429, headers={"Retry-After": "86400"})
    code, _, err = cli("me")
    assert code == 1
    assert err.startswith("error: 429 Too Many Requests")
    assert " [hint: send fewer requests, or lower --concurrency if the command has it] (GET " in err
    assert err.count("\n") == 1


def test_a_destination_that_is_a_file_is_an_error(cli: Cli, fake: FakeCircleCI, world: World, tmp_path: Path) -> None:
    world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("a.txt", b"a")
    (tmp_path / "taken").write_text("a file")

    code, _, err = cli("artifacts", "download", "gh/acme/api", 1, "--into", tmp_path / "taken")

    assert code == 1
    assert err == f"error: --into must be a folder that can be written: {tmp_path / 'taken'}: file exists\n"
    code, out, err = cli("demo", "--keep", tmp_path / "taken" / "files")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: --keep must be a folder that can be written: {tmp_path / 'taken' / 'files'}: not a ")


def test_a_harvest_into_a_file_is_an_error(cli: Cli, fake: FakeCircleCI, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    code, out, err = cli("harvest", "run", "gh/acme/api", "--into", tmp_path / "taken")

    assert (code, out) == (1, "")
    assert err == f"error: cannot create {tmp_path / 'taken'}: into must be a folder, and this is a file\n"
    assert fake.requests == []


@pytest.mark.parametrize(("status", "hint"), [(403, "check the permissions"), (404, "check the name")])
def test_the_hint_about_access_names_the_command_that_shows_the_user(
    cli: Cli, fake: FakeCircleCI, status: int, hint: str
) -> None:
    fake.fail("*", status=status, body={"message": "no"})

    code, _, err = cli("project", "gh/acme/api")

    assert code == 1
    assert re.fullmatch(rf"error: {status} .*: no \[hint: {hint}.* user \(`circleci-async me`\).*\] \(GET .*\)\n", err)


@pytest.mark.parametrize(
    "project",
    [
        "github.com/acme/api",
        "https://github.com/acme/api.git",
        "git@github.com:acme/api.git",
        "app.circleci.com/pipelines/github/acme/api/1",
    ],
)
def test_a_project_is_accepted_as_it_is_copied(
    cli: Cli, world: World, fake: FakeCircleCI, tmp_path: Path, project: str
) -> None:
    world.project("gh/acme/api").pipeline().workflow("build").job("test").artifact("a.txt", b"a")

    assert cli("project", project, "--json").data["slug"] == "gh/acme/api"
    assert len(cli("pipelines", project, "--json").data) == 1
    assert len(cli("artifacts", "list", project, 1, "--json").data) == 1
    assert cli("insights", project).code == 0
    assert cli("harvest", "run", project, "--into", tmp_path).code == 0


def test_the_address_of_a_pipeline_is_accepted_without_its_scheme(cli: Cli, world: World, fake: FakeCircleCI) -> None:
    world.project("gh/acme/api").pipeline().workflow("build").job("test")

    assert cli("watch", "app.circleci.com/pipelines/github/acme/api/1", "--json").code == 0


@pytest.mark.parametrize("scheme", ["https://", ""])
def test_the_address_of_a_page_is_accepted_wherever_its_build_is(
    cli: Cli, world: World, fake: FakeCircleCI, tmp_path: Path, scheme: str
) -> None:
    project = world.project("gh/acme/api")
    workflow = project.pipeline().workflow("build")
    workflow.job("test").artifact("a.txt", b"a")
    project.pipeline().workflow("newer")
    page = f"{scheme}app.circleci.com/pipelines/github/acme/api/1"
    job = f"{page}/workflows/{workflow.id}/jobs/1"

    assert [each["name"] for each in cli("workflows", page, "--json").data] == ["build"]
    assert [each["name"] for each in cli("jobs", f"{page}/workflows/{workflow.id}", "--json").data] == ["test"]
    assert cli("jobs", job, "--json").data["name"] == "test"
    assert [each["path"] for each in cli("artifacts", "list", job, "--json").data] == ["a.txt"]
    assert cli("artifacts", "download", job, "--into", tmp_path / "job").code == 0
    assert cli("artifacts", "download", "--pipeline", page, "--into", tmp_path / "pipeline").code == 0
    assert cli("logs", job, "--steps", "--json").code == 0
    assert cli("watch", page, "--interval", "0.01").out.startswith("Pipeline 1 of gh/acme/api\n")
    repository = f"{scheme}github.com/acme/api/tree/main"
    assert cli("watch", repository, "--interval", "0.01").out.startswith("Pipeline 2 of gh/acme/api\n")
    assert sorted(each.name for each in tmp_path.rglob("a.txt")) == ["a.txt"] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("workflows", "https://circleci.com/gh/acme/api/1"), "the URL of a pipeline, got that of a job"),
        (("workflows", f"https://app.circleci.com/workflow/{ID}"), "the URL of a pipeline, got that of a workflow"),
        (("jobs", PAGE), "the URL of a workflow or a job, got that of a pipeline"),
        (("artifacts", "list", PAGE), "the URL of a job, got that of a workflow or a pipeline"),
        (("artifacts", "list", "gh/acme/api"), "a project and a job number, or the URL of a job, got 'gh/acme/api'"),
        (("artifacts", "download", "--pipeline", "23"), "the id or the URL of a pipeline, got '23'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_address_of_another_kind_of_page_is_bad_usage(
    cli: Cli, fake: FakeCircleCI, arguments: tuple[str, ...], message: str
) -> None:
    assert cli(*arguments) == (2, "", f"error: expected {message}\n")
    assert fake.requests == []


def test_an_os_error_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circleci_async.CircleCI", _broken(PermissionError(13, "Permission denied", "x")))

    assert cli("me") == (1, "", "error: x: permission denied\n")


def test_a_bug_is_one_line_with_a_traceback_if_verbose(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circleci_async.CircleCI", _broken(KeyError("surprise\x1b[2J")))

    code, out, err = cli("me")
    assert (code, out) == (1, "")
    line = r"error: unexpected KeyError: 'surprise\x1b[2J' [hint: this is a bug; -v shows the traceback]"
    assert err == f"{line}\n"

    code, _, err = cli("me", "-v")
    assert code == 1
    assert err.startswith("Traceback (most recent call last):\n")
    assert "command.py" in err
    assert "\x1b" not in err


def _broken(error: Exception) -> object:
    def fail(**_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("verbose", [(), ("-v",)], ids=["plain", "verbose"])
@pytest.mark.parametrize("auth_works", [True, False], ids=["accepted", "refused"])
def test_the_token_is_never_printed(
    cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verbose: tuple[str, ...], auth_works: bool
) -> None:
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


def test_the_log_is_printed_only_if_verbose(cli: Cli, fake: FakeCircleCI) -> None:
    assert cli("me").err == ""
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET /api/v2/me: 200 in \d+ ms\n", cli("me", "-v").err)
    assert cli("-v", "me").err.count("GET /api/v2/me: 200") == 1
    assert cli("me").err == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_stops_a_command_without_output(
    cli: Cli, fake: FakeCircleCI, number: signal.Signals, code: int
) -> None:
    fault = fake.fail("*", delay=30)
    with signal_when(lambda: fault.hits, number):
        assert cli("me") == (code, "", "")


def test_ctrl_c_during_imports_exits_without_output() -> None:
    code = """
import sys
from circleci_async import __main__
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "circleci_async.cli.app":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
__main__.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("arguments", [("pipelines", "gh/acme/api"), ("pipelines", "gh/acme/api", "--json"), ("me",)])
def test_a_closed_pipe_ends_a_command_without_an_error(
    cli: Cli, fake: FakeCircleCI, world: World, arguments: tuple[str, ...]
) -> None:
    project = world.project("gh/acme/api")
    for _ in range(30):
        project.pipeline()
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as pipe:  # noqa: PTH123
        code, _, err = cli(*arguments, stdout=pipe)

    assert (code, err) == (141, "")


def test_a_process_whose_pipe_is_closed_exits_without_an_error(fake: FakeCircleCI, world: World) -> None:
    world.project("gh/acme/api").pipeline()
    reader, writer = os.pipe()
    process = start("pipelines", "gh/acme/api", "--json", stdout=writer)
    os.close(writer)
    os.close(reader)

    _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (141, "")


@pytest.mark.parametrize(("closed", "arguments"), [("stdout", ["--json"]), ("stdout", []), ("stderr", [])])
def test_closed_standard_streams_are_ignored(
    cli: Cli, fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch, closed: str, arguments: list[str]
) -> None:
    monkeypatch.setattr(sys, closed, None)  # as the interpreter does for `>&-`

    assert cli("me", *arguments).code == 0
    getattr(sys, closed).close()
    assert [each.path for each in fake.requests] == ["/api/v2/me"]


def test_a_process_started_with_closed_streams_succeeds(fake: FakeCircleCI) -> None:
    done = subprocess.run(["sh", "-c", f"{sys.executable} -m circleci_async me >&- 2>&-"], timeout=60, check=False)

    assert done.returncode == 0
    assert [each.path for each in fake.requests] == ["/api/v2/me"]


def test_characters_that_the_encoding_lacks_are_escaped(cli: Cli, fake: FakeCircleCI, world: World) -> None:
    world.project("gh/acme/api").pipeline(subject="größe 日本")
    raw = io.BytesIO()

    code, _, err = cli("pipelines", "gh/acme/api", stdout=io.TextIOWrapper(raw, encoding="ascii"))

    assert (code, err) == (0, "")
    assert rb"gr\xf6\xdfe \u65e5\u672c" in raw.getvalue()


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_a_missing_extra_is_an_error_with_the_install_command(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(SystemExit) as ended:
        __main__.main()

    message = "error: the extra `cli` is not installed: pip install 'circleci-async[cli]'\n"
    assert (ended.value.code, *capsys.readouterr()) == (1, "", message)


def test_help_does_not_import_the_sdk() -> None:
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
        "api", "approve", "artifacts", "cancel", "demo", "fake", "harvest", "insights", "jobs",
        "listen", "logs", "me", "pipelines", "project", "projects", "report", "rerun", "trigger", "usage", "watch",
        "workflows",
    ]  # fmt: skip
    inner = [("artifacts", "list"), ("artifacts", "download"), ("usage", "export")]
    inner += [("insights", "show"), ("insights", "collect")]
    inner += [("harvest", "run"), ("harvest", "status"), ("harvest", "verify")]
    for command in (*((each,) for each in commands), *inner):
        code, out, err = cli(*command, "-h")
        assert (code, err) == (0, "")
        assert f"Usage: circleci-async {' '.join(command)} " in out


def test_the_version_is_printed(cli: Cli) -> None:
    assert cli("--version") == (0, f"circleci-async {__version__}\n", "")


@pytest.mark.parametrize(
    "command",
    [
        ("artifacts", "download", "gh/acme/api", "1", "--into"),
        ("usage", "export", "5034460f-c7c4-4c43-9457-de07e2029e7b", "--into"),
    ],
    ids=" ".join,
)
def test_an_address_as_destination_is_a_usage_error(
    cli: Cli, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    ran = cli.on_terminal(*command, "s3://bucket/x", columns=200)
    assert ran.code == 2
    assert "must be a path on this machine, got an address that begins with 's3://': use a local folder" in ran.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "command",
    [
        ("harvest", "run", "gh/acme/api", "--into"),
        ("harvest", "status"),
        ("harvest", "verify"),
        ("harvest", "prune", "--older-than", "1d"),
    ],
    ids=" ".join,
)
def test_an_unknown_scheme_as_destination_is_a_usage_error(
    cli: Cli, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    ran = cli.on_terminal(*command, "ftp://bucket/x", columns=200)
    assert ran.code == 2
    assert "must be a folder, or a URL that begins with file://, s3://" in ran.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("body", [f'{{"value": "{SECRET}"}}', f"{{{SECRET}"], ids=["refused", "malformed"])
def test_no_frame_shows_the_token_or_the_body(
    body: str, fake: FakeCircleCI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", f"{SECRET}-token")
    file = tmp_path / "body.json"
    file.write_text(body)
    with pytest.raises(SystemExit) as ended:
        main(["api", "/context", "--body", f"@{file}"])
    assert ended.value.code in {1, 2}
    assert exposed(ended.value, SECRET) == []
