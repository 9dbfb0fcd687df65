"""An incomplete file under a temporary name."""

import hashlib
import os
import secrets
from contextlib import suppress
from io import FileIO
from pathlib import Path

MAX_STEM = 200
"""Bytes of the target's name within the temporary one, which must stay below the 255 bytes of file systems."""

READ_SIZE = 1024 * 1024
"""Bytes of an existing partial file that are read and hashed at once."""


MIN_PIECE = 64 * 1024
"""Bytes. Shorter parts are joined before they are written: hashing and writing each alone costs two thread switches."""


class PartFile:
    """A partial file beside its target, hashed (SHA-256) while it is written. Blocking.

    `path` sets its path; an existing file there is continued once `resume` has read it.
    """

    def __init__(self, target: str | Path, *, path: str | None = None) -> None:
        folder, name = os.path.split(target)
        stem = os.fsencode(name)[:MAX_STEM].decode("utf-8", "ignore")
        self._target = target
        self._path = path or os.path.join(folder, f".{stem}.{secrets.token_hex(4)}.part")
        # Open until `commit`, `close` or `discard`.
        self._file = FileIO(self._path, "x" if path is None else "a+")
        self._hash = hashlib.sha256()
        self._is_committed = False
        self.size: int = 0

    @property
    def sha256(self) -> str:
        """Checksum of the bytes so far, in hex."""
        return self._hash.hexdigest()

    def resume(self) -> None:
        """Read and hash the bytes of an earlier run."""
        self._file.seek(0)
        while piece := self._file.read(READ_SIZE):
            self.size += len(piece)
            self._hash.update(piece)

    def write(self, parts: list[bytes]) -> None:
        """Append the parts, and empty the list."""
        size = sum(map(len, parts))
        if size < len(parts) * MIN_PIECE:
            parts[:] = [b"".join(parts)]
        self.size += size
        parts.reverse()
        while parts:
            data = parts.pop()
            self._hash.update(data)
            written = self._file.write(data)
            while written < len(data):
                written += self._file.write(memoryview(data)[written:])

    def start_over(self) -> None:
        """Discard all bytes."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0

    def commit(self) -> str:
        """Rename the file to its target, atomically, and return its SHA-256 in hex."""
        self._file.close()
        os.replace(self._path, self._target)
        self._is_committed = True
        return self.sha256

    def close(self) -> None:
        """Close the file, and keep it as a partial one. Idempotent."""
        self._file.close()

    def discard(self) -> None:
        """Delete the file, unless it has been committed. Idempotent."""
        if not self._is_committed:
            self._file.close()
            with suppress(FileNotFoundError):
                os.unlink(self._path)
