"""The files of a destination: finished ones under their names, partial ones in a hidden folder. Plain blocking work."""

import hashlib
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import UnsafePath

PARTS_NAME = ".harvest.parts"

_FOLDERS_KEPT = 4096
_PIECE = 1024 * 1024


class Tree:
    """What is below `root`. A partial file has the number of its artifact in the ledger: `.harvest.parts/.17.part`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = os.path.realpath(root)
        self._parts = f"{self._root}/{PARTS_NAME}"
        self._known: OrderedDict[str, None] = OrderedDict()

    def make(self) -> None:
        """Make the folder of partial files."""
        os.makedirs(self._parts, exist_ok=True)

    def part(self, number: int) -> str:
        """Return the path of an artifact's partial file."""
        return f"{self._parts}/.{number}.part"

    def has_part(self, number: int) -> bool:
        """Say whether an artifact has a partial file."""
        return os.path.exists(self.part(number))

    def parts(self) -> Iterator[tuple[int, str]]:
        """Yield what stands in the folder of partial files: number and path; -1 for what is nobody's."""
        with os.scandir(self._parts) as entries:
            for entry in entries:
                number = entry.name.removeprefix(".").removesuffix(".part")
                yield int(number) if entry.name == f".{number}.part" and number.isdecimal() else -1, entry.path

    def path(self, target: str) -> str:
        """Return the path of a place in the tree."""
        return f"{self._root}/{target}"

    def size(self, target: str) -> int | None:
        """Return the size of a finished file; None if none stands there."""
        try:
            status = os.lstat(self.path(target))
        except OSError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def settle(self, number: int, target: str, twin: str | None = None) -> None:
        """Give a partial file its final name, in one step; with `twin`, by a link to that file of the same content."""
        part, path = self.part(number), self.path(target)
        self._make_folder(target)
        if twin is not None and self._link(twin, part + ".link", path):
            os.unlink(part)
            return
        try:
            os.replace(part, path)
        except FileNotFoundError:  # somebody has taken the folder away meanwhile
            self._known.clear()
            self._make_folder(target)
            os.replace(part, path)

    def _link(self, twin: str, link: str, path: str) -> bool:
        try:
            with suppress(FileNotFoundError):
                os.unlink(link)
            os.link(self.path(twin), link, follow_symlinks=False)
        except OSError:  # not on this file system, too many links, or the twin is gone
            return False
        try:
            os.replace(link, path)
        finally:
            with suppress(FileNotFoundError):  # to rename one name of a file to another name of it does nothing
                os.unlink(link)
        return True

    def _make_folder(self, target: str) -> None:
        whole = target.rpartition("/")[0]
        if whole in self._known:
            return
        folder = self._root
        for name in whole.split("/"):
            folder = f"{folder}/{name}"
            try:
                os.mkdir(folder)
            except FileExistsError:
                if os.path.islink(folder):  # it may lead out of the tree, or to where another artifact stands
                    raise UnsafePath(f"{folder} refused: it is a link") from None
        self._known[whole] = None
        if len(self._known) > _FOLDERS_KEPT:
            self._known.popitem(last=False)

    def files(self) -> Iterator[str]:
        """Yield every place that holds something finished: whatever has no name that begins with a dot."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            with os.scandir(os.path.join(self._root, *folder.split("/"))) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    place = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(place)
                    else:
                        yield place


def checksum(path: str) -> tuple[int, str]:
    """Read a file and return its size and SHA-256 in hex."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            size += len(piece)
            digest.update(piece)
    return size, digest.hexdigest()
