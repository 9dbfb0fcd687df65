"""The partial files of a harvest into a folder that several processes write."""

import uuid
from contextlib import suppress
from typing import NoReturn

from ...downloads.directory import Directory
from ...downloads.part_file import PartFile
from ...errors import ConfigurationError, DownloadError, UnsafePath
from ..destination.parts import PARTS_NAME, Part, PartialFiles


class SharedPartialFiles(PartialFiles):
    """Partial files under names that no other process uses. The caller renames complete ones, with `adopt`.

    So two workers that download the same file never mix, and what a worker stores after it was given up is not used:
    the caller deletes it at the end, or the next harvest does. A worker recognizes the folder by the file `marker`.
    """

    def __init__(self, root: str, marker: str, worker: str) -> None:
        super().__init__(root)
        self._marker = marker
        self._worker = worker
        self.nonce: str = uuid.uuid4().hex
        self._incomplete: set[int] = set()

    def create(self) -> None:
        """Open the caller's folder. Raises `ConfigurationError` if this is not the one that the caller uses."""
        try:
            with Directory.open(self._root) as root:
                self._opened = root.folder(PARTS_NAME)
        except (OSError, UnsafePath):
            self._not_shared()
        if not self._is_shared():
            self.close()
            self._not_shared()

    def open(self, id: int) -> PartFile:
        """Create an incomplete partial file."""
        self._incomplete.add(id)
        return PartFile(self._temporary(id), directory=self.directory)

    def has(self, id: int) -> bool:
        """Return False: a partial file of another process is not continued."""
        return False

    def complete(self, id: int, sha256: str) -> Part:
        """Keep a partial file for the caller. Raises `DownloadError` if the caller has ended."""
        if not self._is_shared():
            raise DownloadError("the harvest has ended")
        self._incomplete.discard(id)
        return Part(id, sha256)

    def write(self, id: int, content: bytes) -> Part:
        """Write a complete partial file. Raises `DownloadError` if the caller has ended."""
        file = self.open(id)
        try:
            file.write([content])
            part = self.complete(id, file.sha256)
        except BaseException:
            file.discard()
            raise
        file.close()
        return part

    def close(self) -> None:
        """Delete the incomplete files, and close the folder. Idempotent."""
        while self._incomplete:
            with suppress(OSError):
                self.directory.unlink(self._temporary(self._incomplete.pop()))
        super().close()

    def _temporary(self, id: int) -> str:
        return _temporary(id, self.nonce)

    def _is_shared(self) -> bool:
        return self.directory.size(self._marker) is not None

    def _not_shared(self) -> NoReturn:
        raise ConfigurationError(
            f"the Dask worker {self._worker} does not have the folder {self._root} of this harvest: mount it there"
            " under the same path, or harvest into a bucket"
        )


def adopt(parts: PartialFiles, id: int, sha256: str, nonce: str) -> None:
    """Give a complete file of a worker the name of a partial file of the caller. Raises `OSError`."""
    parts.directory.replace(_temporary(id, nonce), parts.directory, Part(id, sha256).name)


def _temporary(id: int, nonce: str) -> str:
    return f".{id}.{nonce}.tmp"
