"""Start the examples as a user does: each in its own process, with pipes or in a terminal."""

import asyncio
import fcntl
import os
import pty
import signal
import sys
import termios
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import define

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

STOPS = ("Ctrl-C", "SIGTERM")

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


@define
class Terminal:
    """A process that runs in the foreground of a terminal."""

    process: Process
    output: asyncio.StreamReader
    _fd: int

    def type(self, text: str) -> None:
        """Type text."""
        os.write(self._fd, text.encode())

    def stop(self, how: str) -> None:
        """Type Ctrl-C, or send SIGTERM."""
        if how == "SIGTERM":
            self.process.send_signal(signal.SIGTERM)
        else:
            self.type("\x03")

    async def ended(self) -> tuple[int, str]:
        """Wait for the process to end; return its exit code and the rest of its output."""
        async with asyncio.timeout(TIMEOUT):
            return await self.process.wait(), (await self.output.read()).decode().replace("\r\n", "\n")


@asynccontextmanager
async def in_terminal(*arguments: str, env: dict[str, str], folder: Path) -> AsyncGenerator[Terminal]:
    """Start Python with these arguments in a pseudo-terminal. Kill the process if it runs at the end of the block."""
    loop = asyncio.get_running_loop()
    output = asyncio.StreamReader()
    fd, child_fd = pty.openpty()

    def read() -> None:
        try:
            data = os.read(fd, 65_536)
        except OSError:  # as Linux reports that no process has the terminal open any more
            data = b""
        if data:
            output.feed_data(data)
        else:
            loop.remove_reader(fd)
            output.feed_eof()

    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env={**os.environ, **env},
            cwd=folder,
            stdin=child_fd,
            stdout=child_fd,
            stderr=child_fd,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C sends SIGINT to it
        )
        os.close(child_fd)
        loop.add_reader(fd, read)
        try:
            yield Terminal(process, output, fd)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
