"""The threads that hash and write large files, and the memory that these files share."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from ..core.uninterrupted import uninterrupted

INLINE: Final = 256 * 1024
"""Bytes up to which the end of a file is written on the event loop, which is faster than a thread switch."""

MAX_BATCH: Final = 4 * 1024 * 1024
"""Bytes that a thread hashes and writes at once."""

FIRST_BATCH: Final = 1024 * 1024
"""Bytes after which a file is first written, so that a later run can resume it."""

MAX_MEMORY: Final = 24 * 1024 * 1024
"""Bytes that the batches of all large files together hold: for each file one that is written and one that arrives."""


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def batch_size(files: int, received: int) -> int:
    """Return how many bytes of a file to collect before they are written: more for a long file, fewer for many files.

    `files`: large files that are received now. `received`: bytes of this one so far.
    """
    return max(INLINE, min(MAX_BATCH, MAX_MEMORY // (2 * files), max(FIRST_BATCH, received // 2)))


class FileThreads:
    """As many threads as there are cores, which all large files of a client share. They end with the last file."""

    def __init__(self) -> None:
        self.files: int = 0
        """Large files that are received now."""
        self._executor: ThreadPoolExecutor | None = None

    def add_file(self) -> None:
        """Count a large file, until `remove_file`."""
        self.files += 1

    def remove_file(self) -> None:
        """Stop counting a file, whose work has ended."""
        self.files -= 1
        if not self.files and self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None

    def start(self, work: Callable[[], None]) -> "asyncio.Future[None]":
        """Run work of a counted file in a thread."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(available_cores(), thread_name_prefix="circleci-async-files")
        return asyncio.get_running_loop().run_in_executor(self._executor, work)


class FileWorker:
    """Runs the blocking work of one file in a thread, one piece at a time, while its owner continues."""

    __slots__ = ("_is_counted", "_running", "_threads")

    def __init__(self, threads: FileThreads) -> None:
        self._threads = threads
        self._running: asyncio.Future[None] | None = None
        self._is_counted = False

    def is_due(self, pending: int, received: int) -> bool:
        """Return whether `pending` bytes are enough to be written. `received`: all bytes of the file so far."""
        if pending <= INLINE:
            return False
        self._count()
        return pending >= batch_size(self._threads.files, received)

    async def begin(self, work: Callable[[], None]) -> None:
        """Start a piece of work after the previous one. Raises the error of the previous one."""
        await self.finish()
        self._count()
        # Not a task: `asyncio.run` cancels all tasks at its end, and nothing would wait for the thread.
        self._running = self._threads.start(work)

    async def finish(self) -> None:
        """Wait for the work. Raises its error. A cancellation ends the wait, but not the work: see `aclose`."""
        if self._running is not None:
            await asyncio.wait([self._running])
            running, self._running = self._running, None
            running.result()

    async def aclose(self) -> None:
        """Wait for the work even if cancelled, and ignore its error: the thread must not outlive the open file."""
        running, self._running = self._running, None
        try:
            if running is not None:
                with suppress(Exception):
                    await uninterrupted(running)
        finally:
            if self._is_counted:
                self._is_counted = False
                self._threads.remove_file()

    def _count(self) -> None:
        if not self._is_counted:
            self._is_counted = True
            self._threads.add_file()
