"""A folder whose names are resolved without following symbolic links. Blocking."""

import errno
import os
import stat
from collections.abc import Iterator
from typing import Self

from ..errors import UnsafePath

HAS_DIR_FD: bool = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY")
"""Whether the system opens files relative to a folder. Otherwise, such as on Windows, each name is checked first."""

_ANY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FILE = _ANY | _NO_LINK | getattr(os, "O_NONBLOCK", 0)  # opening a FIFO must not block
_FOLDER = _ANY | _NO_LINK | getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)


class Directory:
    """An open folder. It stays the same one if another folder or a link gets its name meanwhile."""

    def __init__(self, path: str, fd: int | None) -> None:
        self.path: str = path
        self.fd: int | None = fd
        """Its descriptor; None where the system opens files by their paths only."""

    @classmethod
    def open(cls, path: str) -> Self:
        """Open a folder at a path, which may contain links."""
        return cls(path, os.open(path, _FOLDER & ~_NO_LINK) if HAS_DIR_FD else None)

    def folder(self, name: str) -> "Directory":
        """Open a folder in this one. Raises `UnsafePath` for a link, `OSError` if it is not a folder or is missing."""
        path = f"{self.path}/{name}"
        try:
            if self.fd is not None:
                return Directory(path, os.open(name, _FOLDER, dir_fd=self.fd))
            status = os.lstat(path)
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}:
                raise
            status = os.lstat(self.at(name), dir_fd=self.fd)
        if stat.S_ISLNK(status.st_mode):  # it can lead out of the destination, or to another artifact's path
            raise UnsafePath(f"{path} refused: it is a symbolic link, which is not followed: delete it")
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return Directory(path, None)

    def open_file(self, name: str, flags: int) -> int:
        """Open a regular file, as the `opener` of `open`. Raises `UnsafePath` for a link, a folder, a FIFO etc."""
        if self.fd is None and (status := self.lstat(name)) is not None and not stat.S_ISREG(status.st_mode):
            raise self._not_a_file(name)
        try:
            file = os.open(self.at(name), flags | _FILE, 0o666, dir_fd=self.fd)
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENXIO, errno.EISDIR}:
                raise
            raise self._not_a_file(name) from None
        if not flags & os.O_EXCL and not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise self._not_a_file(name)
        return file

    def _not_a_file(self, name: str) -> UnsafePath:
        return UnsafePath(f"{self.path}/{name} refused: it is not a regular file: delete it")

    def lstat(self, name: str) -> os.stat_result | None:
        """Return the status of a name, of a link itself; None if it does not exist."""
        try:
            return os.lstat(self.at(name), dir_fd=self.fd)
        except OSError:
            return None

    def size(self, name: str) -> int | None:
        """Return the size of a regular file; None if there is none of this name."""
        status = self.lstat(name)
        return status.st_size if status is not None and stat.S_ISREG(status.st_mode) else None

    def mkdir(self, name: str) -> None:
        """Create a folder in this one."""
        os.mkdir(self.at(name), dir_fd=self.fd)

    def rmdir(self, name: str) -> None:
        """Delete an empty folder in this one."""
        os.rmdir(self.at(name), dir_fd=self.fd)

    def unlink(self, name: str) -> None:
        """Delete a file, or a link itself."""
        os.unlink(self.at(name), dir_fd=self.fd)

    def replace(self, name: str, folder: "Directory", new: str) -> None:
        """Move a file to another folder, atomically, and replace a file there."""
        os.replace(self.at(name), folder.at(new), src_dir_fd=self.fd, dst_dir_fd=folder.fd)

    def link(self, name: str, folder: "Directory", new: str) -> None:
        """Make a hard link to a file in another folder."""
        os.link(self.at(name), folder.at(new), src_dir_fd=self.fd, dst_dir_fd=folder.fd, follow_symlinks=False)

    def scan(self) -> Iterator["os.DirEntry[str]"]:
        """Yield the entries of the folder."""
        fd = None if self.fd is None else os.open(".", os.O_RDONLY | _ANY, dir_fd=self.fd)
        try:
            with os.scandir(self.path if fd is None else fd) as entries:
                yield from entries
        finally:
            if fd is not None:
                os.close(fd)

    def close(self) -> None:
        """Close the folder. Idempotent."""
        if self.fd is not None and self.fd >= 0:
            os.close(self.fd)
            self.fd = -1  # not None: names would be resolved from the root then

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def at(self, name: str) -> str:
        """Return the path of a file of this folder for functions of `os` that are called with `dir_fd=fd`."""
        return name if self.fd is not None else f"{self.path}/{name}"
