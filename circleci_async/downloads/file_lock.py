"""Locks of open files, which end with the process that holds them, even if it is killed."""

import sys

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: int) -> None:
        """Lock an open file. Raises `PermissionError` if another process holds the lock, `OSError` if it cannot."""
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def try_lock(file: int) -> None:
        """Lock an open file. Raises `BlockingIOError` if it is locked already, `OSError` if it cannot be."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
