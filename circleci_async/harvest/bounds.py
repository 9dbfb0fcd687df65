"""How much may be fetched: bytes, files, and the disk."""

import shutil
import time
from pathlib import Path

from ..errors import InvalidArgument

MIN_FREE = 256 * 1024 * 1024
"""Bytes of the disk that stay free, unless told otherwise."""

_LOOKS_EVERY = 0.25


class Bounds:
    """Admits files, one by one and before they are fetched, and then their bytes. `reached` says what is at its end."""

    def __init__(self, root: Path, *, max_files: int | None, max_bytes: int | None, min_free: int) -> None:
        for name, value in (("max_files", max_files), ("max_bytes", max_bytes)):
            if value is not None and (type(value) is not int or value < 0):
                raise InvalidArgument(f"{name}={value!r}: give a whole number from 0, or None for no bound")
        if type(min_free) is not int or min_free < 0:
            raise InvalidArgument(f"min_free={min_free!r}: give a number of bytes from 0")
        self._root = root
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._min_free = min_free
        self._files = 0
        self._bytes = 0
        self._unwritten = 0
        self._free = 0
        self._looked = -1.0
        self.reached: str | None = None

    def admit(self) -> bool:
        """Say whether one more file may be begun; it is counted then."""
        if self._files == self._max_files:
            self._reach(f"max_files={self._max_files} is reached")
        if self.reached is not None:
            return False
        self._files += 1
        return True

    def dismiss(self, size: int) -> None:
        """Take back a file that was admitted, and bytes of it that were, because it could not be had."""
        self._files -= 1
        self._bytes -= size
        self._unwritten = max(0, self._unwritten - size)

    def admit_bytes(self, size: int) -> bool:
        """Say whether a file that was admitted may have so many bytes more; they are counted then."""
        if self._max_bytes is not None and self._bytes + size > self._max_bytes:
            return self._reach(f"max_bytes={self._max_bytes} is reached")
        if not self._look_at_disk(size):
            return False
        self._bytes += size
        self._unwritten += size
        return True

    def written(self, size: int) -> None:
        """Note that bytes which were admitted are on the disk."""
        self._unwritten = max(0, self._unwritten - size)

    def _look_at_disk(self, size: int) -> bool:
        now = time.monotonic()
        if now - self._looked >= _LOOKS_EVERY or self._free - self._unwritten - size < 2 * self._min_free:
            self._free = shutil.disk_usage(self._root).free
            self._looked = now
        if self._free - self._unwritten - size >= self._min_free:
            return True
        return self._reach(f"the disk is almost full: less than {self._min_free:,} bytes would stay free")

    def _reach(self, reason: str) -> bool:
        self.reached = self.reached or reason
        return False
