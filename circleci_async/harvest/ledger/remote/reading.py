"""Reading a remote ledger, also while a harvest writes it: for `harvest status`, `verify` and `catalog`."""

import asyncio
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from threading import Event
from typing import Final

from ....core.uninterrupted import uninterrupted
from ....errors import LedgerBusy, LedgerError
from ...destination.bucket import Bucket
from ...destination.store_threads import StoreThreads
from ...lock import Lock, acquire
from ..schema import LEDGER_NAME, local_errors
from .local_copy import fetch
from .manifest import MANIFEST

READING_FOLDER: Final = "reading"
"""The folder with the copy of readers, in the working folder: that one contains the copy of a running harvest."""

LOCK_TIMEOUT: Final = 60.0
"""Seconds to wait for another process that fetches the ledger into the same folder."""

LOCK_INTERVAL: Final = 0.2

STOP_TIMEOUT: Final = 10.0
"""Seconds to wait for a request after a cancellation."""


async def fetch_to_read(bucket: Bucket, folder: Path) -> Path:
    """Bring the copy of readers in a working folder up to date, and return the folder of that copy.

    It contains all checkpoints of the bucket, and none in part, also while a harvest is running. The copy is kept, so
    that the next call fetches only what is new. Raises `LedgerError`, also if the bucket contains no harvest, and
    `StoreError`.
    """
    copy = folder / READING_FOLDER
    locks = await _locked(copy)
    stop = Event()
    try:
        with closing(StoreThreads(1)) as threads:
            fetching = threads.submit(lambda: fetch(bucket, copy, stop, creates=False))
            try:
                found = await asyncio.shield(fetching)
            except asyncio.CancelledError:
                stop.set()
                with suppress(TimeoutError):
                    await uninterrupted(asyncio.gather(fetching, return_exceptions=True), timeout=STOP_TIMEOUT)
                raise
        if found is None or not (copy / LEDGER_NAME).exists():
            raise LedgerError(f"no harvest in {bucket.location}: it contains no {MANIFEST}")
    finally:
        locks.close()
    return copy


async def _locked(folder: Path) -> ExitStack:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOCK_TIMEOUT
    while True:
        try:
            return await acquire(lambda: _create_and_lock(folder))
        except LedgerBusy:
            if loop.time() >= deadline:
                raise LedgerBusy(f"another process is reading the ledger into {folder}: try again later") from None
        await asyncio.sleep(LOCK_INTERVAL)


def _create_and_lock(folder: Path) -> ExitStack:
    with local_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    locks = ExitStack()
    locks.callback(Lock(folder).release)
    return locks
