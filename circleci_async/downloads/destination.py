"""The paths of artifacts below a folder. Builds choose the names, so they are untrusted input."""

import itertools
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ..core.arguments import local_path
from ..errors import DownloadError, UnsafePath
from ..models.artifacts import Artifact
from ..untrusted_text import MAX_SHOWN, is_valid_unicode, quoted, shown
from .part_file import MAX_ADDED, has_ranges, remove_abandoned, stem, target_stem

MAX_NAME = 255
"""Bytes that file systems allow in a name."""

MAX_LENGTH = 8 * 1024
"""Characters of an artifact's path: more than systems accept, so that work per path stays small."""

MAX_PATH = 4096
"""Bytes that the path of a file must stay below, where the system does not state a limit."""

_PLAIN = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.%+~=@-]{0,200}(?:/|$))+(?<!/)")
"""Paths that need no further check: most of them."""

_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def checked_parts(path: str) -> tuple[str, ...]:
    """Split an artifact's path into names; raises `UnsafePath` for one that could leave the destination."""
    parts = tuple(path.split("/"))
    if len(path) > MAX_LENGTH:
        reason = f"it has more than {MAX_LENGTH} characters"
    elif _PLAIN.fullmatch(path):
        return parts
    elif _CONTROL.search(path):
        reason = "it contains a control character"
    elif not is_valid_unicode(path):
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


def max_path(root: str | os.PathLike[str]) -> int:
    """Return how many bytes a path below `root` must stay below."""
    try:
        return os.pathconf(root, "PC_PATH_MAX")
    except (AttributeError, OSError, ValueError):  # Windows, or the folder does not exist yet
        return MAX_PATH


class Destination:
    """Assigns each artifact a unique path below `root`.

    Node 0 goes to `root/PATH`, node N (of a job with parallelism) to `root/node-N/PATH`. Names that collide,
    also on case-insensitive file systems, get `~2`, `~3` and so on before their suffix, in order of arrival.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root: Path = local_path("folder", root)
        self._root = self.root.as_posix()
        self._max_path = max_path(self._root)
        self._entries: dict[str, dict[str, str]] = {}
        self._files: set[str] = set()
        self._folders: dict[tuple[str, str], str] = {}
        self._numbers = NextNumbers()
        self._abandoned: dict[str, dict[str, list[str]]] = {}
        """The partial files that were in a folder before, by folder and stem of the target."""
        self._resumable: dict[str, str] = {}
        """The ones among them with ranges of a large file, by the path of the file."""
        self._created: list[tuple[tuple[str, str], str]] = []
        """The folders that were created for the current artifact, and their keys in `_folders`."""

    def place(self, artifact: Artifact) -> Path:
        """Return the path for an artifact, and create its folder. No other artifact gets the same path.

        Deletes partial files that a killed process left for the same target, except one that `left` returns. Raises
        `UnsafePath` for a path that could leave the destination, and `DownloadError` if the folder cannot be created;
        new folders are deleted then.
        """
        parts = checked_parts(artifact.path)
        if artifact.node_index:
            parts = (f"node-{artifact.node_index}", *parts)
        self._check_length(artifact, parts)
        folder = self._root
        self._created.clear()
        try:
            if not self._entries:  # the first artifact
                self.root.mkdir(parents=True, exist_ok=True)
            for name in parts[:-1]:
                folder = self._folder(folder, name)
            file = self._claim(folder, parts[-1])
            self._remove_abandoned(folder, file)
        except OSError as error:
            self._forget_created()
            raise DownloadError(
                f"{shown(artifact.path)}: cannot be placed in {self.root}: {error.strerror or error}"
            ) from error
        self._files.add(file)
        return Path(file)

    def left(self, file: Path) -> str | None:
        """Return the path of the partial file that a killed process left for a placed file, if it can be continued."""
        return self._resumable.pop(file.as_posix(), None)

    def _check_length(self, artifact: Artifact, parts: Sequence[str]) -> None:
        length = len(os.fsencode("/".join((self._root, *parts)))) + MAX_ADDED
        if length >= self._max_path:
            raise DownloadError(
                f"{shown(artifact.path)}: cannot be placed in {self.root}: the path would have more than"
                f" {self._max_path - 1} bytes: choose a folder with a shorter path"
            )

    def _remove_abandoned(self, folder: str, file: str) -> None:
        if abandoned := self._abandoned.get(folder):
            for name in abandoned.pop(stem(file.rpartition("/")[2]), ()):
                part = f"{folder}/{name}"
                if file not in self._resumable and has_ranges(part):
                    self._resumable[file] = part
                else:
                    remove_abandoned(part)

    def _forget_created(self) -> None:
        """Delete the folders that were created for an artifact that cannot be placed."""
        for key, folder in reversed(self._created):
            self._folders.pop(key, None)
            with suppress(OSError):
                Path(folder).rmdir()
                parent, _, name = folder.rpartition("/")
                self._listing(parent).pop(fold(name), None)

    def _folder(self, parent: str, name: str) -> str:
        key = (parent, name)
        if key not in self._folders:
            folder = self._claim(parent, name, is_folder=True)
            if Path(folder).is_symlink():
                try:  # the real path, so that its files cannot be claimed twice
                    folder = (self.root / Path(folder).resolve().relative_to(self.root.resolve())).as_posix()
                except ValueError:
                    raise UnsafePath(f"{folder} refused: it is a link to a folder outside of {self.root}") from None
            with suppress(FileExistsError):
                Path(folder).mkdir()
                self._created.append((key, folder))
            self._folders[key] = folder
        elif Path(self._folders[key]).is_symlink():  # swapped meanwhile
            raise UnsafePath(f"{self._folders[key]} refused: it is a link now, which is not followed: delete it")
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
                names = [entry.name for entry in entries]
            self._entries[folder] = {fold(name): name for name in names}
            abandoned = self._abandoned[folder] = {}
            for name in names:
                if name.endswith(".part") and (target := target_stem(name)) is not None:
                    abandoned.setdefault(target, []).append(name)
        return self._entries[folder]


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
