"""The paths of artifacts below a folder. Builds choose the names, so they are untrusted input."""

import itertools
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from ..core.arguments import local_path
from ..errors import DownloadError, UnsafePath
from ..models.artifacts import Artifact
from ..untrusted_text import MAX_SHOWN, quoted, shown

MAX_NAME = 255
"""Bytes that file systems allow in a name."""

MAX_LENGTH = 8 * 1024
"""Characters of an artifact's path: more than systems accept, so that work per path stays small."""

_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def checked_parts(path: str) -> tuple[str, ...]:
    """Split an artifact's path into names; raises `UnsafePath` for one that could leave the destination."""
    parts = tuple(path.split("/"))
    if len(path) > MAX_LENGTH:
        reason = f"it has more than {MAX_LENGTH} characters"
    elif _CONTROL.search(path):
        reason = "it contains a control character"
    elif not _is_text(path):
        reason = "it is not valid Unicode text"
    elif "\\" in path:
        reason = "it contains a backslash, which separates folders on Windows"
    elif path.startswith("/"):
        reason = "it is absolute"
    elif any(_DRIVE.match(part) for part in parts):  # on Windows `folder / "C:"` is not below the folder
        reason = "it contains a drive letter"
    elif any(part.rstrip(" ") in {"", ".", ".."} for part in parts):  # Windows drops spaces at the end
        reason = "it contains an empty name, '.' or '..'"
    elif any(len(part.encode()) > MAX_NAME for part in parts):
        reason = f"it contains a name of more than {MAX_NAME} bytes"
    else:
        return parts
    raise UnsafePath(f"artifact path {quoted(path, MAX_SHOWN)} refused: {reason}")


class Destination:
    """Assigns each artifact a unique path below `root`.

    Node 0 goes to `root/PATH`, node N (of a job with parallelism) to `root/node-N/PATH`. Names that collide,
    also on case-insensitive file systems, get `~2`, `~3` and so on before their suffix, in order of arrival.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root: Path = local_path("folder", root)
        self._root = self.root.as_posix()
        self._entries: dict[str, dict[str, str]] = {}
        self._files: set[str] = set()
        self._folders: dict[tuple[str, str], str] = {}
        self._numbers = NextNumbers()

    def place(self, artifact: Artifact) -> Path:
        """Return the path for an artifact, and create its folder. No other artifact gets the same path.

        Raises `UnsafePath` for a path that could leave the destination, and `DownloadError` if the folder cannot be
        created.
        """
        parts = checked_parts(artifact.path)
        if artifact.node_index:
            parts = (f"node-{artifact.node_index}", *parts)
        folder = self._root
        try:
            if not self._entries:  # the first artifact
                self.root.mkdir(parents=True, exist_ok=True)
            for name in parts[:-1]:
                folder = self._folder(folder, name)
            file = self._claim(folder, parts[-1])
        except OSError as error:
            raise DownloadError(
                f"{shown(artifact.path)}: cannot be placed in {self.root}: {error.strerror or error}"
            ) from error
        self._files.add(file)
        return Path(file)

    def _folder(self, parent: str, name: str) -> str:
        key = (parent, name)
        if key not in self._folders:
            folder = self._claim(parent, name, is_folder=True)
            if Path(folder).is_symlink():
                try:  # the real path, so that its files cannot be claimed twice
                    folder = (self.root / Path(folder).resolve().relative_to(self.root.resolve())).as_posix()
                except ValueError:
                    raise UnsafePath(f"{folder} refused: it is a link to a folder outside of {self.root}") from None
            Path(folder).mkdir(exist_ok=True)
            self._folders[key] = folder
        return self._folders[key]

    def _claim(self, parent: str, name: str, *, is_folder: bool = False) -> str:
        entries = self._listing(parent)
        for candidate in self._numbers.candidates(parent, name):
            path, key = f"{parent}/{candidate}", fold(candidate)
            if key not in entries or self._is_free(path, candidate == entries[key], is_folder=is_folder):
                entries[key] = candidate
                return path
        raise AssertionError("the candidates are infinite")

    def _is_free(self, path: str, is_same: bool, *, is_folder: bool) -> bool:
        """Return whether an existing name may be used. `is_same`: it does not differ by case."""
        if not is_same or path in self._files:
            return False
        return Path(path).is_dir() == is_folder or not os.path.lexists(path)

    def _listing(self, folder: str) -> dict[str, str]:
        """Return the names in a folder by their case-folded form; cached."""
        if folder not in self._entries:
            with os.scandir(folder) as entries:
                self._entries[folder] = {fold(entry.name): entry.name for entry in entries}
        return self._entries[folder]


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def fold(name: str) -> str:
    """Return the key under which two names are equal by Unicode's canonical caseless matching."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def numbered(name: str, start: int = 1) -> Iterator[str]:
    """Yield a name, then the alternatives if it is taken: `a~2.txt`, `a~3.txt` and so on. `start`: skip the first."""
    if start == 1:
        yield name
    stem, dot, suffix = name.partition(".") if not name.startswith(".") else (name, "", "")
    for count in itertools.count(max(start, 2)):
        yield f"{stem}~{count}{dot}{suffix}"


class NextNumbers:
    """Continues the numbers of equal names in a folder, so that numbering many takes linear time."""

    def __init__(self) -> None:
        self._next: dict[tuple[object, str], int] = {}

    def candidates(self, folder: object, name: str) -> Iterator[str]:
        """Yield a name, then its numbered alternatives that were not yielded for an equal name. Use the last one."""
        yield name
        key = (folder, fold(name))
        start = self._next.get(key, 2)
        for count, candidate in enumerate(numbered(name, start), start + 1):
            self._next[key] = count
            yield candidate
