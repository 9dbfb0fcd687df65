"""Opens the ledger of a place: for a run, which no other run may use meanwhile, or to read it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager, closing

from attrs import evolve

from ..errors import CircleCIError, LedgerBusy, LedgerError
from .destination.place import Place
from .destination.store_threads import StoreThreads
from .ledger.remote.lease import is_running as is_leased
from .ledger.remote.reading import fetch_to_read
from .ledger.remote.remote_ledger import RemoteLedger
from .ledger.schema import connect_to_read
from .ledger.writer import LedgerWriter
from .lock import Lock, acquire, is_locked


@asynccontextmanager
async def open_ledger(place: Place, on_lost: Callable[[CircleCIError], None]) -> AsyncGenerator[LedgerWriter]:
    """Open the ledger of a place, or create it. That of a bucket is fetched, and stored there while it is open.

    `on_lost`: called if its changes cannot be stored any more: the run must end. Raises `LedgerBusy` if another run
    uses the ledger, `LedgerError`, and `StoreError`.
    """
    with await acquire(lambda: _create_and_lock(place)):
        if place.bucket is None or place.is_local:
            async with LedgerWriter(place.ledger) as writer:
                yield writer
        else:
            async with RemoteLedger(place.bucket, place.ledger, on_lost=on_lost) as remote:
                yield remote.writer


async def readable(place: Place) -> Place:
    """Fetch the ledger of a bucket, and return the place with this copy of it.

    Raises `LedgerError`, also if the bucket contains no harvest, and `StoreError`.
    """
    if place.bucket is not None and not place.is_local:
        place.ledger = await fetch_to_read(place.bucket, place.ledger)
    return place


async def check_exists(place: Place) -> None:
    """Raise `LedgerError` if no harvest was run into a place: to open its ledger would create it."""
    copy = await readable(evolve(place))
    (await asyncio.to_thread(connect_to_read, copy.ledger)).close()


async def is_running(place: Place) -> bool:
    """Return whether a harvest is running."""
    if place.bucket is not None and not place.is_local:
        with closing(StoreThreads(1)) as threads:
            return await threads.run(is_leased, place.bucket)
    return await asyncio.to_thread(is_locked, place.ledger)


async def check_not_running(place: Place, verb: str) -> None:
    """Raise `LedgerBusy` if a harvest is running. `verb`: what to do after it has ended."""
    if await is_running(place):
        raise LedgerBusy(f"a harvest is running in {place}: {verb} after it has ended")


def _create_and_lock(place: Place) -> ExitStack:
    """Create the folders of a place, and lock them."""
    roots = list(dict.fromkeys(filter(None, (place.folder, place.ledger))))
    for root in roots:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            name = "into" if root == place.folder else "ledger"
            why = f"{name} must be a folder, and this is a file" if root.is_file() else error.strerror or error
            raise LedgerError(f"cannot create {root}: {why}") from error
    with ExitStack() as locks:
        for root in roots:
            locks.callback(Lock(root, None if place.is_local else place.location).release)
        return locks.pop_all()
