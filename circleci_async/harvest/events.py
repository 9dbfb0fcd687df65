"""The events of a harvest, passed to `on_progress`."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from attrs import frozen

from .kinds import HarvestKind

__all__ = [
    "FileAdvanced",
    "FileDone",
    "FileFailed",
    "HarvestEvent",
    "HarvestProgress",
    "JobListed",
    "ListingFailed",
    "OnHarvestEvent",
    "Throttled",
]


@frozen(kw_only=True)
class HarvestEvent:
    """Base class of all events."""


@frozen(kw_only=True)
class JobListed(HarvestEvent):
    """The files of a job are listed, of one kind."""

    project: str
    pipeline: int
    workflow: str
    job: str
    number: int
    discovered: int
    """Files to download."""
    skipped: int
    """Files that already exist."""
    kind: HarvestKind = "artifacts"


@frozen(kw_only=True)
class FileAdvanced(HarvestEvent):
    """More bytes of an artifact were received; the first event of a file marks its start."""

    project: str
    job: int
    node: int
    path: str
    received: int
    """Bytes so far; decreases if the download starts over."""
    size: int | None
    """Bytes in total, or None if the server does not send a length, as for logs."""
    kind: HarvestKind = "artifacts"


@frozen(kw_only=True)
class FileDone(HarvestEvent):
    """A file is complete and has its final name."""

    project: str
    job: int
    node: int
    path: str
    target: str
    """The path of the file below the destination."""
    size: int
    kind: HarvestKind = "artifacts"


@frozen(kw_only=True)
class FileFailed(HarvestEvent):
    """A download failed, or `on_file` raised an error for a finished file."""

    project: str
    job: int
    node: int
    path: str
    error: Exception
    is_final: bool
    """False if this run will try again."""
    kind: HarvestKind = "artifacts"


@frozen(kw_only=True)
class ListingFailed(HarvestEvent):
    """A list of the API could not be read to the end."""

    project: str
    kind: str
    """`pipelines`, `workflows` or `jobs`; of one job `artifacts`, `logs`, `tests` or `builds`."""
    name: str
    """What the list belongs to."""
    error: Exception


@frozen(kw_only=True)
class Throttled(HarvestEvent):
    """The server answered 429, and the client pauses all requests."""

    seconds: float


@frozen(kw_only=True)
class HarvestProgress(HarvestEvent):
    """All counters so far. Sent several times per second, and once at the end."""

    discovered: int
    """Artifacts that this run selected so far: done, skipped, failed and pending."""
    done: int
    """Files that this run downloaded. While the list of a job is incomplete, its files do not have their names yet."""
    skipped: int
    """Files that already existed."""
    failed: int
    """Artifacts, lists and calls of `on_file` that failed."""
    bytes: int
    """Size of the done files."""
    received: int
    """Bytes received, including those of unfinished files and of the lists of the API."""
    seconds: float
    """Time since the run began."""
    speed: float
    """Bytes of files per second, over the last seconds."""
    seconds_left: float | None
    """Estimated time until the end; None while discovery is running or nothing advances."""
    is_discovering: bool
    """Whether discovery is running."""
    paused: float
    """Seconds for which the client paused all requests after a 429."""
    file_bytes: int = 0
    """Bytes of files received, including those of unfinished ones."""
    pipelines: int = 0
    """Pipelines whose artifacts are all discovered."""
    pipelines_expected: int | None = None
    """Estimate of how many pipelines this run will read; None if there is none."""


OnHarvestEvent: TypeAlias = Callable[[HarvestEvent], Awaitable[object] | object]
"""A function, plain or async. A plain function runs in its own thread."""
