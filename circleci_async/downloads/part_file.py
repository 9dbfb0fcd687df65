"""A file that is not finished: it has another name until it is whole."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LONGEST_NAME = 200
"""Bytes of a name that go into its partial name, so that the whole stays below the 255 that file systems allow."""

TAKEN_UP_AT_ONCE = 1024 * 1024
"""Bytes of a file that was begun earlier, read and hashed in one go."""


class PartFile:
    """A partial file beside its target, hashed (SHA-256) while it is written. Plain blocking file work.

    `path` gives it a place of its own instead: what stands there is gone on with, once `take_up` has read it.
    """

    def __init__(self, target: str | Path, *, path: str | None = None) -> None:
        folder, name = os.path.split(target)
        name = os.fsencode(name)[:LONGEST_NAME].decode("utf-8", "ignore")
        self._target = target
        self._path = path or os.path.join(folder, f".{name}.{secrets.token_hex(4)}.part")
        # As long as this object lives: see `commit` and `discard`.
        self._file = open(self._path, "xb" if path is None else "a+b", buffering=0)
        self._hash = hashlib.sha256()
        self._is_committed = False
        self.size = 0

    @property
    def sha256(self) -> str:
        """The checksum of what was written, in hex."""
        return self._hash.hexdigest()

    def take_up(self) -> None:
        """Read what stands there already."""
        self._file.seek(0)
        while piece := self._file.read(TAKEN_UP_AT_ONCE):
            self.size += len(piece)
            self._hash.update(piece)

    def write(self, parts: list[bytes]) -> None:
        """Append, and empty the list."""
        data = b"".join(parts)  # one piece: each change between threads costs more than this copy
        parts.clear()
        self.size += len(data)
        self._hash.update(data)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def start_over(self) -> None:
        """Forget what was written."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0

    def commit(self) -> str:
        """Give the file its final name, in one step, and return its SHA-256 in hex."""
        self._file.close()
        os.replace(self._path, self._target)
        self._is_committed = True
        return self.sha256

    def close(self) -> None:
        """Leave it as it is, partial. Safe to repeat."""
        self._file.close()

    def discard(self) -> None:
        """Leave nothing behind (nothing happens after `commit`)."""
        if not self._is_committed:
            self._file.close()
            with suppress(FileNotFoundError):
                os.unlink(self._path)


class Worker:
    """Does blocking work in a thread, one piece at a time, while its owner goes on."""

    def __init__(self) -> None:
        self._running: asyncio.Future[None] | None = None

    async def begin(self, work: Callable[[], None]) -> None:
        """Begin a piece of work when the one before has ended; raises what that one raised."""
        await self.finish()
        # Not a task: at the end of a program all tasks are cancelled, and the thread would go on unawaited.
        self._running = asyncio.get_running_loop().run_in_executor(None, work)

    async def finish(self) -> None:
        """Wait for the work to end; raises what it raised. Cancelling the wait leaves the work going: see `settle`."""
        if self._running is not None:
            await asyncio.wait([self._running])
            running, self._running = self._running, None
            running.result()

    async def settle(self) -> None:
        """Wait for the work to end even if cancelled meanwhile: no file is to be pulled from under it."""
        if self._running is None:
            return
        cancelled: asyncio.CancelledError | None = None
        while not self._running.done():
            try:
                await asyncio.wait([self._running])
            except asyncio.CancelledError as error:
                cancelled = error
        self._running.exception()  # somebody has looked at it
        self._running = None
        if cancelled is not None:
            raise cancelled
