"""The command line as its user runs it: in a process of its own, in a pipe or on a terminal."""

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

COMMAND = (sys.executable, "-m", "circleci_async")


class Ran(NamedTuple):
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def run(*arguments: object, env: Mapping[str, str] | None = None) -> Ran:
    """Run a command in a pipe."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def start(
    *arguments: object, env: Mapping[str, str] | None = None, stdout: int = subprocess.PIPE
) -> "subprocess.Popen[str]":
    """Start a command in a pipe."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something that another process brings about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not happened in time"
        time.sleep(0.01)


def run_on_terminal(*arguments: object, columns: int = 80, interrupt_when: Callable[[], object] | None = None) -> Ran:
    """Run a command on a terminal that is so wide, which shows both its outputs; press Ctrl-C when told."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdin=its, stdout=its, stderr=its)
    os.close(its)
    if interrupt_when is not None:
        threading.Thread(target=_interrupt, args=(process, interrupt_when)).start()
    shown = b""
    with contextlib.suppress(OSError):  # Linux says so when the other side is closed
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    return Ran(process.wait(30), shown.decode().replace("\r\n", "\n"), "")


def _interrupt(process: "subprocess.Popen[bytes]", when: Callable[[], object]) -> None:
    try:
        wait_until(when)
    finally:
        process.send_signal(signal.SIGINT)
