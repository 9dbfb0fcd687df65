"""Where artifacts go in the tree. Pure: the same artifacts go to the same places, in whatever order they were found."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from string import Formatter
from typing import Final, NamedTuple
from urllib.parse import quote

from ..downloads.destination import MAX_NAME, fold, numbered
from ..errors import InvalidArgument

DEFAULT_LAYOUT: Final = "{project}/{pipeline}/{workflow}/{job}-{number}/{node}/{path}"

FIELDS: Final = ("project", "pipeline", "workflow", "job", "number", "node", "path")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\%:*?"<>|]|^\.|[. ]$')


class Place(NamedTuple):
    """The job that artifacts belong to, as the template sees it."""

    project: str
    pipeline: int
    workflow: str
    job: str
    number: int


class Layout:
    """A template such as the default one, read and checked.

    Raises `InvalidArgument` for a template by which two artifacts could be one file.
    """

    def __init__(self, template: str = DEFAULT_LAYOUT) -> None:
        self.template = template
        self._folders, last = self._split(template)
        named = [name for segment in self._folders for name in _names(segment)]
        if last != "{path}" or "path" in named:
            raise self._wrong("its last part must be {path}, alone")
        if missing := {"number", "node"} - set(named):
            raise self._wrong(f"without {' and '.join(sorted(f'{{{name}}}' for name in missing))} files would collide")
        self.tells_projects_apart = "project" in named

    def _split(self, template: str) -> tuple[list[str], str]:
        if type(template) is not str:
            raise self._wrong("it must be text")
        *folders, last = template.split("/")
        for segment in folders:
            try:
                known = set(_names(segment)) <= set(FIELDS)
            except ValueError:
                known = False
            if not known:
                raise self._wrong(f"there is {', '.join(f'{{{name}}}' for name in FIELDS)}")
            if not segment or segment.startswith("."):
                raise self._wrong("a folder can't be empty, and names that begin with a dot are the harvest's own")
            if _CONTROL.search(segment):
                raise self._wrong("it holds a backslash or a control character")
            if "project" in _names(segment) and segment != "{project}":
                raise self._wrong("{project} must be a part of its own, for it becomes several folders")
        return folders, last

    def _wrong(self, reason: str) -> InvalidArgument:
        return InvalidArgument(f"layout={self.template!r}: {reason}; the default is {DEFAULT_LAYOUT!r}")

    def folders(self, place: Place, node: int | None) -> list[str]:
        """Return the folders of a job, of one of its nodes or (None) of the only one."""
        values = {
            "pipeline": str(place.pipeline),
            "workflow": safe_name(place.workflow),
            "job": safe_name(place.job),
            "number": str(place.number),
            "node": str(node or 0),
        }
        folders: list[str] = []
        for segment in self._folders:
            if segment == "{project}":
                folders += [safe_name(name) for name in place.project.split("/")]
            elif node is not None or _names(segment) != ["node"]:
                folders.append(_fitting(segment.format_map(values)))
        return folders


def safe_name(name: str) -> str:
    """Return the name of a workflow or job as one name of a folder: what can't be in one is quoted as `%2F`."""
    return _fitting(_UNSAFE.sub(lambda found: quote(found[0], safe="").replace(".", "%2E"), name)) or "%20"


class Placer:
    """Gives the artifacts of one job their places, as paths with slashes.

    `taken` are the places that are given already. `has_nodes`: whether there are artifacts of more than one node. Given
    in order of node and path, the same artifacts always get the same places. Names that would collide, also where a
    file system does not tell upper case from lower, get `~2`, `~3` and so on.
    """

    def __init__(self, layout: Layout, job: Place, *, has_nodes: bool, taken: Iterable[str] = ()) -> None:
        self._layout = layout
        self._job = job
        self._has_nodes = has_nodes
        self._names: dict[str, dict[str, str | None]] = {}
        """By folder and by what names have in common that collide: the folder of such a name; None for a file."""
        self._inside: dict[tuple[str, str], str] = {}
        self._folders: dict[tuple[int, str], str] = {}
        for target in taken:
            inner, _, name = target.rpartition("/")
            self._claim(self._folder(inner.split("/")), name)

    def place(self, node: int, path: str) -> str:
        """Return the place of an artifact whose path is harmless."""
        inner, _, name = path.rpartition("/")
        folder = self._folders.get((node, inner))
        if folder is None:
            names = self._layout.folders(self._job, node if self._has_nodes else None)
            names += map(_undotted, inner.split("/") if inner else ())
            folder = self._folders[node, inner] = self._folder(names)
        return f"{folder}/{self._claim(folder, _undotted(name))}"

    def _folder(self, names: Iterable[str]) -> str:
        """Return the folder by these names; one of them is another if a file has it."""
        parent = ""
        for name in names:
            folder = self._inside.get((parent, name))
            if folder is None:
                claimed = self._claim(parent, name, is_folder=True)
                folder = self._inside[parent, name] = f"{parent}/{claimed}" if parent else claimed
            parent = folder
        return parent

    def _claim(self, parent: str, name: str, *, is_folder: bool = False) -> str:
        names = self._names.setdefault(parent, {})
        for candidate in _candidates(name):
            key = fold(candidate)
            if key not in names or (is_folder and names[key] == candidate == name):
                names[candidate if key == candidate else key] = candidate if is_folder else None
                return candidate
        raise AssertionError("names never end")


def _candidates(name: str) -> Iterator[str]:
    return (_fitting(candidate) for candidate in numbered(name))


def _names(segment: str) -> list[str]:
    names: list[str] = []
    for _, name, form, conversion in Formatter().parse(segment):
        if name is not None:
            if form or conversion:
                raise ValueError(segment)
            names.append(name)
    return names


def _undotted(name: str) -> str:
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _fitting(name: str) -> str:
    """Shorten a name that is too long for file systems; what was cut off lives on as a checksum."""
    if len(name) <= MAX_NAME // 4 or len(name.encode()) <= MAX_NAME:
        return name
    mark = f"~{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name.encode()[: MAX_NAME - len(mark)].decode("utf-8", "ignore") + mark
