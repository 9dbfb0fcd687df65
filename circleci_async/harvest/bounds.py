"""Bounds of a run: number of files, bytes, and free disk space."""

import shutil
import time
from pathlib import Path

from ..errors import DownloadError, InvalidArgument

MIN_FREE = 256 * 1024 * 1024
"""Bytes of disk space to leave free, by default."""

DISK_CHECK_INTERVAL = 0.25
"""Seconds between two checks of the disk while there is ample space."""

MIN_ROOM = 64 * 1024
"""Free bytes below which the disk is full. With more, only the file that does not fit fails."""


class TooLarge(DownloadError):
    """Only this artifact exceeds a bound.

    `bound`: the reason, if the artifact stays pending for a run with a larger bound.
    """

    def __init__(self, message: str, *, bound: str | None = None) -> None:
        super().__init__(message)
        self.bound = bound


class Bounds:
    """Admits files before they are downloaded, then their bytes before they are written.

    `reached` names the first bound that was reached. `disk`: what messages call the disk of `root`.
    """

    def __init__(
        self, root: Path, *, max_files: int | None, max_bytes: int | None, min_free: int, disk: str = "the disk"
    ) -> None:
        for name, value in (("max_files", max_files), ("max_bytes", max_bytes)):
            if value is not None and (type(value) is not int or value < 0):
                raise InvalidArgument(f"{name} must be an integer of 0 or more, or None for no bound, got {value!r}")
        if type(min_free) is not int or min_free < 0:
            raise InvalidArgument(f"min_free must be a number of bytes, 0 or more, got {min_free!r}")
        self._root = root
        self._disk = disk
        self.max_files = max_files
        self.max_bytes = max_bytes
        self.min_free = min_free
        self._files = 0
        self._bytes = 0
        self._admitted: dict[int, int] = {}
        self._reserved: dict[int, int] = {}
        self._unwritten = 0
        self._free = 0
        self._checked_at = -1.0
        self.reached: str | None = None

    def admit(self) -> bool:
        """Count one more file; return False, and count nothing, if a bound is reached or `max_files` are counted."""
        if self.reached is not None or self._files == self.max_files:
            return False
        self._files += 1
        return True

    def reach_max_files(self) -> None:
        """Note that no more files are wanted."""
        self.reach(f"max_files={self.max_files} is reached")

    def admit_bytes(self, id: int, size: int, *, is_growing: bool = False) -> bool:
        """Count further bytes of an admitted file; return False, and count nothing, if they exceed a bound.

        `is_growing`: the length of the file is unknown; it must leave some space for others. Raises `TooLarge` if only
        this file exceeds a bound, so that others can be downloaded.
        """
        admitted = self._admitted.get(id, 0)
        if self.max_bytes is not None and self._bytes + size > self.max_bytes:
            reason = f"max_bytes={self.max_bytes} is reached"
            if admitted + size > self.max_bytes:
                raise TooLarge(f"it has more than max_bytes={self.max_bytes}", bound=reason)
            return self.reach(reason)
        if not self._has_space(size + is_growing * admitted // 8, admitted + size):
            return False
        self._bytes += size
        self._unwritten += size
        self._admitted[id] = admitted + size
        self._reserved[id] = self._reserved.get(id, 0) + size
        return True

    @property
    def bytes_left(self) -> int | None:
        """The bytes that can still be admitted; None without `max_bytes`."""
        return None if self.max_bytes is None else max(0, self.max_bytes - self._bytes)

    def admit_stored(self, id: int, size: int) -> None:
        """Count the bytes of an admitted file that was stored elsewhere, within `bytes_left`."""
        self._bytes += size
        self._admitted[id] = size

    def reach(self, reason: str) -> bool:
        """Note that a bound is reached; return False."""
        self.reached = self.reached or reason
        return False

    def release(self, id: int) -> None:
        """Stop counting a file that could not be downloaded, and its bytes."""
        self._files -= 1
        self._bytes -= self.written(id)

    def wrote(self, id: int, size: int) -> None:
        """Note that some of the admitted bytes of a file are written."""
        size = min(size, self._reserved.get(id, 0))
        self._reserved[id] = self._reserved.get(id, 0) - size
        self._unwritten -= size
        self._free -= size

    def written(self, id: int) -> int:
        """Note that all admitted bytes of a file are on the disk; return their number."""
        self.wrote(id, self._reserved.get(id, 0))
        self._reserved.pop(id, None)
        return self._admitted.pop(id, 0)

    def _has_space(self, size: int, total: int) -> bool:
        now = time.monotonic()
        is_scarce = self._free - self._unwritten - size < 2 * self.min_free
        if is_scarce or now - self._checked_at >= DISK_CHECK_INTERVAL:
            self._free = shutil.disk_usage(self._root).free
            self._checked_at = now
        if self._free - self._unwritten - size >= self.min_free:
            return True
        room = self._free - self.min_free
        if total > MIN_ROOM and room > MIN_ROOM:
            raise TooLarge(
                f"it needs {total:,} bytes, and {room:,} bytes of {self._disk} are free beside"
                f" min_free={self.min_free}: free space or choose another folder, then run the same command again"
            )
        return self.reach(f"{self._disk} is almost full: less than {self.min_free:,} bytes would stay free")
