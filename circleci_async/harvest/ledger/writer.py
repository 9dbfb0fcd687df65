"""One thread for all work on the ledger file."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Protocol, Self, TypeVar

from ...core.uninterrupted import uninterrupted
from .schema import connect, local_error
from .values import is_value_error

P = ParamSpec("P")
T = TypeVar("T")


class LedgerWriter:
    """Opens the ledger file and runs functions on its connection, one after another, in one thread.

    `async with` opens and closes the file. Pending work is awaited as futures, not as tasks: `asyncio.run` cancels all
    tasks when the program ends, and a write must not be abandoned.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="harvest-ledger")
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False
        self.on_store: Callable[[], Awaitable[None]] | None = None
        """What stores the committed changes elsewhere, if this ledger is a copy."""

    async def __aenter__(self) -> Self:
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def execute(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(connection, ...)` in one transaction. Raises `LedgerError`."""
        sql = self._opened

        def execute() -> T:
            with transaction(sql):
                return work(sql, *args, **kwargs)

        return await self._in_thread(execute)

    async def run(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, ...)`, which begins its own transactions. Raises `LedgerError`."""
        return await self._in_thread(partial(work, self._opened, *args, **kwargs))

    def submit(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> "asyncio.Future[T]":
        """Start what `run` does and return its future, which raises errors as they are: see `explain`."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, partial(work, self._opened, *args, **kwargs))

    def call(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what `run` does from another thread, and wait. Raises errors as they are: see `explain`."""
        return self._thread.submit(partial(work, self._opened, *args, **kwargs)).result()

    async def store(self) -> None:
        """Wait until all that is committed is stored in the bucket, for a ledger that is kept in one.

        Raises `LedgerBusy` if another harvest has taken over, and `StoreError`.
        """
        if self.on_store is not None:
            await self.on_store()

    def explain(self, error: Exception) -> Exception:
        """Return the `LedgerError` for an error of the database or of the file system, and other errors as they are."""
        if isinstance(error, OSError) or (isinstance(error, sqlite3.Error) and not is_value_error(error)):
            return local_error(error, self._root)
        return error

    async def close(self) -> None:
        """Close the file after the work that is pending, even if cancelled meanwhile. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)
        await uninterrupted(closing)

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the ledger is not open")
        return self._connection

    def _open(self) -> None:
        self._connection = connect(self._root)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            failure = self.explain(error)
        raise failure


@contextmanager
def transaction(sql: sqlite3.Connection) -> Generator[None]:
    """Commit what the block writes, or roll it back if the block raises."""
    sql.execute("BEGIN IMMEDIATE")
    try:
        yield
        sql.execute("COMMIT")
    except BaseException:
        if sql.in_transaction:
            sql.execute("ROLLBACK")
        raise


class _HasWriter(Protocol):
    @property
    def writer(self) -> LedgerWriter: ...


Owner = TypeVar("Owner", bound=_HasWriter)


def transactional(
    method: Callable[Concatenate[Owner, sqlite3.Connection, P], T],
) -> Callable[Concatenate[Owner, P], Awaitable[T]]:
    """Make a method awaitable that takes a connection: it runs in one transaction of its object's `writer`."""

    @wraps(method)
    async def execute(self: Owner, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.writer.execute(partial(method, self), *args, **kwargs)

    return execute
