"""An incomplete file under a temporary name."""

import hashlib
import os
import re
import secrets
from contextlib import suppress
from io import FileIO
from pathlib import Path

from .directory import Directory
from .file_lock import try_lock
from .range_map import STORED, RangeMap

MAX_STEM = 200
"""Bytes of the target's name within the temporary one, which must stay below the 255 bytes of file systems."""

MAX_ADDED = len("..01234567.part")
"""Characters that a temporary name adds to the target's."""

_NAME = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL)

_LOCKS = os.name != "nt"
"""Whether a partial file is locked while it is open. Windows refuses to delete or rename an open file instead."""

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

READ_SIZE = 1024 * 1024
"""Bytes of an existing partial file that are read and hashed at once."""

MIN_PIECE = 64 * 1024
"""Bytes. Shorter parts are joined before they are written: hashing and writing each alone costs two thread switches."""


class PartFile:
    """A partial file beside its target, hashed (SHA-256) while it is written. Blocking.

    With `directory`, `target` is the name of the partial file itself; an existing one is continued once `resume` has
    read it. Otherwise `left` is one that a killed process left, which is continued if it holds ranges of `source`.
    """

    def __init__(
        self,
        target: str | Path,
        *,
        directory: Directory | None = None,
        left: str | None = None,
        source: str = "",
    ) -> None:
        self._target = target
        self._directory = directory
        self.ranges: RangeMap | None = None
        """The written ranges, while bytes are written beyond the first gap."""
        # Open until `commit`, `close` or `discard`.
        if directory is not None:
            self._path = str(target)
            self._file = FileIO(
                self._path, "r+", opener=lambda name, flags: directory.open_file(name, flags | os.O_CREAT)
            )
        elif left is not None and (found := _reopen(left, source)) is not None:
            self._path, self._file, self.ranges = found
        else:
            self._path, self._file = _create(target)
        self._hash = hashlib.sha256()
        self._is_committed = False
        self.size: int = 0
        """Bytes at the start that are written without a gap, and hashed."""

    @property
    def path(self) -> str:
        """Path of the partial file; its name if it is in a `directory`."""
        return self._path

    @property
    def sha256(self) -> str:
        """Checksum of the bytes so far, in hex."""
        return self._hash.hexdigest()

    def resume(self, size: int | None = None, etag: str | None = None) -> None:
        """Read and hash the bytes of an earlier run, up to the first gap.

        `size`, `etag`: the version that they belong to. Only of a file with gaps more bytes than `size` are stored:
        the map of its `ranges` follows.
        """
        if self.ranges is None and size is not None and os.fstat(self._file.fileno()).st_size > size:
            self._file.seek(size)
            found = RangeMap.load(self._file.read(STORED))
            if found is None or (found.size, found.etag) != (size, etag):
                self.start_over()
                return
            self.ranges = found
        self._file.seek(0)
        self._hash_up_to(None if self.ranges is None else self.ranges.front)
        if self.ranges is not None and self.size == self.ranges.size:
            self.end_ranges()

    def write(self, parts: list[bytes]) -> None:
        """Append the parts to the bytes before the first gap, and empty the list."""
        self._write(parts, is_hashed=True)

    def begin_ranges(self, ranges: RangeMap) -> None:
        """Allow `write_range`. The map of the ranges is kept at the end of the file, for `resume`."""
        ranges.add(0, self.size)
        self.ranges = ranges
        self._store_map()

    def write_range(self, start: int, parts: list[bytes]) -> None:
        """Write the parts at a position, and empty the list. Hash all bytes up to the first gap."""
        if self.ranges is None:
            raise RuntimeError("begin_ranges must be called before")
        stop = start + sum(map(len, parts))
        self._file.seek(start)
        self._write(parts, is_hashed=start == self.size)
        self.ranges.add(start, stop)
        self._store_map()
        if self.ranges.front > self.size:
            self._file.seek(self.size)
            self._hash_up_to(self.ranges.front)

    def end_ranges(self) -> None:
        """Discard the bytes after the first gap, and the map."""
        self.ranges = None
        self._file.seek(self.size)
        self._file.truncate()

    def _store_map(self) -> None:
        if self.ranges is not None:
            self._file.seek(self.ranges.size)
            _write_all(self._file, self.ranges.dump())

    def _hash_up_to(self, end: int | None) -> None:
        """Read and hash the bytes from the current position, which is `size`, up to `end`."""
        while piece := self._file.read(READ_SIZE if end is None else min(READ_SIZE, end - self.size)):
            self.size += len(piece)
            self._hash.update(piece)

    def _write(self, parts: list[bytes], *, is_hashed: bool) -> None:
        size = sum(map(len, parts))
        if size < len(parts) * MIN_PIECE:
            parts[:] = [b"".join(parts)]
        if is_hashed:
            self.size += size
        parts.reverse()
        while parts:
            data = parts.pop()
            if is_hashed:
                self._hash.update(data)
            _write_all(self._file, data)

    def start_over(self) -> None:
        """Discard all bytes."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0
        self.ranges = None

    def complete(self) -> str:
        """Discard what follows the last byte, and return the SHA-256 in hex."""
        if self.ranges is not None:
            self.end_ranges()
        return self.sha256

    def commit(self) -> str:
        """Rename the file to its target, atomically, and return its SHA-256 in hex."""
        self.complete()
        if not _LOCKS:
            self._file.close()  # an open file cannot be renamed
        os.replace(self._path, self._target)
        self._is_committed = True
        self._file.close()
        return self.sha256

    def close(self) -> None:
        """Close the file, and keep it as a partial one. Idempotent."""
        self._file.close()

    def discard(self) -> None:
        """Delete the file, unless it has been committed. Idempotent."""
        if not self._is_committed:
            self._file.close()
            with suppress(FileNotFoundError):
                if self._directory is not None:
                    self._directory.unlink(self._path)
                else:
                    os.unlink(self._path)


def _write_all(file: FileIO, data: bytes) -> None:
    written = file.write(data)
    while written < len(data):
        written += file.write(memoryview(data)[written:])


def _create(target: str | Path) -> tuple[str, FileIO]:
    """Create and lock a partial file beside its target; return its path and the open file."""
    folder, name = os.path.split(target)
    while True:
        path = os.path.join(folder, f".{stem(name)}.{secrets.token_hex(4)}.part")
        file = FileIO(path, "x+")
        if not _LOCKS:
            return path, file
        try:
            try_lock(file.fileno())
            is_mine = os.fstat(file.fileno()).st_nlink > 0
        except BlockingIOError:
            is_mine = False
        except OSError:  # unsupported by the file system
            is_mine = True
        if is_mine:
            return path, file
        file.close()  # `remove_abandoned` locked or deleted it first


def _reopen(path: str, source: str) -> tuple[str, FileIO, RangeMap] | None:
    """Open and lock a partial file that holds ranges of a source. Delete any other that is not being written."""
    if not _LOCKS:  # another process can be writing it
        remove_abandoned(path)
        return None
    with suppress(OSError):
        file = FileIO(path, "r+", opener=lambda name, flags: os.open(name, flags | _NO_LINK))
        try:
            try_lock(file.fileno())
            ranges = stored_ranges(file)
        except OSError:
            file.close()
            raise
        if ranges is not None and ranges.source == source and os.fstat(file.fileno()).st_nlink == 1:
            return path, file, ranges
        file.close()
        remove_abandoned(path)
    return None


def stored_ranges(file: FileIO) -> RangeMap | None:
    """Return the map at the end of a partial file, if there is one."""
    size = os.fstat(file.fileno()).st_size - STORED
    if size <= 0:
        return None
    file.seek(size)
    ranges = RangeMap.load(file.read(STORED))
    return ranges if ranges is not None and ranges.size == size else None


def target_stem(part: str) -> str | None:
    """Return the `stem` of the target for the name of a partial file; None for another name."""
    match = _NAME.fullmatch(part)
    return match and match[1]


def has_ranges(path: str) -> bool:
    """Return whether a partial file holds ranges, so that it can be continued."""
    with suppress(OSError), FileIO(path, opener=lambda name, flags: os.open(name, flags | _NO_LINK)) as file:
        return stored_ranges(file) is not None
    return False


def remove_abandoned(path: str | Path) -> None:
    """Delete a partial file that a killed process left. One that is still being written stays."""
    with suppress(OSError):
        if _LOCKS:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                try_lock(file)
                os.unlink(path)
            finally:
                os.close(file)
        else:
            os.unlink(path)  # fails while it is open


def stem(name: str) -> str:
    """Return the part of a target's name that its partial file's name contains."""
    return os.fsencode(name)[:MAX_STEM].decode("utf-8", "ignore")
