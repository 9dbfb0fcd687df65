"""The finished files of a harvest in a folder. Blocking work."""

import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...downloads.destination import checked_parts, max_path
from ...downloads.directory import Directory
from ...errors import UnsafePath
from .files import FileStatus, FinishedFile, Status
from .parts import Part, PartialFiles, file_checksum

MAX_OPEN_FOLDERS: Final = 4
"""Folders that are kept open, so that they need not be looked up for each file."""

MAX_KNOWN_CONTENTS: Final = 256
"""Finished files whose checksum is known, because this run read them."""


class FolderFiles:
    """The finished files below `root`, whose content is not trusted: links in it are refused, and other files are kept.

    `parts`: the partial files, which become finished ones. Call `close` after use. For one thread only.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.parts: PartialFiles = PartialFiles(root)
        self._root = os.path.realpath(root)
        self._folders: OrderedDict[tuple[str, ...], Directory] = OrderedDict()
        self._contents: OrderedDict[str, tuple[tuple[int, ...], str]] = OrderedDict()
        self._max_path = max_path(self._root)

    def close(self) -> None:
        """Close the folders. Idempotent."""
        self.forget()
        self.parts.close()

    def forget(self) -> None:
        """Close the folders of finished files, so that their names are looked up again."""
        while self._folders:
            self._folders.popitem()[1].close()

    def has(self, target: str, size: int | None = None) -> bool:
        """Return whether a finished file exists, with this size unless None."""
        found = self.size(target)
        return found is not None and size in {None, found}

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

    def verdict(self, file: FinishedFile, *, deep: bool) -> str:
        """Hash a finished file, and return whether it is "intact", "changed" or "missing"."""
        size = self.size(file.target)
        if size is None:
            return "missing"
        if size != file.size:
            return "changed"
        try:
            return "intact" if self.checksum(file.target) == (file.size, file.sha256) else "changed"
        except (OSError, UnsafePath):
            return "missing"

    def statuses(self, files: Sequence[FinishedFile]) -> list[Status]:
        """Return the status of each file; an error for a link, a folder etc."""
        return [self._try(self._status, file.target) for file in files]

    def remove(self, files: Sequence[FinishedFile]) -> list[Status]:
        """Delete files, and the folders that are empty then, and return what the status of each file was."""
        return [self._try(self._remove, file.target) for file in files]

    @staticmethod
    def _try(work: Callable[[str], FileStatus | None], target: str) -> Status:
        try:
            return work(target)
        except (OSError, UnsafePath) as error:
            return error

    def _status(self, target: str) -> FileStatus | None:
        try:
            folder, name = self._located(target)
        except FileNotFoundError:
            return None
        status = folder.lstat(name)
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise UnsafePath(f"{folder.path}/{name} refused: it is not a regular file: delete it")
        return status and FileStatus(status.st_size, (status.st_dev, status.st_ino), status.st_nlink)

    def _remove(self, target: str) -> FileStatus | None:
        status = self._status(target)
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
            self.parts.directory.replace(link or part.name, self._folder(tuple(names), created), name)
        except OSError:
            self._remove_folders(names, created)
            raise
        finally:
            if link is not None:
                with suppress(FileNotFoundError):  # replacing one link to a file by another link to it does nothing
                    self.parts.directory.unlink(link)
        if identical is not None and link is not None:
            self.parts.directory.unlink(part.name)
            self._note_link(identical)

    def _link(self, identical: str, part: Part) -> str | None:
        """Make a link to a finished file among the partial files and return its name, if that is possible."""
        link = f"{part.name}.link"
        try:
            with suppress(FileNotFoundError):
                self.parts.directory.unlink(link)
            folder, name = self._located(identical)
            folder.link(name, self.parts.directory, link)
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
