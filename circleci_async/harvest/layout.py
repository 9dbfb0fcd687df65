"""Assigns paths to artifacts. The same artifacts get the same paths, in any order of discovery."""

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from string import Formatter
from typing import Final, NamedTuple
from urllib.parse import quote

from ..downloads.destination import MAX_NAME, NextNumbers, fold
from ..errors import InvalidArgument
from .kinds import HarvestKind

DEFAULT_LAYOUT: Final = "{project}/{pipeline}/{workflow}/{job}-{number}/{node}/{path}"

FIELDS: Final = (
    *("project", "pipeline", "workflow", "job", "number", "node", "path"),
    *("created_at", "branch", "tag", "revision", "pipeline_id"),
)

MISSING: Final = "none"
"""The folder of a value that a pipeline does not have, such as the branch of a build of a tag."""

MISSING_AFTER_EQUALS: Final = "__HIVE_DEFAULT_PARTITION__"
"""The same after `=`: readers of Hive partitions, such as DuckDB, polars and Spark, read it as null."""

_DIRECTIVES: Final = "aAbBdDfFGHIjmMpSTuUVwWyYzZ%"
"""The directives of strftime that have one meaning on every system."""

_DIRECTIVE = re.compile("%(.?)", re.DOTALL)
_SPLIT_FORMAT = re.compile(r"\{created_at:([^{}]*)\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\%:*?"<>|]|^\.|[. ]$')


class PipelineRef(NamedTuple):
    """What is known about the pipeline of a job, besides its number."""

    id: str | None = None
    created_at: datetime | None = None
    branch: str | None = None
    tag: str | None = None
    revision: str | None = None


class JobRef(NamedTuple):
    """The job that files of one kind belong to, with the fields of the template."""

    project: str
    pipeline: int
    workflow: str
    job: str
    number: int
    origin: PipelineRef = PipelineRef()
    kind: HarvestKind = "artifacts"


class _Field(NamedTuple):
    """A field of a template, after some text; without a name, the text at the end of a folder."""

    text: str
    name: str | None
    format: str


class Layout:
    """A parsed template. Raises `InvalidArgument` if two artifacts could get the same path."""

    def __init__(self, template: str = DEFAULT_LAYOUT) -> None:
        self.template = template
        self._folders, last = self._split(template)
        named = [field.name for folder in self._folders for field in folder]
        if last != "{path}" or "path" in named:
            raise self._error("must end with '/{path}'")
        if missing := {"number", "node"} - set(named):
            fields = " and ".join(sorted(f"{{{name}}}" for name in missing))
            raise self._error(f"must contain {fields}, without which files would collide")
        self.separates_projects: bool = "project" in named

    def _split(self, template: str) -> tuple[list[list[_Field]], str]:
        if type(template) is not str:
            raise self._error("must be a string")
        *folders, last = _SPLIT_FORMAT.sub(_split_format, template).split("/")
        return [self._parse(folder) for folder in folders], last

    def _parse(self, folder: str) -> list[_Field]:
        """Parse one folder of the template."""
        try:
            parsed = list(Formatter().parse(folder))
        except ValueError:
            raise self._unknown_field(folder) from None
        fields = [_Field(text, name, form or "") for text, name, form, _ in parsed]
        for (_, _, _, conversion), (_, name, form) in zip(parsed, fields, strict=True):
            if name is not None and (
                name not in FIELDS or conversion or (form if name != "created_at" else "{" in form)
            ):
                end = f"!{conversion}" * bool(conversion) + f":{form}" * bool(form)
                raise self._unknown_field(f"{{{name}{end}}}")
            if name == "created_at":
                self._check_format(form)
        if not folder or folder.startswith("."):
            raise self._error("must not contain an empty name or one that begins with a dot (reserved)")
        if _CONTROL.search(folder):
            raise self._error("must not contain a backslash or a control character")
        if any(field.name == "project" for field in fields) and folder != "{project}" and not _is_partition(fields):
            raise self._error(
                "must not combine {project} with other text, except after '=' as in 'project={project}': it becomes"
                " several folders"
            )
        return fields

    def _unknown_field(self, field: str) -> InvalidArgument:
        known = ", ".join("{created_at:FORMAT}" if name == "created_at" else f"{{{name}}}" for name in FIELDS)
        return self._error(f"must use only {known}, not {field!r}")

    def _check_format(self, form: str) -> None:
        if not form:
            raise self._error("must contain a format in {created_at:FORMAT}, such as {created_at:%Y-%m-%d}")
        for found in _DIRECTIVE.finditer(form):
            if not found[1] or found[1] not in _DIRECTIVES:
                known = " ".join(f"%{letter}" for letter in _DIRECTIVES)
                raise self._error(f"must not contain {found[0]!r} in {{created_at:{form}}}: use {known}")

    def _error(self, rule: str) -> InvalidArgument:
        return InvalidArgument(f"layout {rule}, got {self.template!r}; the default is {DEFAULT_LAYOUT!r}")

    def folders(self, job: JobRef, node: int | None) -> list[str]:
        """Return the folders of a job's node; None if the job has artifacts of one node only.

        The paths of other kinds of files contain the node: they have no folder for it.
        """
        values = {
            "project": job.project,
            "pipeline": str(job.pipeline),
            "workflow": job.workflow,
            "job": job.job,
            "number": str(job.number),
            "node": str(node or 0),
            "branch": job.origin.branch or None,
            "tag": job.origin.tag or None,
            "revision": job.origin.revision or None,
            "pipeline_id": job.origin.id or None,
        }
        folders: list[str] = []
        for fields in self._folders:
            names = [name for _, name, _ in fields if name is not None]
            if names == ["project"] and not _is_partition(fields):
                folders += [safe_name(name) for name in job.project.split("/")]
            elif names != ["node"] or _is_partition(fields) or (node is not None and job.kind == "artifacts"):
                folders.append(_folder_name(fields, values, job.origin.created_at))
        return folders


def _split_format(found: "re.Match[str]") -> str:
    """Write a format with slashes as several fields: `{created_at:%Y/%m}` is `{created_at:%Y}/{created_at:%m}`."""
    return "/".join(f"{{created_at:{form}}}" for form in found[1].split("/"))


def _is_partition(fields: list[_Field]) -> bool:
    """Return whether a folder is a Hive partition, such as `branch={branch}`: then all its values stay in it."""
    return "=" in fields[0].text


def _folder_name(fields: list[_Field], values: dict[str, str | None], created_at: datetime | None) -> str:
    missing = MISSING_AFTER_EQUALS if _is_partition(fields) else MISSING
    folder = ""
    for text, name, form in fields:
        folder += text
        if name is not None:
            value = _formatted(created_at, form) if name == "created_at" else values[name]
            folder += missing if value is None else safe_name(value)
    return _shorten(folder)


def _formatted(when: datetime | None, form: str) -> str | None:
    """Format a time in UTC. Only the directives are given to strftime, which differs between systems."""
    if when is None:
        return None
    in_utc = when.astimezone(UTC)
    return _DIRECTIVE.sub(lambda found: in_utc.strftime(found[0]), form)


def safe_name(name: str, *, max_bytes: int | None = None) -> str:
    """Return a workflow, job or step name as a file name: characters that are not allowed become `%2F` and so on."""
    return _shorten(_UNSAFE.sub(lambda found: quote(found[0], safe="").replace(".", "%2E"), name), max_bytes) or "%20"


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


def _undotted(name: str) -> str:
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _shorten(name: str, max_bytes: int | None = None) -> str:
    """Shorten a name that is too long for file systems, and append a checksum to keep it unique."""
    max_bytes = MAX_NAME if max_bytes is None else max_bytes
    if len(name) <= max_bytes // 4 or len(name.encode()) <= max_bytes:
        return name
    suffix = f"~{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name.encode()[: max_bytes - len(suffix)].decode("utf-8", "ignore") + suffix
