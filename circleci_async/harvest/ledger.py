"""The ledger, from the event loop: one thread does all of its work, and writes many finished files at once."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from ..errors import LedgerError
from .layout import Layout
from .records import Fetched, Settled
from .register import Register
from .schema import LEDGER_NAME, connect, explain
from .tree import Tree

P = ParamSpec("P")
T = TypeVar("T")

MOST_WAITING = 256
MOST_BYTES_WAITING = 16 * 1024 * 1024
"""Files, and bytes of small files, that may wait to be written; who brings more waits too."""


class Ledger:
    """What a run knows. `do` calls a method of `Register` in the ledger's thread; `finish` gathers files for it."""

    def __init__(self, root: Path, on_settled: Callable[[list[Settled]], None], *, dedupe: bool) -> None:
        self._root = root
        self._tree = Tree(root)
        self._dedupe = dedupe
        self._on_settled = on_settled
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="harvest-ledger")
        self._register: Register | None = None
        self._waiting: list[Fetched] = []
        self._bytes_waiting = 0
        self._flushing: asyncio.Task[None] | None = None
        self._failure: LedgerError | None = None
        self._room = asyncio.Event()
        self._room.set()

    @property
    def tree(self) -> Tree:
        """The files that it tells of."""
        return self._tree

    async def open(self, layout: Layout, projects: Iterable[str], selection: str) -> tuple[int, int]:
        """Open the file and begin a run; returns its number, and the turn after which its artifacts come."""

        def begin() -> tuple[int, int]:
            self._register = Register(connect(self._root), self._tree, dedupe=self._dedupe)
            self._register.begin(layout, projects, selection)
            return self._register.run, self._register.first_turn

        return await self._call(begin)

    async def do(self, work: Callable[Concatenate[Register, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of `Register`: `await ledger.do(Register.take, 0, 100)`. Raises `LedgerError`."""
        register = self._register
        if register is None:
            raise RuntimeError("the ledger is not open")
        return await self._call(lambda: work(register, *args, **kwargs))

    async def finish(self, fetched: Fetched) -> None:
        """Hand over an artifact whose bytes are here. `on_settled` tells what became of it."""
        if self._failure is not None:
            raise self._failure
        self._waiting.append(fetched)
        self._bytes_waiting += len(fetched.content or b"")
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        if len(self._waiting) >= MOST_WAITING or self._bytes_waiting >= MOST_BYTES_WAITING:
            self._room.clear()
        if not self._room.is_set():
            await self._room.wait()

    async def settle(self) -> None:
        """Wait until all that was handed over is settled; raises `LedgerError` if it could not be."""
        while self._flushing is not None:
            await asyncio.shield(self._flushing)
        if self._failure is not None:
            raise self._failure

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting, self._bytes_waiting = self._waiting, [], 0
                self._room.set()
                self._on_settled(await self.do(Register.finish, batch))
        except LedgerError as error:
            self._failure = error
        finally:
            self._flushing = None
            self._room.set()

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            failure = explain(error, self._root / LEDGER_NAME)
        raise failure

    async def close(self, *, ended: bool) -> None:
        """Settle what there is, and close the file."""
        try:
            if self._register is not None:
                await self.settle()
                if ended:
                    await self.do(Register.end)
        finally:
            if self._register is not None:
                await self._call(self._register.close)
            self._thread.shutdown(wait=False)
