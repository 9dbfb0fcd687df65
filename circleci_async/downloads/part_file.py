"""An incomplete file under a temporary name, and the thread that writes it."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..core.uninterrupted import uninterrupted

MAX_STEM = 200
"""Bytes of the target's name within the temporary one, which must stay below the 255 bytes of file systems."""

READ_SIZE = 1024 * 1024
"""Bytes of an existing partial file that are read and hashed at once."""


class PartFile:
    """A partial file beside its target, hashed (SHA-256) while it is written. Blocking.

    `path` sets its path; an existing file there is continued once `resume` has read it.
    """

    def __init__(self, target: str | Path, *, path: str | None = None) -> None:
        folder, name = os.path.split(target)
        stem = os.fsencode(name)[:MAX_STEM].decode("utf-8", "ignore")
        self._target = target
        self._path = path or os.path.join(folder, f".{stem}.{secrets.token_hex(4)}.part")
        # Open until `commit`, `close` or `discard`.
        self._file = open(self._path, "xb" if path is None else "a+b", buffering=0)
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
        self._file.close()
        os.replace(self._path, self._target)
        self._is_committed = True
        return self.sha256

    def close(self) -> None:
        """Close the file, and keep it as a partial one. Idempotent."""
        self._file.close()

    def discard(self) -> None:
        """Delete the file, unless it has been committed. Idempotent."""
        if not self._is_committed:
            self._file.close()
            with suppress(FileNotFoundError):
                os.unlink(self._path)


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
