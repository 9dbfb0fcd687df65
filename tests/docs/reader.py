"""Follows a page as a reader does: runs its blocks in order, in a separate folder, and compares what they print."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from attrs import define

from .pages import Block, name

TIMEOUT = 60.0
"""Seconds that one command or program may take."""

PYTHON = os.environ.get("PAGES_PYTHON", sys.executable)
"""The interpreter that runs the examples."""

_KERNEL = Path(__file__).with_name("kernel.py")
_PROMPT = re.compile(r"^\$ ", re.MULTILINE)
_EXPORT = re.compile(r"export (?P<name>\w+)=(?P<value>\S+)\n")
_EXPORTS = 3


@contextmanager
def fake_circleci(*options: str) -> Generator[dict[str, str], None, None]:
    """Run `circleci-async fake`, and return the variables that it prints."""
    command = (PYTHON, "-m", "circleci_async", "fake", *options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        try:
            lines = [process.stdout.readline() for _ in range(_EXPORTS)]
            exports = [match for line in lines if (match := _EXPORT.fullmatch(line))]
            assert len(exports) == _EXPORTS, lines
            yield {export["name"]: export["value"] for export in exports}
        finally:
            process.send_signal(signal.SIGTERM)


@define
class Reader:
    """Runs the examples of one page in `folder`, with the variables of the embedded CircleCI in `environment`."""

    folder: Path
    environment: Mapping[str, str]

    def follow(self, blocks: list[Block]) -> int:
        """Run all examples of these blocks and return their number. Fail if an output differs from the page."""
        count = 0
        with self._kernel() as kernel:
            for block, following in pairwise([*blocks, None]):
                assert block is not None
                if block.file:
                    (self.folder / block.file).write_text(block.text, "utf-8")
                if block.language == "python":
                    output = self._run(block, kernel)
                    expected = following.text if following and following.language == "text" else block.claims
                    if expected or not block.is_cell:
                        compare(block.place, expected, output)
                    count += 1
                elif block.language == "console":
                    for step in _PROMPT.split(block.text)[1:]:
                        command, _, expected = step.partition("\n")
                        compare(f"{block.place}: $ {command}", expected, self._command(command))
                    count += 1
        return count

    def _run(self, block: Block, kernel: subprocess.Popen[str]) -> str:
        """Run a Python block: a program in a separate process, as it has its own event loop."""
        if block.is_program:
            program = self.folder / (block.file or "program.py")
            program.write_text(block.text, "utf-8")
            ran = self._process(PYTHON, program.name)
            assert ran.returncode == 0, f"{block.place} exits with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
            return ran.stdout
        assert kernel.stdin
        assert kernel.stdout
        request = {"code": block.text, "file": name(block.page), "line": block.line}
        print(json.dumps(request), file=kernel.stdin, flush=True)
        answer = kernel.stdout.readline()
        assert answer, f"{block.place} ends the interpreter"
        result: dict[str, str] = json.loads(answer)
        assert not result["error"], f"{block.place} fails:\n{result['output']}{result['error']}"
        return result["output"]

    def _command(self, command: str) -> str:
        """Run a line of a terminal session, and return what it prints."""
        ran = self._process(*shlex.split(command))
        assert not (ran.stdout and ran.stderr), f"{command} prints to both streams, in no certain order:\n{ran.stderr}"
        return ran.stdout + ran.stderr

    def _process(self, *command: str) -> subprocess.CompletedProcess[str]:
        with self._start(*command, stderr=subprocess.PIPE) as process:
            try:
                output, errors = process.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise AssertionError(f"{shlex.join(command)} takes longer than {TIMEOUT} s") from error
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def _kernel(self) -> subprocess.Popen[str]:
        return self._start(PYTHON, str(_KERNEL))

    def _start(self, *command: str, stderr: int | None = None) -> subprocess.Popen[str]:
        """Start a process, whose environment has nothing of the caller's but the search path."""
        search_path = os.pathsep.join((str(Path(PYTHON).parent), os.environ["PATH"]))
        environment = {"PATH": search_path, "HOME": str(self.folder), "LANG": "C.UTF-8", **self.environment}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stdin=pipe, stdout=pipe, stderr=stderr, text=True
        )


def compare(place: str, expected: str, output: str) -> None:
    """Fail if the output differs from the page."""
    assert matches(expected, output), f"{place} prints:\n{output}\nbut the page shows:\n{expected}"


def matches(expected: str, output: str) -> bool:
    """Return whether an output is as shown: `...` matches any text within a line, and as the last line, the rest."""
    lines = expected.rstrip().split("\n")
    pattern = "\n".join(".*".join(map(re.escape, line.split("..."))) for line in lines)
    if lines[-1] == "...":
        pattern = "(?s:.*)" if len(lines) == 1 else pattern.removesuffix("\n.*") + r"(?s:\n.*)?"
    return re.fullmatch(pattern, output.rstrip()) is not None
