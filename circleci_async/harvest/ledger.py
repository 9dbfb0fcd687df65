"""The ledger, from the event loop: one thread does all of its work, and writes many finished files at once."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from ..core.uninterrupted import uninterrupted
from ..errors import LedgerError
from .layout import Layout
from .records import Fetched, Settled
from .register import Register
from .schema import DISK_IS_FULL, LEDGER_NAME, MAKE_ROOM, DiskFull, connect, explain
from .tree import Tree

P = ParamSpec("P")
T = TypeVar("T")

MOST_WAITING = 256
"""Files that may wait to be written; who brings more waits too."""

MOST_BYTES_WAITING = 16 * 1024 * 1024
"""Bytes of small files that may wait to be written."""


class Ledger:
    """What a run knows. `do` calls a method of `Register` in the ledger's thread; `finish` gathers files for it.

    Its work is awaited as futures and never as tasks: at the end of a program all tasks are cancelled.
    """

    def __init__(self, root: Path, on_settled: Callable[[list[Settled]], None], *, dedupe: bool) -> None:
        self.tree = Tree(root)
        self._root = root
        self._dedupe = dedupe
        self._on_settled = on_settled
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="harvest-ledger")
        self._register: Register | None = None
        self._waiting: list[Fetched] = []
        self._bytes_waiting = 0
        self._writing: asyncio.Future[list[Settled]] | None = None
        self._failure: LedgerError | None = None
        self._room = asyncio.Event()
        self._room.set()

    async def open(self, layout: Layout, projects: Iterable[str], selection: str) -> tuple[int, int]:
        """Open the file and begin a run; returns its number, and the turn after which its artifacts come."""

        def begin() -> tuple[int, int]:
            self._register = Register(connect(self._root), self.tree, dedupe=self._dedupe)
            self._register.begin(layout, projects, selection)
            return self._register.run, self._register.first_turn

        return await self._call(begin)

    async def do(self, work: Callable[Concatenate[Register, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of `Register`: `await ledger.do(Register.take, 0, 100)`. Raises `LedgerError`."""
        return await self._call(partial(work, self._opened, *args, **kwargs))

    async def finish(self, fetched: Fetched) -> None:
        """Hand over an artifact whose bytes are here. `on_settled` tells what became of it. Raises `LedgerError`."""
        self._waiting.append(fetched)
        self._bytes_waiting += len(fetched.content or b"")
        if len(self._waiting) >= MOST_WAITING or self._bytes_waiting >= MOST_BYTES_WAITING:
            self._room.clear()
        if self._writing is None:
            self._write()
        if not self._room.is_set():
            await self._room.wait()
        self._raise_failure()

    async def settle(self) -> None:
        """Wait until all that was handed over is settled; raises `LedgerError` if it could not be."""
        while self._writing is not None:
            await asyncio.wait([self._writing])
            await asyncio.sleep(0)  # so that what has been written is told, and the next begun
        self._raise_failure()

    @property
    def _opened(self) -> Register:
        if self._register is None:
            raise RuntimeError("the ledger is not open")
        return self._register

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _write(self) -> None:
        """Begin to write all that waits; what comes meanwhile is the next batch."""
        batch, self._waiting, self._bytes_waiting = self._waiting, [], 0
        self._room.set()
        loop = asyncio.get_running_loop()
        self._writing = loop.run_in_executor(self._thread, self._opened.finish, batch)
        self._writing.add_done_callback(self._written)

    def _written(self, writing: "asyncio.Future[list[Settled]]") -> None:
        self._writing = None
        try:
            settled = writing.result()
        except (sqlite3.Error, OSError) as error:
            self._failure = self._failure or self._explain(error)
            self._waiting.clear()
            self._room.set()
            return
        self._on_settled(settled)
        if self._waiting:
            self._write()

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            failure = self._explain(error)
        raise failure

    def _explain(self, error: sqlite3.Error | OSError) -> LedgerError:
        if isinstance(error, sqlite3.Error):
            return explain(error, self._root / LEDGER_NAME)
        if error.errno in DISK_IS_FULL:
            return DiskFull(f"the disk is full: {error}; {MAKE_ROOM}")
        return LedgerError(f"can't write to {self._root}: {error.strerror or error}")

    async def close(self, *, ended: bool) -> None:
        """Settle what there is, and close the file, even if cancelled meanwhile; raises `LedgerError`."""
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close, self._waiting, ended)
        self._waiting = []
        self._thread.shutdown(wait=False)
        try:
            self._on_settled(await uninterrupted(closing))
        except (sqlite3.Error, OSError) as error:
            self._failure = self._failure or self._explain(error)
        self._raise_failure()

    def _close(self, batch: list[Fetched], ended: bool) -> list[Settled]:
        if self._register is None:
            return []
        try:
            settled = self._register.finish(batch)
            if ended:
                self._register.end()
            return settled
        finally:
            self._register.close()
