"""The files of a destination: finished ones under their names, partial ones in a hidden folder. Blocking work."""

import hashlib
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import UnsafePath

PARTS_NAME = ".harvest.parts"

MAX_KNOWN_FOLDERS = 4096
"""Folders that are known to exist and not created again."""

_READ_SIZE = 1024 * 1024
_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class HarvestFolder:
    """The folder `root`. Partial files are named after the artifact's id in the ledger: `.harvest.parts/.17.part`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = os.path.realpath(root)
        self._parts = f"{self._root}/{PARTS_NAME}"
        self._known: OrderedDict[str, None] = OrderedDict()

    def create(self) -> None:
        """Create the folder of partial files."""
        os.makedirs(self._parts, exist_ok=True)

    def part(self, id: int) -> str:
        """Return the path of an artifact's partial file."""
        return f"{self._parts}/.{id}.part"

    def has_part(self, id: int) -> bool:
        """Return whether an artifact has a partial file."""
        return os.path.exists(self.part(id))

    def parts(self) -> Iterator[tuple[int, str]]:
        """Yield id and path of each entry in the folder of partial files; the id of an unknown file is -1."""
        with os.scandir(self._parts) as entries:
            for entry in entries:
                id = entry.name.removeprefix(".").removesuffix(".part")
                yield int(id) if entry.name == f".{id}.part" and id.isdecimal() else -1, entry.path

    def write_part(self, id: int, content: bytes) -> None:
        """Write a partial file at once; nothing is left if that fails."""
        try:
            file = os.open(self.part(id), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o666)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(file, view) :]
            finally:
                os.close(file)
        except OSError:
            self.remove_part(id)
            raise

    def remove_part(self, id: int) -> None:
        """Delete a partial file, if it exists and can be deleted."""
        with suppress(OSError):
            os.unlink(self.part(id))

    def path(self, target: str) -> str:
        """Return the absolute path of a finished file."""
        return f"{self._root}/{target}"

    def part_size(self, id: int) -> int | None:
        """Return the size of a partial file; None if no regular file exists."""
        return _size(self.part(id))

    def size(self, target: str) -> int | None:
        """Return the size of a finished file; None if no regular file exists."""
        return _size(self.path(target))

    def rename_part(self, id: int, target: str, *, identical: str | None = None) -> None:
        """Rename a partial file to its final path, atomically.

        With `identical`, a finished file of the same content, make a hard link to that file instead if possible.
        """
        part, path = self.part(id), self.path(target)
        self._create_parent(target)
        if identical is not None and self._link(identical, part + ".link", path):
            os.unlink(part)
            return
        try:
            os.replace(part, path)
        except FileNotFoundError:  # the folder was deleted meanwhile
            self._known.clear()
            self._create_parent(target)
            os.replace(part, path)

    def _link(self, identical: str, link: str, path: str) -> bool:
        try:
            with suppress(FileNotFoundError):
                os.unlink(link)
            os.link(self.path(identical), link, follow_symlinks=False)
        except OSError:  # unsupported by the file system, too many links, or the file is gone
            return False
        try:
            os.replace(link, path)
        finally:
            with suppress(FileNotFoundError):  # replacing one link to a file by another link to it does nothing
                os.unlink(link)
        return True

    def _create_parent(self, target: str) -> None:
        parent = target.rpartition("/")[0]
        if parent in self._known:
            return
        folder = self._root
        for name in parent.split("/"):
            folder = f"{folder}/{name}"
            try:
                os.mkdir(folder)
            except FileExistsError:
                if os.path.islink(folder):  # it can lead out of the destination, or to another artifact's path
                    raise UnsafePath(f"{folder} refused: it is a symbolic link") from None
        self._known[parent] = None
        if len(self._known) > MAX_KNOWN_FOLDERS:
            self._known.popitem(last=False)

    def finished(self) -> Iterator[str]:
        """Yield the paths of all files below `root`, without names that begin with a dot."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            with os.scandir(os.path.join(self._root, *folder.split("/"))) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                    else:
                        yield path


def _size(path: str) -> int | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def checksum(path: str) -> tuple[int, str]:
    """Read a file and return its size and its SHA-256 in hex."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb", buffering=0) as file:
        while data := file.read(_READ_SIZE):
            size += len(data)
            digest.update(data)
    return size, digest.hexdigest()
