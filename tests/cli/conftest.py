"""What the tests of the command line share: an embedded CircleCI in a thread, and the command line in this process."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO

import pytest

from circleci_async.cli.app import app
from circleci_async.testing import FakeCircleCI, World

from .process import Ran

Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "NO_COLOR", "PY_COLORS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def fake(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCircleCI]:
    """An embedded CircleCI that the environment leads to; the command line has an event loop of its own."""
    server = FakeCircleCI(world, run_time=0.3)
    with running(server):
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@contextmanager
def running(server: FakeCircleCI) -> Iterator[None]:
    """Let a server run in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run the command line in this process, with these arguments."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(argument) for argument in arguments], prog_name="circleci-async")
        shown = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Ran(code, shown.out, shown.err)

    return run


@pytest.fixture
def cli_on_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The same with a terminal for its output, as wide as its first argument says."""

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    def run(columns: int, *arguments: object) -> Ran:
        screen = Terminal()
        monkeypatch.setenv("COLUMNS", str(columns))
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", screen)
            ran = cli(*arguments)
        return ran._replace(out=screen.getvalue())

    return run
