"""`completion`: real shells complete words with the script that the command prints."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from circleci_async.__main__ import main
from circleci_async.cli import completion

from .conftest import Cli

SHELLS = {
    "bash": (("bash", "--norc", "--noprofile", "-i"), 'eval "$(circleci-async completion bash)"'),
    "zsh": (
        ("zsh", "-f", "-i"),
        'bindkey -e; autoload -Uz compinit; compinit -u; eval "$(circleci-async completion zsh)"',
    ),
    "fish": (("fish", "--no-config", "-i"), "circleci-async completion fish | source"),
}
ON_ITS_TERMINAL = (
    sys.executable,
    "-c",
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])",
)
TAB, HOME, END = "\t", "\x01", "\x05"


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> str:
    """A PATH on which `circleci-async` is the one of this environment."""
    found = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", found)
    return found


class Terminal:
    """A shell on a pseudo-terminal."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._ours, its = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "PS1": "", "COLUMNS": "200"}
        self._process = subprocess.Popen(
            [*ON_ITS_TERMINAL, *command], stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True
        )
        os.close(its)
        self._shown = b""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, pattern: str, seconds: float = 30) -> str:
        """Wait for output that matches a regular expression, and return the match."""
        end = time.monotonic() + seconds
        while True:
            shown = self._shown.decode(errors="replace").replace("\r", "\n")
            if found := re.search(pattern, shown):
                self._shown = b""
                return found[0]
            assert time.monotonic() < end, f"no {pattern!r} in {shown!r}"
            if select.select([self._ours], [], [], 0.1)[0]:
                try:
                    self._shown += os.read(self._ours, 65536)
                except OSError:  # the shell exited
                    pytest.fail(f"the shell exited after {shown!r}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)
        os.close(self._ours)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_commands_options_and_arguments(shell: str, path: str) -> None:
    command, set_up = SHELLS[shell]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{shell} is not installed")
    terminal = Terminal(command)
    try:
        terminal.type(f"{set_up}; echo re''ady\n")
        terminal.wait_for("ready")
        for typed, completed in [
            ("artifacts dow", "artifacts download"),
            ("pipelines gh/acme/api --bra", "pipelines gh/acme/api --branch"),
            ("completion pow", "completion powershell"),
            ("insights coll", "insights collect"),
            ("report gh/acme --usage-f", "report gh/acme --usage-file"),
        ]:
            # Turn the completed line into an argument of echo.
            terminal.type(f"circleci-async {typed}{TAB}{HOME}echo '<{END}>'\n")
            shown = terminal.wait_for(r"(?<=\n)<circleci-async [^>]*>")
            assert shown.strip("<>").rstrip() == f"circleci-async {completed}"
    finally:
        terminal.close()


def test_powershell_completes_commands(path: str) -> None:
    pwsh = shutil.which("pwsh")
    if pwsh is None:
        pytest.skip("PowerShell is not installed")
    line = "circleci-async artifacts dow"
    program = (
        "circleci-async completion powershell | Out-String | Invoke-Expression;"
        f"[System.Management.Automation.CommandCompletion]::CompleteInput('{line}', {len(line)}, $null)"
        ".CompletionMatches.CompletionText"
    )
    done = subprocess.run(
        [pwsh, "-NoProfile", "-NonInteractive", "-Command", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["download"], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_each_shell_has_a_script(shell: str, cli: Cli) -> None:
    code, out, err = cli("completion", shell)

    assert (code, err) == (0, "")
    assert "_CIRCLECI_ASYNC_COMPLETE" in out
    assert f"complete_{shell}" in out
    assert cli("completion", shell, "--json").data == {"shell": shell, "script": out.removesuffix("\n")}


def test_an_unknown_shell_is_bad_usage_that_lists_the_shells(cli: Cli) -> None:
    code, out, err = cli("completion", "tcsh")

    assert (code, out) == (2, "")
    assert "'bash', 'zsh', 'fish', 'powershell'" in err


@pytest.mark.parametrize(
    ("shell", "request_variables", "answer"),
    [
        ("zsh", {"_TYPER_COMPLETE_ARGS": "circleci-async harvest v"}, '"verify"'),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "circleci-async harvest v", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
            "verify\t",
        ),
        (
            "powershell",
            {"_TYPER_COMPLETE_ARGS": "circleci-async harvest v", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "v"},
            "verify:::",
        ),
        ("bash", {"COMP_WORDS": "circleci-async\n--version\nharv", "COMP_CWORD": "2"}, "harvest"),
        ("bash", {"COMP_WORDS": "circleci-async\ninsights\n", "COMP_CWORD": "2"}, "collect"),
        ("bash", {"COMP_WORDS": "circleci-async\ninsights\ngh/acme\n--all", "COMP_CWORD": "3"}, "--all-branches"),
        ("bash", {"COMP_WORDS": "circleci-async\ninsights\ncollect\n--rec", "COMP_CWORD": "3"}, "--recheck"),
    ],
)
def test_the_program_answers_the_completion_request_of_each_shell(
    shell: str,
    request_variables: dict[str, str],
    answer: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {completion.VARIABLE: f"complete_{shell}", **request_variables}.items():
        monkeypatch.setenv(name, value)
    completion.prepare()  # as on import with the variable set

    with pytest.raises(SystemExit) as ended:
        main()

    shown = capsys.readouterr()
    assert (ended.value.code, shown.err) == (0, "")
    assert answer in shown.out
    assert "0." not in shown.out, "an option that was typed before must not run"


@pytest.mark.usefixtures("tmp_path")
def test_completion_does_not_change_files(cli: Cli) -> None:
    assert "--install-completion" not in cli("--help").out
    assert cli("completion", "bash").code == 0
    assert list(Path.home().iterdir()) == []
