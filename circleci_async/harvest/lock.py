"""Allows one harvest at a time in a destination."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from ..core.uninterrupted import uninterrupted
from ..downloads.directory import Directory
from ..downloads.file_lock import try_lock
from ..errors import LedgerBusy, LedgerError, UnsafePath
from ..untrusted_text import shown

LOCK_NAME = ".harvest.lock"


class Lock:
    """Locks a destination until `release`, or until the process ends, even if it is killed.

    `bucket`: the location of the bucket, if `root` is its working folder. `name`: of the locked file. `what`: what can
    hold the lock.
    """

    def __init__(self, root: Path, bucket: str | None = None, *, name: str = LOCK_NAME, what: str = "harvest") -> None:
        path = root / name
        try:
            with Directory.open(os.fspath(root)) as folder:
                self._file = folder.open_file(name, os.O_RDWR | os.O_CREAT)
        except UnsafePath as error:
            raise LedgerError(str(error)) from None
        except OSError as error:
            raise LedgerError(f"cannot write to {root}: {error.strerror or error}") from error
        try:
            self._acquire()
        except OSError as error:
            owner = os.pread(self._file, 32, 1).decode("ascii", "replace").strip() if hasattr(os, "pread") else ""
            os.close(self._file)
            if not isinstance(error, BlockingIOError | PermissionError):
                raise LedgerError(f"cannot lock {path}: {error.strerror or error}") from error
            host = "" if bucket is None else f" on {shown(socket.gethostname())}"  # as the lease names a holder
            other = f"another {what} (process {owner}{host})" if owner.isdigit() else f"another {what}"
            raise LedgerBusy(f"{other} is running in {bucket or root}") from None
        if os.fstat(self._file).st_nlink == 1:  # otherwise it can be another file of the user, too
            with suppress(OSError):  # a full disk: only the message of `LedgerBusy` needs the process
                os.ftruncate(self._file, 0)
                # Windows locks the first byte: it cannot be read then
                os.write(self._file, f" {os.getpid()}\n".encode())

    def _acquire(self) -> None:
        for attempts_left in range(5, -1, -1):
            try:
                try_lock(self._file)
            except (BlockingIOError, PermissionError):
                if not attempts_left:
                    raise
                time.sleep(0.02)  # `is_locked` holds the lock briefly
            else:
                return

    def release(self) -> None:
        """Release the lock. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


async def acquire(lock: Callable[[], ExitStack]) -> ExitStack:
    """Return the locks that `lock` acquires, in a thread. Releases them if cancelled meanwhile."""
    acquiring = asyncio.get_running_loop().run_in_executor(None, lock)
    try:
        return await uninterrupted(acquiring)
    except asyncio.CancelledError:
        if acquiring.exception() is None:
            acquiring.result().close()
        raise


def is_locked(root: Path) -> bool:
    """Return whether a harvest is running in a destination."""
    try:
        with Directory.open(os.fspath(root)) as folder:
            file = folder.open_file(LOCK_NAME, os.O_RDWR)
    except (OSError, UnsafePath):  # there was no harvest, or the file cannot be written
        return False
    try:
        try_lock(file)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
