"""Start the examples as a user does: each in its own process."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

TIMEOUT = 30.0
"""Seconds for anything that normally takes one second."""


@asynccontextmanager
async def started(*arguments: str, env: dict[str, str], folder: Path) -> AsyncGenerator[Process]:
    """Start Python with these arguments in a folder. Kill the process if it still runs at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, **env}, cwd=folder, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_with(stream: asyncio.StreamReader | None, text: str) -> str:
    """Read lines until one contains the text, and return it."""
    assert stream is not None
    read: list[str] = []
    async with asyncio.timeout(TIMEOUT):
        async for line in stream:
            read.append(line.decode())
            if text in read[-1]:
                return read[-1].rstrip("\n")
    raise AssertionError(f"no line contains {text!r}: {read}")


async def ended(process: Process) -> tuple[int, str, str]:
    """Wait for a process to end; return its exit code and the rest of its output."""
    out, err = await asyncio.wait_for(process.communicate(), TIMEOUT)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
