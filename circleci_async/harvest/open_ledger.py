"""Opens the ledger of a place: for a run, which no other run may use meanwhile, or to read it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ..errors import LedgerBusy, LedgerError
from .destination.place import Place
from .ledger.schema import connect_to_read
from .ledger.writer import LedgerWriter
from .lock import Locks, acquire, is_locked


@asynccontextmanager
async def open_ledger(place: Place) -> AsyncGenerator[LedgerWriter]:
    """Open the ledger of a place, or create it. Raises `LedgerBusy` if another run uses it, and `LedgerError`."""
    lock = await acquire(lambda: _create_and_lock(place))
    try:
        async with LedgerWriter(place.ledger) as writer:
            yield writer
    finally:
        lock.release()


async def readable(place: Place) -> Place:
    """Return the place with its ledger on this machine."""
    return place


async def check_exists(place: Place) -> None:
    """Raise `LedgerError` if no harvest was run into a place: to open its ledger would create it."""
    (await asyncio.to_thread(connect_to_read, place.ledger)).close()


async def check_not_running(place: Place, verb: str) -> None:
    """Raise `LedgerBusy` if a harvest is running. `verb`: what to do after it has ended."""
    if await asyncio.to_thread(is_locked, place.ledger):
        raise LedgerBusy(f"a harvest is running in {place}: {verb} after it has ended")


def _create_and_lock(place: Place) -> Locks:
    """Create the folders of a place, and lock them."""
    roots = list(dict.fromkeys(filter(None, (place.folder, place.ledger))))
    for root in roots:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            name = "into" if root == place.folder else "ledger"
            why = f"{name} must be a folder, and this is a file" if root.is_file() else error.strerror or error
            raise LedgerError(f"cannot create {root}: {why}") from error
    return Locks(roots)
