"""The small files that arrived and are not committed yet, on disk, so that a killed harvest keeps them. Blocking."""

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, Final

from ..downloads.directory import Directory
from ..errors import UnsafePath

NAMES: Final = ("arrived.0", "arrived.1")
"""One file for the batch that is being committed, and one for the next batch."""

MAX_CONTENT: Final = 16 * 1024 * 1024
"""Bytes of a file; a record that claims more is damaged."""

_HEADER = struct.Struct("<qQI")  # id, length, checksum


class Arrivals:
    """Appends each file, in one write, to the file of the current batch; committing a batch empties its file."""

    def __init__(self, folder: Directory) -> None:
        self._folder = folder
        self._files: dict[str, int] = {}
        self._broken: set[str] = set()
        self._current = 0

    def add(self, id: int, content: bytes) -> None:
        """Add a file to the current batch. An error only means that a killed harvest will download it again."""
        name = NAMES[self._current]
        if name in self._broken:
            return
        record = _HEADER.pack(id, len(content), zlib.crc32(content)) + content
        try:
            if name not in self._files:
                self._files[name] = self._folder.open_file(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            is_whole = os.write(self._files[name], record) == len(record)
        except (OSError, UnsafePath):
            is_whole = False
        if not is_whole:  # no record behind it could be read
            self._broken.add(name)

    def begin_batch(self) -> str:
        """Begin the next batch, and return the name of the current one for `end_batch`."""
        self._current = 1 - self._current
        return NAMES[1 - self._current]

    def end_batch(self, name: str) -> None:
        """Forget a batch, whose files are committed."""
        if name in self._files:
            with suppress(OSError):
                os.ftruncate(self._files[name], 0)
                self._broken.discard(name)

    def close(self) -> None:
        """Delete the files, except those of batches that could not be committed. Idempotent."""
        while self._files:
            name, file = self._files.popitem()
            is_empty = not os.fstat(file).st_size
            os.close(file)
            if is_empty:
                with suppress(OSError):
                    self._folder.unlink(name)


def read_arrivals(folder: Directory) -> Iterator[tuple[int, bytes]]:
    """Yield id and content of the files that a killed harvest left, then delete its records."""
    for name in NAMES:
        try:
            with open(name, "rb", opener=folder.open_file) as file:
                yield from _records(file)
        except (OSError, UnsafePath):
            pass
        with suppress(OSError):
            folder.unlink(name)


def _records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    while len(header := file.read(_HEADER.size)) == _HEADER.size:
        id, length, checksum = _HEADER.unpack(header)
        content = file.read(length) if length <= MAX_CONTENT else b""
        if len(content) != length or zlib.crc32(content) != checksum:
            return  # it was cut off
        yield id, content
