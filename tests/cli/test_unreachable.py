"""Commands against hosts that cannot be reached: what is shown while they wait, and their error."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from circleci_async.cli import command
from tests.fastclock import FastClockLoop

from .conftest import Cli


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", "the-token")


@pytest.fixture(autouse=True)
def notes_of_waits(no_notes_of_waits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Print what a command waits for after the default time."""
    monkeypatch.setattr(command, "NOTE_AFTER", 3.0)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> str:
    """A host that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("CIRCLE_HOST", f"http://{host}")
    return host


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("CIRCLE_HOST", f"http://{host}")
        yield host


@pytest.fixture(autouse=True)
def fast_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands wait on a clock that jumps."""

    def run(main: object) -> object:
        with asyncio.Runner(loop_factory=FastClockLoop) as fast:
            return fast.run(main)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "run", run)


def test_what_is_being_waited_for_is_shown_on_stderr(cli: Cli, silent: str) -> None:
    code, out, err = cli("me", "--json")

    assert (code, out) == (1, "")
    assert err.splitlines()[:3] == [
        f"GET /api/v2/me has been waiting for {seconds} s: no response yet ({silent}, attempt 1 of 5)"
        for seconds in (3, 13, 23)
    ]
    assert re.fullmatch(
        r"error: not completed within the deadline of 30 s \[hint: Check that 127\.0\.0\.1 is up .*; or raise"
        rf" `deadline`\] \(GET http://{silent}/api/v2/me\)",
        err.splitlines()[3],
    )


def test_it_is_shown_on_a_terminal_too(cli: Cli, silent: str) -> None:
    code, out, err = cli.on_terminal("me", columns=200)

    assert (code, out) == (1, "")
    assert err.count(f"no response yet ({silent}, attempt 1 of 5)") == 3


def test_the_cause_of_the_last_failure_and_the_next_retry_are_shown(cli: Cli, closed: str) -> None:
    code, _, err = cli("me", "--attempts", "12")

    assert code == 1
    *notes, error = err.splitlines()
    for note in notes:
        assert re.fullmatch(
            r"GET /api/v2/me has been waiting for \d+ s: retry after connection failed: 127\.0\.0\.1:\d+ refused the"
            rf" connection, \d+ s left \({closed}, attempt \d+ of 12\)",
            note,
        )
    assert notes
    assert error.startswith(f"error: connection failed: {closed} refused the connection [hint: Check host and port, ")
    assert error.endswith(f" (GET http://{closed}/api/v2/me)")


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_quiet_command_shows_only_the_error(cli: Cli, silent: str, where: str) -> None:
    code, out, err = cli("--quiet", "me") if where == "before" else cli("me", "--quiet")

    assert (code, out) == (1, "")
    assert re.fullmatch(r"error: not completed .*\n", err)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ((), 30),
        (("--deadline", "2"), 2),
        (("--timeout", "5"), 30),
        (("--timeout", "80"), 80),
        (("--timeout", "80", "--deadline", "7"), 7),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_deadline_of_a_call(cli: Cli, silent: str, options: tuple[str, ...], seconds: int) -> None:
    for arguments in ((*options, "me"), ("me", *options)):
        code, _, err = cli(*arguments)
        assert code == 1
        error = err.splitlines()[-1]
        assert f"deadline of {seconds} s" in error or "response timed out" in error


@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_the_deadline_is_a_positive_number(cli: Cli, silent: str, seconds: str) -> None:
    code, out, err = cli("me", "--deadline", seconds)

    assert (code, out) == (2, "")
    assert err.startswith("error: --deadline must be a positive number of seconds, got ")


def test_a_name_that_does_not_resolve(cli: Cli) -> None:
    code, _, err = cli("me", "--host", "https://ci.invalid", "--attempts", "1")

    assert code == 1
    assert re.fullmatch(
        r"error: connection failed: the host name ci\.invalid cannot be resolved \(.*\) \[hint: Check the spelling of"
        r" .*DNS.*\] \(GET https://ci\.invalid/api/v2/me\)\n",
        err,
    )


@pytest.mark.parametrize(
    "command",
    [
        ("pipelines", "gh/acme/api"),
        ("artifacts", "list", "gh/acme/api", "1"),
        ("logs", "gh/acme/api", "1"),
        ("watch", "gh/acme/api", "1"),
        ("api", "/me"),
    ],
    ids=" ".join,
)
def test_each_command_ends_with_the_cause(cli: Cli, closed: str, command: tuple[str, ...]) -> None:
    code, out, err = cli(*command)

    assert (code, out) == (1, "")
    error = err.splitlines()[-1]
    assert error.startswith(f"error: connection failed: {closed} refused the connection [hint: Check host and port")


@pytest.mark.parametrize("projects", [1, 6])
@pytest.mark.parametrize("json_option", [(), ("--json",)], ids=["text", "JSON"])
def test_a_harvest_shows_the_cause(
    cli: Cli, closed: str, tmp_path: Path, projects: int, json_option: tuple[str, ...]
) -> None:
    slugs = [f"gh/acme/p{number}" for number in range(projects)]

    code, out, err = cli("harvest", "run", *slugs, "--into", tmp_path, "--file-attempts", 2, *json_option)

    assert code == 1
    [error] = [line for line in err.splitlines() if line.startswith("error: ")]
    assert error.startswith(f"error: connection failed: {closed} refused the connection [hint: Check host and port")
    assert "files" not in err
    if json_option:
        report = json.loads(out.splitlines()[-1])
        assert report["stopped"].startswith("connection failed: ")
    else:
        assert out == ""


def test_a_harvest_from_a_silent_host_ends_after_the_deadline(cli: Cli, silent: str, tmp_path: Path) -> None:
    code, out, err = cli("harvest", "run", "gh/acme/api", "--into", tmp_path)

    assert (code, out) == (1, "")
    *notes, error = err.splitlines()
    assert len(notes) == 3  # of one call; it is not repeated
    assert error.startswith("error: not completed within the deadline of 30 s [hint: ")


def test_a_harvest_on_a_terminal_shows_the_cause(cli: Cli, silent: str, tmp_path: Path) -> None:
    code, out, err = cli.on_terminal(
        "harvest", "run", "gh/acme/api", "--into", tmp_path, "--file-attempts", 1, columns=200
    )

    assert (code, out) == (1, "")
    assert f"no response yet ({silent}, attempt 1 of 5)" in err
    assert "not completed within the deadline of 30 s" in err.splitlines()[-1]
