"""The command line in a separate process: with pipes, or on a pseudo-terminal."""

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

COMMAND = (sys.executable, "-m", "circleci_async")


class Ran(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def run(*arguments: object, env: Mapping[str, str] | None = None, stdin: str = "") -> Ran:
    """Run a command with pipes."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def start(*arguments: object, stdout: int = subprocess.PIPE) -> "subprocess.Popen[str]":
    """Start a command with pipes."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until a condition that another thread or process fulfils is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def run_on_terminal(*arguments: object, columns: int = 80, env: Mapping[str, str] | None = None) -> Ran:
    """Run a command on a pseudo-terminal, which receives stdout and stderr."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], env={**os.environ, **(env or {})}, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # Linux raises EIO when the other side is closed
        while part := os.read(master, 65536):
            shown += part
    os.close(master)
    return Ran(process.wait(30), shown.decode().replace("\r\n", "\n"), "")
