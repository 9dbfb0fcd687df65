"""An incomplete file under a temporary name, and the thread that writes it."""

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..core.uninterrupted import uninterrupted
from .directory import Directory
from .file_lock import try_lock

MAX_STEM = 200
"""Bytes of the target's name within the temporary one, which must stay below the 255 bytes of file systems."""

MAX_ADDED = len("..01234567.part")
"""Characters that a temporary name has more than the target's."""

_NAME = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL)

_LOCKS = os.name != "nt"
"""Whether a partial file is locked while it is open. Windows refuses to delete or rename an open file instead."""

READ_SIZE = 1024 * 1024
"""Bytes of an existing partial file that are read and hashed at once."""


class PartFile:
    """A partial file beside its target, hashed (SHA-256) while it is written. Blocking.

    With `directory`, `target` is the name of the partial file itself; an existing one is continued once `resume` has
    read it.
    """

    def __init__(self, target: str | Path, *, directory: Directory | None = None) -> None:
        self._target = target
        self._directory = directory
        # Open until `commit`, `close` or `discard`.
        if directory is not None:
            self._path = str(target)
            self._file = open(target, "a+b", buffering=0, opener=directory.open_file)
        else:
            folder, name = os.path.split(target)
            self._path = os.path.join(folder, f".{stem(name)}.{secrets.token_hex(4)}.part")
            self._file = open(self._path, "xb", buffering=0)
            if _LOCKS:
                with suppress(OSError):  # unsupported by the file system
                    try_lock(self._file.fileno())
        self._hash = hashlib.sha256()
        self._is_committed = False
        self.size: int = 0

    @property
    def sha256(self) -> str:
        """Checksum of the bytes so far, in hex."""
        return self._hash.hexdigest()

    def resume(self) -> None:
        """Read and hash the bytes of an earlier run."""
        self._file.seek(0)
        while piece := self._file.read(READ_SIZE):
            self.size += len(piece)
            self._hash.update(piece)

    def write(self, parts: list[bytes]) -> None:
        """Append the parts, and empty the list."""
        data = b"".join(parts)  # one piece: a thread switch per part costs more than this copy
        parts.clear()
        self.size += len(data)
        self._hash.update(data)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def start_over(self) -> None:
        """Discard all bytes."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0

    def commit(self) -> str:
        """Rename the file to its target, atomically, and return its SHA-256 in hex."""
        if not _LOCKS:
            self._file.close()  # an open file cannot be renamed
        os.replace(self._path, self._target)
        self._is_committed = True
        self._file.close()
        return self.sha256

    def close(self) -> None:
        """Close the file, and keep it as a partial one. Idempotent."""
        self._file.close()

    def discard(self) -> None:
        """Delete the file, unless it has been committed. Idempotent."""
        if not self._is_committed:
            self._file.close()
            with suppress(FileNotFoundError):
                if self._directory is not None:
                    self._directory.unlink(self._path)
                else:
                    os.unlink(self._path)


def target_stem(part: str) -> str | None:
    """Return the `stem` of the target for the name of a partial file; None for another name."""
    match = _NAME.fullmatch(part)
    return match and match[1]


def remove_abandoned(path: str | Path) -> None:
    """Delete a partial file that a killed process left. One that is still being written stays."""
    with suppress(OSError):
        if _LOCKS:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                try_lock(file)
                os.unlink(path)
            finally:
                os.close(file)
        else:
            os.unlink(path)  # fails while it is open


def stem(name: str) -> str:
    """Return the part of a target's name that its partial file's name contains."""
    return os.fsencode(name)[:MAX_STEM].decode("utf-8", "ignore")


class Worker:
    """Runs blocking work in a thread, one piece at a time, while its owner continues."""

    def __init__(self) -> None:
        self._running: asyncio.Future[None] | None = None

    async def begin(self, work: Callable[[], None]) -> None:
        """Start a piece of work after the previous one. Raises the error of the previous one."""
        await self.finish()
        # Not a task: `asyncio.run` cancels all tasks at its end, and nothing would wait for the thread.
        self._running = asyncio.get_running_loop().run_in_executor(None, work)

    async def finish(self) -> None:
        """Wait for the work. Raises its error. A cancellation ends the wait, but not the work: see `aclose`."""
        if self._running is not None:
            await asyncio.wait([self._running])
            running, self._running = self._running, None
            running.result()

    async def aclose(self) -> None:
        """Wait for the work even if cancelled, and ignore its error: the thread must not outlive the open file."""
        running, self._running = self._running, None
        if running is not None:
            with suppress(Exception):
                await uninterrupted(running)
