"""Fixtures of the command line: an embedded CircleCI in a thread, and commands that run in this process."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any, TextIO

import pytest

from circleci_async.cli import command
from circleci_async.cli.app import main
from circleci_async.testing import FakeCircleCI, World

from .process import Ran, wait_until

Call = Callable[[Coroutine[Any, Any, Any]], Any]


_OUTPUT_VARIABLES = "COLUMNS FORCE_COLOR GITHUB_ACTIONS NO_COLOR PYTHONUNBUFFERED PY_COLORS TTY_COMPATIBLE"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _OUTPUT_VARIABLES.split():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture(autouse=True)
def no_notes_of_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print what a command waits for after a minute, so that a busy machine does not add lines to stderr."""
    monkeypatch.setattr(command, "NOTE_AFTER", 60.0)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def fake(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCircleCI]:
    """An embedded CircleCI in a thread; the environment variables point to it."""
    server = FakeCircleCI(world, run_time=0.3)
    with running(server):
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@contextmanager
def running(server: FakeCircleCI) -> Generator[Call, None, None]:
    """Run a server in a thread; yield a function that runs a coroutine there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def call(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(20)

    try:
        call(server.start())
        yield call
        call(server.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class Terminal(StringIO):
    """A terminal that records its output."""

    def isatty(self) -> bool:
        return True


class Cli:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: object, stdout: TextIO | None = None, stderr: TextIO | None = None) -> Ran:
        """Run a command; the output is captured unless streams are given."""
        self._capsys.readouterr()
        with self._monkeypatch.context() as patched:
            for name, stream in (("stdout", stdout), ("stderr", stderr)):
                if stream is not None:
                    patched.setattr(sys, name, stream)
            with pytest.raises(SystemExit) as ended:
                main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        out = stdout.getvalue() if isinstance(stdout, StringIO) else captured.out
        err = stderr.getvalue() if isinstance(stderr, StringIO) else captured.err
        return Ran(code, out, err)

    def on_terminal(self, *arguments: object, columns: int = 80) -> Ran:
        """Run a command with terminals of this width for stdout and stderr."""
        self._monkeypatch.setenv("COLUMNS", str(columns))
        return self(*arguments, stdout=Terminal(), stderr=Terminal())


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(capsys, monkeypatch)


@contextmanager
def meanwhile(action: Callable[[], object]) -> Generator[None, None, None]:
    """Run `action` in a thread during the block; an exception that it raises is raised at the end of the block."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001  # raised below
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
    if errors:
        raise errors[0]


@contextmanager
def signal_when(condition: Callable[[], object], number: signal.Signals = signal.SIGINT) -> Generator[None, None, None]:
    """Send a signal to this process as soon as `condition` is true; by default that of Ctrl-C."""

    def send() -> None:
        wait_until(condition)
        os.kill(os.getpid(), number)

    before = signal.signal(number, signal.default_int_handler)  # workers of pytest-xdist ignore SIGINT
    try:
        with meanwhile(send):
            yield
    finally:
        signal.signal(number, before)
