"""The files of a destination: finished ones under their names, partial ones in a hidden folder. Blocking work."""

import errno
import hashlib
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from ..downloads.destination import checked_parts, max_path
from ..downloads.directory import Directory
from ..downloads.part_file import PartFile
from ..errors import LedgerError, UnsafePath

PARTS_NAME: Final = ".harvest.parts"

MAX_OPEN_FOLDERS: Final = 4
"""Folders that are kept open, so that they need not be looked up for each file."""

MAX_KNOWN_CONTENTS: Final = 256
"""Finished files whose checksum is known, because this run read them."""

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


class HarvestFolder:
    """The folder `root`, whose content is not trusted: links in it are refused, and other files are not changed.

    Call `close` after use. Partial files can be used in any thread, finished ones in one thread only.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = os.path.realpath(root)
        self._opened_parts: Directory | None = None
        self._folders: OrderedDict[tuple[str, ...], Directory] = OrderedDict()
        self._contents: OrderedDict[str, tuple[tuple[int, ...], str]] = OrderedDict()
        self._max_path = max_path(self._root)
        self.leftovers: dict[int, Part] = {}
        """The complete partial files that an earlier run did not record, by id."""

    def close(self) -> None:
        """Close the folders. Idempotent."""
        self.forget()
        if self._opened_parts is not None:
            self._opened_parts.close()
            self._opened_parts = None

    def forget(self) -> None:
        """Close the folders of finished files, so that their names are looked up again."""
        while self._folders:
            self._folders.popitem()[1].close()

    # Partial files

    def create(self) -> None:
        """Create the folder of partial files. Raises `LedgerError` if something else has its name."""
        path = f"{self._root}/{PARTS_NAME}"
        with Directory.open(self._root) as root:
            with suppress(FileExistsError):
                root.mkdir(PARTS_NAME)
            try:
                self._opened_parts = root.folder(PARTS_NAME)
            except (UnsafePath, NotADirectoryError):
                raise LedgerError(f"{path} is not a folder: delete it, then run the same command again") from None

    @property
    def _parts(self) -> Directory:
        if self._opened_parts is None:
            raise RuntimeError("the folder of partial files is not open")
        return self._opened_parts

    def parts(self) -> Iterator[Part]:
        """Yield the partial files, and delete all other files in their folder.

        Raises `LedgerError` for a folder among them.
        """
        for entry in list(self._parts.scan()):
            status = self._parts.lstat(entry.name)
            if status is not None and stat.S_ISDIR(status.st_mode):
                raise LedgerError(
                    f"{self._parts.path}/{entry.name} is a folder, which no harvest creates: move it away, then run"
                    " the same command again"
                )
            match = _PART.fullmatch(entry.name)
            # A second link to a file would let a harvest change that file.
            if match is None or status is None or not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                self._parts.unlink(entry.name)
            else:
                yield Part(int(match[1]), match[2])

    def write_part(self, id: int, content: bytes) -> Part:
        """Write a complete partial file at once; nothing is left if that fails."""
        part = Part(id, hashlib.sha256(content).hexdigest())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            try:
                file = self._parts.open_file(part.name, flags)
            except FileExistsError:  # a killed attempt left it
                self.remove_part(part)
                file = self._parts.open_file(part.name, flags)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(file, view) :]
            finally:
                os.close(file)
        except OSError:
            self.remove_part(part)
            raise
        return part

    def open_part(self, id: int) -> PartFile:
        """Open an incomplete partial file, or create it."""
        return PartFile(Part(id).name, directory=self._parts)

    def complete_part(self, id: int, sha256: str) -> Part:
        """Mark a partial file as complete."""
        part = Part(id, sha256)
        self._parts.replace(Part(id).name, self._parts, part.name)
        return part

    def has_part(self, id: int) -> bool:
        """Return whether an artifact has an incomplete partial file."""
        return self._parts.size(Part(id).name) is not None

    def part_size(self, part: Part) -> int | None:
        """Return the size of a partial file; None if there is none."""
        return self._parts.size(part.name)

    def part_checksum(self, part: Part) -> tuple[int, str]:
        """Read a partial file and return its size and its SHA-256 in hex."""
        return file_checksum(self._parts, part.name)

    def remove_part(self, part: Part) -> None:
        """Delete a partial file, if it exists and can be deleted."""
        with suppress(OSError):
            self._parts.unlink(part.name)

    # Finished files

    def size(self, target: str) -> int | None:
        """Return the size of a finished file; None if no regular file exists, or it is behind a link."""
        try:
            folder, name = self._located(target)
        except (OSError, UnsafePath):
            return None
        return folder.size(name)

    def checksum(self, target: str) -> tuple[int, str]:
        """Read a finished file and return its size and its SHA-256 in hex. Raises `OSError`, `UnsafePath`."""
        folder, name = self._located(target)
        return file_checksum(folder, name)

    def status(self, target: str) -> os.stat_result | None:
        """Return the status of a finished file; None if nothing has its name.

        Raises `OSError`, and `UnsafePath` for a link, a folder etc.
        """
        try:
            folder, name = self._located(target)
        except FileNotFoundError:
            return None
        status = folder.lstat(name)
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise UnsafePath(f"{folder.path}/{name} refused: it is not a regular file: delete it")
        return status

    def remove(self, target: str) -> os.stat_result | None:
        """Delete a finished file, and the folders that are empty then. Return what its status was, as `status` does."""
        status = self.status(target)
        *names, name = _checked(target)
        if status is not None:
            self._folder(tuple(names)).unlink(name)
        with suppress(OSError, UnsafePath):
            for position in reversed(range(len(names))):
                self._folder(tuple(names[:position])).rmdir(names[position])
                if (removed := self._folders.pop(tuple(names[: position + 1]), None)) is not None:
                    removed.close()
        return status

    def place(self, part: Part, target: str, *, identical: str | None = None) -> None:
        """Move a partial file to its final path, atomically. Nothing is left of a path that cannot be created.

        With `identical`, a finished file of the same content, make a hard link to that file instead if possible.
        Raises `OSError` and `UnsafePath`.
        """
        try:
            self._place(part, target, identical)
        except FileNotFoundError:  # the folder was deleted meanwhile
            self.forget()
            self._place(part, target, identical)

    def _place(self, part: Part, target: str, identical: str | None) -> None:
        *names, name = _checked(target)
        if len(os.fsencode(f"{self._root}/{target}")) >= self._max_path:
            reason = f"the path has more than {self._max_path - 1} bytes: use a shorter layout or destination"
            raise OSError(errno.ENAMETOOLONG, reason)
        link = None if identical is None else self._link(identical, part)
        created: list[int] = []
        try:
            self._parts.replace(link or part.name, self._folder(tuple(names), created), name)
        except OSError:
            self._remove_folders(names, created)
            raise
        finally:
            if link is not None:
                with suppress(FileNotFoundError):  # replacing one link to a file by another link to it does nothing
                    self._parts.unlink(link)
        if identical is not None and link is not None:
            self._parts.unlink(part.name)
            self._note_link(identical)

    def _link(self, identical: str, part: Part) -> str | None:
        """Make a link to a finished file among the partial files and return its name, if that is possible."""
        link = f"{part.name}.link"
        try:
            with suppress(FileNotFoundError):
                self._parts.unlink(link)
            folder, name = self._located(identical)
            folder.link(name, self._parts, link)
        except (OSError, UnsafePath):  # unsupported by the file system, too many links, or the file is gone
            return None
        return link

    def _note_link(self, target: str) -> None:
        """Note the status of a file, which a new link has changed."""
        if target in self._contents:
            _, digest = self._contents.pop(target)
            with suppress(OSError, UnsafePath):
                folder, name = self._located(target)
                self._contents[target] = _version(folder.lstat(name)), digest

    def is_intact(self, target: str, size: int, sha256: str) -> bool:
        """Return whether a finished file has this content. It is read once, until it changes."""
        try:
            folder, name = self._located(target)
            if folder.size(name) != size:
                return False
            version = _version(folder.lstat(name))
            known, digest = self._contents.get(target, ((), ""))
            if known != version:
                _, digest = file_checksum(folder, name)
                self._contents[target] = version, digest
        except (OSError, UnsafePath):
            return False
        if len(self._contents) > MAX_KNOWN_CONTENTS:
            self._contents.popitem(last=False)
        return digest == sha256

    def _located(self, target: str) -> tuple[Directory, str]:
        *names, name = _checked(target)
        return self._folder(tuple(names)), name

    def _folder(self, names: tuple[str, ...], created: list[int] | None = None) -> Directory:
        """Open a folder; with `created`, create missing ones and append their positions."""
        folder = self._folders.get(names)
        if folder is not None:
            self._folders.move_to_end(names)
            return folder
        folder = Directory.open(self._root)
        for position, name in enumerate(names):
            with folder as parent:
                try:
                    folder = parent.folder(name)
                except FileNotFoundError:
                    if created is None:
                        raise
                    parent.mkdir(name)
                    created.append(position)
                    folder = parent.folder(name)
        if folder.fd is None:  # a path can lead elsewhere the next time
            return folder
        self._folders[names] = folder
        if len(self._folders) > MAX_OPEN_FOLDERS:
            self._folders.popitem(last=False)[1].close()
        return folder

    def _remove_folders(self, names: list[str], created: list[int]) -> None:
        """Delete folders that were created for a file that could not be placed, if they are empty."""
        if created:
            self.forget()
        with suppress(OSError, UnsafePath):
            for position in reversed(created):
                self._folder(tuple(names[:position])).rmdir(names[position])

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


def _checked(target: str) -> tuple[str, ...]:
    """Split a path that the ledger names; raises `UnsafePath` for one that no harvest assigns."""
    try:
        names = checked_parts(target)
    except UnsafePath:
        names = (".",)
    if "/." in f"/{target}" or names == (".",):
        raise UnsafePath(
            f"path {target!r} in the ledger refused: no harvest uses it, so the ledger was changed: choose another"
            " destination"
        )
    return names


def _version(status: os.stat_result | None) -> tuple[int, ...]:
    if status is None:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def file_checksum(folder: Directory, name: str) -> tuple[int, str]:
    """Read a file in a folder and return its size and its SHA-256 in hex. Raises `OSError`, `UnsafePath`."""
    digest = hashlib.sha256()
    size = 0
    with open(name, "rb", buffering=0, opener=folder.open_file) as file:
        while data := file.read(_READ_SIZE):
            size += len(data)
            digest.update(data)
    return size, digest.hexdigest()
