"""One harvest at a time in one destination."""

import os
import sys
import time
from pathlib import Path

from ..errors import LedgerBusy, LedgerError

LOCK_NAME = ".harvest.lock"

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """Holds a destination until `release`, or until the process is gone, however it went."""

    def __init__(self, root: Path) -> None:
        path = root / LOCK_NAME
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise LedgerError(f"can't write to {root}: {error.strerror or error}") from error
        try:
            self._take()
        except OSError as error:
            owner = os.pread(self._file, 32, 1).decode("ascii", "replace").strip() if hasattr(os, "pread") else ""
            os.close(self._file)
            if not isinstance(error, BlockingIOError | PermissionError):
                raise LedgerError(f"{path} can't be locked: {error.strerror or error}") from error
            whose = f"another harvest (process {owner})" if owner.isdigit() else "another harvest"
            raise LedgerBusy(f"{whose} is at work in {root}") from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f" {os.getpid()}\n".encode())  # the first byte is what Windows locks, and nobody can read

    def _take(self) -> None:
        for patience in range(5, -1, -1):
            try:
                _lock(self._file)
            except (BlockingIOError, PermissionError):
                if not patience:
                    raise
                time.sleep(0.02)  # somebody may only be looking: see `is_locked`
            else:
                return

    def release(self) -> None:
        """Let the next one in. Safe to repeat."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def is_locked(root: Path) -> bool:
    """Say whether a harvest is at work."""
    try:
        file = os.open(root / LOCK_NAME, os.O_RDWR)
    except OSError:  # where nobody has been, or can write
        return False
    try:
        _lock(file)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
