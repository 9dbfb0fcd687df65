"""The examples as their reader starts them: each in a process of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

PATIENCE = 30.0
"""Seconds in which anything must have happened that takes a second."""


@asynccontextmanager
async def started(*arguments: str, env: dict[str, str], folder: Path) -> AsyncGenerator[Process]:
    """Start Python with these arguments in a folder; at the end of the block it must have ended, or is killed."""
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
    """Read lines until one holds this text, and return it."""
    assert stream is not None
    read: list[str] = []
    async with asyncio.timeout(PATIENCE):
        async for line in stream:
            read.append(line.decode())
            if text in read[-1]:
                return read[-1].rstrip("\n")
    raise AssertionError(f"no line has {text!r}: {read}")


async def ended(process: Process) -> tuple[int, str, str]:
    """Wait for a process to end, and return its exit code and what it still printed."""
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
