"""Runs the examples of a page in order, as a reader would."""

import asyncio
import inspect
import io
import re
import runpy
import shlex
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from doctest import ELLIPSIS, OutputChecker
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from circleci_async.cli.app import app

from .pages import Block

TIMEOUT = 30.0
"""Seconds that one example may take."""

FAST = 0.5
"""Seconds that the clock of the examples may skip at once. Slow file access must not cause a timeout."""

REAL = 0.001
"""Seconds that a fast clock never skips: real time."""

_PROMPT = re.compile(r"^\$ ", re.MULTILINE)
_INTERRUPT = "^C\n"
_COMMANDS = (["circleci-async"], ["python", "-m", "circleci_async"])


@define
class Ticker:
    """A timer that fires every `period` seconds, and so bounds the jumps of the fast clock of a loop."""

    loop: asyncio.AbstractEventLoop
    period: float
    timer: asyncio.TimerHandle | None = None

    def tick(self) -> None:
        self.timer = self.loop.call_later(self.period, self.tick)

    def stop(self) -> None:
        if self.timer:
            self.timer.cancel()

    @contextmanager
    def every(self, period: float) -> Generator[None, None, None]:
        """Set the period for a block."""
        before = self.period
        self._set(period)
        try:
            yield
        finally:
            self._set(before)

    def _set(self, period: float) -> None:
        self.stop()
        self.period = period
        self.tick()


@define
class Reader:
    """Runs the examples of one page in `folder`. All of them share `names`.

    Examples run in this process, on the event loop of `runner`. Commands, programs and test files have their own.
    """

    folder: Path
    runner: asyncio.Runner
    ticker: Ticker
    names: dict[str, Any]

    def follow(self, blocks: list[Block]) -> int:
        """Run all examples of these blocks and return their number. Fail if the output differs from the page."""
        count = 0
        for block, following in pairwise([*blocks, None]):
            assert block is not None
            if block.language == "toml" and block.file:
                (self.folder / block.file).write_text(block.text, "utf-8")
            elif block.language == "python":
                printed = self._run(block)
                expected = following.text if following and following.language == "text" else block.claims
                _compare(block, expected, printed)
                count += 1
            elif block.language == "console":
                for command, expected, printed in self._session(block):
                    _compare(block, f"$ {command}\n{expected}", f"$ {command}\n{printed}")
                count += 1
        return count

    def _run(self, block: Block) -> str:
        """Run a Python block and return its output."""
        if block.file or block.is_program:
            program = self.folder / (block.file or "program.py")
            program.write_text(block.text, "utf-8")
            if program.name.startswith("test_"):
                return self._pytest(block, program)
            return self._program(block, program) if block.is_program else ""
        code = block.compiled()

        async def run() -> None:
            async with asyncio.timeout(TIMEOUT):
                result = eval(code, self.names)
                if code.co_flags & inspect.CO_COROUTINE:
                    await result

        with redirect_stdout(io.StringIO()) as printed:
            self.runner.run(run())
        return printed.getvalue()

    def _program(self, block: Block, program: Path) -> str:
        """Run a program, which has its own event loop."""
        code: object = 0
        with self._serving(), redirect_stdout(io.StringIO()) as output, redirect_stderr(output):
            try:
                runpy.run_path(str(program), run_name="__main__")
            except SystemExit as end:
                code = end.code or 0
        assert code == 0, f"{block.place} exits with {code}:\n{output.getvalue()}"
        return output.getvalue()

    def _pytest(self, block: Block, program: Path) -> str:
        """Run a test file with a nested pytest, without the plugins that would disturb the outer one."""
        plugins = [f"-pno:{name}" for name in ("cacheprovider", "faulthandler", "pytest_cov", "xdist")]
        style = "-oconsole_output_style=progress-even-when-capture-no"
        with self._serving(), redirect_stdout(io.StringIO()) as output:
            code = pytest.main(["-q", "-s", style, *plugins, program.name])
        assert code == 0, f"{block.place} fails:\n{output.getvalue()}"
        return output.getvalue()

    def _session(self, block: Block) -> Iterator[tuple[str, str, str]]:
        """Run the commands of a terminal session; iterate `(command, expected output, output)`."""
        code = 0
        for step in _PROMPT.split(block.text)[1:]:
            command, _, expected = step.partition("\n")
            if command == "echo $?":
                yield command, expected, f"{code}\n"
                continue
            lines = expected.count("\n") - 1 if expected.endswith(_INTERRUPT) else None
            with self._serving():
                code, printed = _run_command(command, interrupt_after=lines)
            yield command, expected.removesuffix(_INTERRUPT), printed

    @contextmanager
    def _serving(self) -> Generator[None, None, None]:
        """Run the event loop of the examples in a thread and in real time, so that its server answers."""
        loop = self.runner.get_loop()
        thread = threading.Thread(target=loop.run_forever)
        with self.ticker.every(REAL):
            thread.start()
            try:
                yield
            finally:
                loop.call_soon_threadsafe(loop.stop)
                thread.join(TIMEOUT)


class _InterruptingOutput(io.StringIO):
    """Presses Ctrl-C once it contains a number of lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self._lines = lines

    def write(self, text: str) -> int:
        before = self.getvalue().count("\n")
        written = super().write(text)
        if before < self._lines <= before + text.count("\n"):
            signal.raise_signal(signal.SIGINT)
        return written


def _run_command(command: str, *, interrupt_after: int | None = None) -> tuple[int, str]:
    """Run a command line in this process; return its exit code and output."""
    words = shlex.split(command)
    [name] = [name for name in _COMMANDS if words[: len(name)] == name]
    output = io.StringIO() if interrupt_after is None else _InterruptingOutput(interrupt_after)
    with redirect_stdout(output), redirect_stderr(output):
        try:
            app(words[len(name) :], prog_name="circleci-async")
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int), code
    return code, output.getvalue()


def _compare(block: Block, expected: str, printed: str) -> None:
    """Fail if the output differs from the page; `...` in the page matches any text."""
    is_equal = OutputChecker().check_output(expected, printed, ELLIPSIS)
    assert is_equal, f"{block.place} prints:\n{printed}\nbut the page shows:\n{expected}"
