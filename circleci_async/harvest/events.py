"""What a harvest tells while it is at work."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from attrs import frozen

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
    """Base of all that a harvest tells to `on_progress`."""


@frozen(kw_only=True)
class JobListed(HarvestEvent):
    """The artifacts of a job are known."""

    project: str
    pipeline: int
    workflow: str
    job: str
    number: int
    found: int
    """Artifacts that are to be fetched."""
    skipped: int
    """Artifacts that are there already."""


@frozen(kw_only=True)
class FileAdvanced(HarvestEvent):
    """More of an artifact has come; the first one says that it has begun."""

    project: str
    job: int
    node: int
    path: str
    received: int
    """Bytes so far; it goes back if a download must start over."""
    size: int | None
    """Bytes in all, or None if the server did not say."""


@frozen(kw_only=True)
class FileDone(HarvestEvent):
    """An artifact stands under its name."""

    project: str
    job: int
    node: int
    path: str
    target: str
    """Where it is, below the destination."""
    size: int


@frozen(kw_only=True)
class FileFailed(HarvestEvent):
    """An artifact could not be had."""

    project: str
    job: int
    node: int
    path: str
    error: Exception
    is_final: bool
    """False if it is tried again in this run."""


@frozen(kw_only=True)
class ListingFailed(HarvestEvent):
    """A list could not be walked to its end."""

    project: str
    kind: str
    """`pipelines`, `workflows`, `jobs` or `artifacts`."""
    name: str
    """Of what."""
    error: Exception


@frozen(kw_only=True)
class Throttled(HarvestEvent):
    """The server said that it has had enough (429), and nothing is sent for a while."""

    seconds: float


@frozen(kw_only=True)
class HarvestProgress(HarvestEvent):
    """All numbers so far; told a few times a second, and once more at the end."""

    found: int
    """Artifacts that this run asked for, as far as it knows: done, skipped, failed and waiting."""
    done: int
    """Files that this run has fetched; those of a job whose list still comes get their names when it has come."""
    skipped: int
    """Files that were there already."""
    failed: int
    """Artifacts and lists that could not be had."""
    bytes: int
    """Of the files that are done."""
    received: int
    """Bytes that have come, those of unfinished files included."""
    seconds: float
    """Since the run began."""
    speed: float
    """Bytes per second, of late."""
    seconds_left: float | None
    """Until the end, by the pace of late; None as long as artifacts are still being found, or nothing moves."""
    is_finding: bool
    """Whether artifacts are still being found."""
    paused: float
    """Seconds for which the server held everything back (429)."""


OnHarvestEvent: TypeAlias = Callable[[HarvestEvent], Awaitable[object] | object]
"""A function, plain or async. A plain one is called in a thread of its own."""
