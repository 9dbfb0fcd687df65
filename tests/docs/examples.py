"""Runs the examples of a page, in order, as its reader would."""

import asyncio
import inspect
import io
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import redirect_stdout
from doctest import ELLIPSIS, OutputChecker
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrs import define

from .pages import Block

LONGEST = 30.0
"""Seconds that one example may take."""

_PROMPT = re.compile(r"^\$ ", re.MULTILINE)
_INTERRUPT = "^C\n"


@define
class Reader:
    """Somebody who tries the examples of one page in `folder`, where `names` are known to all of them."""

    folder: Path
    names: dict[str, Any]

    async def follow(self, blocks: list[Block]) -> int:
        """Run every example among these blocks; return how many there were. Fails where the page is wrong."""
        count = 0
        for block, following in pairwise([*blocks, None]):
            assert block is not None
            if block.language == "toml" and block.file:
                (self.folder / block.file).write_text(block.text, "utf-8")
            elif block.language == "python":
                printed = await self._run(block)
                claimed = following.text if following and following.language == "text" else block.claims
                _compare(block, claimed, printed)  # and if it prints, the page must say what
                count += 1
            elif block.language == "console":
                async for command, claimed, printed in self._session(block):
                    _compare(block, f"$ {command}\n{claimed}", f"$ {command}\n{printed}")
                count += 1
        return count

    async def _run(self, block: Block) -> str:
        """Run a block of Python and return what it prints."""
        if block.file or block.is_program:
            program = block.file or "program.py"
            (self.folder / program).write_text(block.text, "utf-8")
            if program.startswith("test_"):
                return await self._succeed(block, sys.executable, "-m", "pytest", "-q", program)
            if block.is_program:
                return await self._succeed(block, sys.executable, "-W", "error", program)
            return ""
        printed = io.StringIO()
        code = block.compiled()
        async with asyncio.timeout(LONGEST):
            with redirect_stdout(printed):
                result = eval(code, self.names)
                if code.co_flags & inspect.CO_COROUTINE:
                    await result
        return printed.getvalue()

    async def _succeed(self, block: Block, *command: str) -> str:
        process = await asyncio.create_subprocess_exec(*command, cwd=self.folder, stdout=PIPE, stderr=STDOUT)
        printed = await _printed_by(process)
        assert process.returncode == 0, f"{block.place} fails:\n{printed}"
        return printed

    async def _session(self, block: Block) -> AsyncIterator[tuple[str, str, str]]:
        """Type the commands of a terminal session, and iterate `(command, what the page shows, what came)`."""
        code = 0
        for step in _PROMPT.split(block.text)[1:]:
            command, _, claimed = step.partition("\n")
            # `echo $?` must see how the command before it ended; `exec` lets Ctrl-C reach the command, not the shell.
            line = f"(exit {code}); {command}" if command == "echo $?" else f"exec {command}"
            process = await asyncio.create_subprocess_shell(line, cwd=self.folder, stdout=PIPE, stderr=STDOUT)
            lines = claimed.count("\n") - 1 if claimed.endswith(_INTERRUPT) else None
            printed = await _printed_by(process, interrupt_after=lines)
            code = process.returncode or 0
            yield command, claimed.removesuffix(_INTERRUPT), printed


async def _printed_by(process: Process, *, interrupt_after: int | None = None) -> str:
    """Wait for a process and return what it prints; press Ctrl-C after so many lines, if asked."""
    assert process.stdout is not None
    printed = b""
    try:
        async with asyncio.timeout(LONGEST):
            if interrupt_after is not None:
                for _ in range(interrupt_after):
                    printed += await process.stdout.readline()
                process.send_signal(signal.SIGINT)
            printed += await process.stdout.read()
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return printed.decode()


def _compare(block: Block, claimed: str, printed: str) -> None:
    """Fail if the page says other than what was printed; `...` in the page stands for anything."""
    right = OutputChecker().check_output(claimed, printed, ELLIPSIS)
    assert right, f"{block.place} prints:\n{printed}\nbut the page says:\n{claimed}"
