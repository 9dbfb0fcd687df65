"""What the parts of a harvest tell each other."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Wanted(NamedTuple):
    """An artifact that is to be fetched."""

    id: int
    turn: int
    tries: int
    project: str
    job: int
    node: int
    path: str
    url: str
    target: str | None
    size: int | None
    etag: str | None


class Fetched(NamedTuple):
    """An artifact whose bytes are all here: in `content`, or in its partial file."""

    wanted: Wanted
    content: bytes | None
    size: int
    sha256: str
    etag: str | None


class Settled(NamedTuple):
    """What became of a fetched artifact. Without a target it waits for the rest of its job's list."""

    wanted: Wanted
    size: int
    target: str | None
    error: Exception | None = None


class Visit(NamedTuple):
    """What a look at a job, or at a page of its artifacts, brought."""

    is_first: bool = True
    """Whether this run has not been at the job before."""
    is_whole: bool = False
    """Whether its artifacts are all in the ledger, so that they need not be listed again."""
    found: int = 0
    skipped: int = 0
    failed: int = 0


class Unlisted(NamedTuple):
    """A list that could not be walked to its end: its kind, and what it takes to walk it again."""

    kind: str
    project: str
    key: str
    name: str
    detail: Sequence[Any]
    error: str | None
