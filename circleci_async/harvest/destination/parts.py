"""The partial files of a harvest, in a hidden folder beside its files or its ledger. Blocking work."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from ...downloads.directory import Directory
from ...downloads.part_file import PartFile
from ...errors import LedgerError, UnsafePath

PARTS_NAME: Final = ".harvest.parts"

_READ_SIZE: Final = 1024 * 1024

_PART = re.compile(r"\.([0-9]{1,18})(?:\.([0-9a-f]{64}))?\.part")


class Part(NamedTuple):
    """A partial file, named after the artifact's id in the ledger, such as `.17.part`.

    The name of a complete one also contains its checksum: `.17.<sha256>.part`. If the process was killed while writing
    it, its content does not match the checksum.
    """

    id: int
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The name of the file."""
        return f".{self.id}.part" if self.sha256 is None else f".{self.id}.{self.sha256}.part"


class PartialFiles:
    """The partial files below `root`, named after the ids of their artifacts in the ledger. Allowed in any thread.

    Links among them are refused. Call `close` after use.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = os.path.realpath(root)
        self._opened: Directory | None = None
        self.leftovers: dict[int, Part] = {}
        """The complete partial files that an earlier run, or a failed upload, left, by id."""

    def close(self) -> None:
        """Close the folder. Idempotent."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def create(self) -> None:
        """Create the folder of partial files. Raises `LedgerError` if something else has its name."""
        path = f"{self._root}/{PARTS_NAME}"
        with Directory.open(self._root) as root:
            with suppress(FileExistsError):
                root.mkdir(PARTS_NAME)
            try:
                self._opened = root.folder(PARTS_NAME)
            except (UnsafePath, NotADirectoryError):
                raise LedgerError(f"{path} is not a folder: delete it, then run the same command again") from None

    @property
    def directory(self) -> Directory:
        """The open folder."""
        if self._opened is None:
            raise RuntimeError("the folder of partial files is not open")
        return self._opened

    def mark(self, name: str) -> None:
        """Create an empty file, by which other processes recognize the folder until `remove_others`."""
        os.close(self.directory.open_file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))

    def remove_others(self) -> None:
        """Delete all files in the folder that are not partial ones, as far as possible: marks, and temporary ones."""
        with suppress(OSError, LedgerError):
            for _ in self.all():
                pass

    def all(self) -> Iterator[Part]:
        """Yield the partial files, and delete all other files in their folder.

        Raises `LedgerError` for a folder among them.
        """
        for entry in list(self.directory.scan()):
            status = self.directory.lstat(entry.name)
            if status is not None and stat.S_ISDIR(status.st_mode):
                raise LedgerError(
                    f"{self.directory.path}/{entry.name} is a folder, which no harvest creates: move it away, then run"
                    " the same command again"
                )
            match = _PART.fullmatch(entry.name)
            # A second link to a file would let a harvest change that file.
            if match is None or status is None or not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                with suppress(FileNotFoundError):  # a worker of a killed run renamed or deleted it meanwhile
                    self.directory.unlink(entry.name)
            else:
                yield Part(int(match[1]), match[2])

    def write(self, id: int, content: bytes) -> Part:
        """Write a complete partial file at once; nothing is left if that fails."""
        part = Part(id, hashlib.sha256(content).hexdigest())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            try:
                file = self.directory.open_file(part.name, flags)
            except FileExistsError:  # a killed attempt left it
                self.remove(part)
                file = self.directory.open_file(part.name, flags)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(file, view) :]
            finally:
                os.close(file)
        except OSError:
            self.remove(part)
            raise
        return part

    def open(self, id: int) -> PartFile:
        """Open an incomplete partial file, or create it."""
        return PartFile(Part(id).name, directory=self.directory)

    def complete(self, id: int, sha256: str) -> Part:
        """Mark a partial file as complete."""
        part = Part(id, sha256)
        self.directory.replace(Part(id).name, self.directory, part.name)
        return part

    def has(self, id: int) -> bool:
        """Return whether an artifact has an incomplete partial file."""
        return self.directory.size(Part(id).name) is not None

    def size(self, part: Part) -> int | None:
        """Return the size of a partial file; None if there is none."""
        return self.directory.size(part.name)

    def checksum(self, part: Part) -> tuple[int, str]:
        """Read a partial file and return its size and its SHA-256 in hex."""
        return file_checksum(self.directory, part.name)

    def read(self, part: Part) -> BinaryIO:
        """Open a partial file for reading. Raises `OSError`, `UnsafePath`."""
        return open(part.name, "rb", opener=self.directory.open_file)

    def remove(self, part: Part) -> None:
        """Delete a partial file, if it exists and can be deleted."""
        with suppress(OSError):
            self.directory.unlink(part.name)


def discard_partial_files(root: Path) -> None:
    """Delete the partial files below `root`. Raises `LedgerError`, `OSError`."""
    if not os.path.lexists(f"{root}/{PARTS_NAME}"):
        return
    with closing(PartialFiles(root)) as parts:
        parts.create()
        for part in parts.all():
            parts.remove(part)


def file_checksum(folder: Directory, name: str) -> tuple[int, str]:
    """Read a file in a folder and return its size and its SHA-256 in hex. Raises `OSError`, `UnsafePath`."""
    digest = hashlib.sha256()
    size = 0
    with open(name, "rb", buffering=0, opener=folder.open_file) as file:
        while data := file.read(_READ_SIZE):
            size += len(data)
            digest.update(data)
    return size, digest.hexdigest()
