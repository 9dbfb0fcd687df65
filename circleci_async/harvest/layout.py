"""Assigns paths to artifacts. The same artifacts get the same paths, in any order of discovery."""

import hashlib
import re
from collections.abc import Iterable
from string import Formatter
from typing import Final, NamedTuple
from urllib.parse import quote

from ..downloads.destination import MAX_NAME, NextNumbers, fold
from ..errors import InvalidArgument

DEFAULT_LAYOUT: Final = "{project}/{pipeline}/{workflow}/{job}-{number}/{node}/{path}"

FIELDS: Final = ("project", "pipeline", "workflow", "job", "number", "node", "path")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\%:*?"<>|]|^\.|[. ]$')


class JobRef(NamedTuple):
    """The job that artifacts belong to, with the fields of the template."""

    project: str
    pipeline: int
    workflow: str
    job: str
    number: int


class Layout:
    """A parsed template. Raises `InvalidArgument` if two artifacts could get the same path."""

    def __init__(self, template: str = DEFAULT_LAYOUT) -> None:
        self.template = template
        self._folders, last = self._split(template)
        named = [name for segment in self._folders for name in _names(segment)]
        if last != "{path}" or "path" in named:
            raise self._error("must end with '/{path}'")
        if missing := {"number", "node"} - set(named):
            fields = " and ".join(sorted(f"{{{name}}}" for name in missing))
            raise self._error(f"must contain {fields}, without which files would collide")
        self.separates_projects: bool = "project" in named

    def _split(self, template: str) -> tuple[list[str], str]:
        if type(template) is not str:
            raise self._error("must be a string")
        *folders, last = template.split("/")
        for segment in folders:
            try:
                known = set(_names(segment)) <= set(FIELDS)
            except ValueError:
                known = False
            if not known:
                raise self._error(f"must use only {', '.join(f'{{{name}}}' for name in FIELDS)}")
            if not segment or segment.startswith("."):
                raise self._error("must not contain an empty name or one that begins with a dot (reserved)")
            if _CONTROL.search(segment):
                raise self._error("must not contain a backslash or a control character")
            if "project" in _names(segment) and segment != "{project}":
                raise self._error("must not combine {project} with other text: it becomes several folders")
        return folders, last

    def _error(self, rule: str) -> InvalidArgument:
        return InvalidArgument(f"layout {rule}, got {self.template!r}; the default is {DEFAULT_LAYOUT!r}")

    def folders(self, job: JobRef, node: int | None) -> list[str]:
        """Return the folders of a job's node; None if the job has artifacts of one node only."""
        values = {
            "pipeline": str(job.pipeline),
            "workflow": safe_name(job.workflow),
            "job": safe_name(job.job),
            "number": str(job.number),
            "node": str(node or 0),
        }
        folders: list[str] = []
        for segment in self._folders:
            if segment == "{project}":
                folders += [safe_name(name) for name in job.project.split("/")]
            elif node is not None or _names(segment) != ["node"]:
                folders.append(_shorten(segment.format_map(values)))
        return folders


def safe_name(name: str) -> str:
    """Return a workflow or job name as a folder name: characters that are not allowed become `%2F` and so on."""
    return _shorten(_UNSAFE.sub(lambda found: quote(found[0], safe="").replace(".", "%2E"), name)) or "%20"


class PathAllocator:
    """Allocates unique paths for the artifacts of one job.

    `taken`: paths allocated earlier. `has_nodes`: whether there are artifacts of more than one node. In order of node
    and path, the same artifacts always get the same paths. Colliding names, and names that differ only in case, get
    `~2`, `~3` and so on.
    """

    def __init__(self, layout: Layout, job: JobRef, *, has_nodes: bool, taken: Iterable[str] = ()) -> None:
        self._layout = layout
        self._job = job
        self._has_nodes = has_nodes
        self._names: dict[str, dict[str, str | None]] = {}
        """By folder, then by case-folded name: the folder of that name; None for a file."""
        self._numbers = NextNumbers()
        self._inside: dict[tuple[str, str], str] = {}
        self._folders: dict[tuple[int, str], str] = {}
        for target in taken:
            inner, _, name = target.rpartition("/")
            self._claim(self._folder(inner.split("/")), name)

    def allocate(self, node: int, path: str) -> str:
        """Return the path of an artifact, whose own path must be safe."""
        inner, _, name = path.rpartition("/")
        folder = self._folders.get((node, inner))
        if folder is None:
            names = self._layout.folders(self._job, node if self._has_nodes else None)
            names += map(_undotted, inner.split("/") if inner else ())
            folder = self._folders[node, inner] = self._folder(names)
        return f"{folder}/{self._claim(folder, _undotted(name))}"

    def _folder(self, names: Iterable[str]) -> str:
        """Return the folder with these names, numbered where a file has the name."""
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
        for candidate in map(_shorten, self._numbers.candidates(parent, name)):
            key = fold(candidate)
            if key not in names or (is_folder and names[key] == candidate == name):
                names[candidate if key == candidate else key] = candidate if is_folder else None
                return candidate
        raise AssertionError("the candidates are infinite")


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


def _shorten(name: str) -> str:
    """Shorten a name that is too long for file systems, and append a checksum to keep it unique."""
    if len(name) <= MAX_NAME // 4 or len(name.encode()) <= MAX_NAME:
        return name
    suffix = f"~{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name.encode()[: MAX_NAME - len(suffix)].decode("utf-8", "ignore") + suffix
