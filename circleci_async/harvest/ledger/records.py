"""The records that the parts of a harvest pass to each other."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ...models.jobs import JobStatus
from ..kinds import HarvestKind
from .values import valid_text

FILE_TABLES: Final = (
    "artifacts JOIN jobs ON jobs.id = job"
    " LEFT JOIN pipelines ON pipelines.project = jobs.project AND pipelines.number = jobs.pipeline"
)

FILE_COLUMNS: Final = (
    "target, size, sha256, etag, finished, jobs.project, pipeline, workflow, name, jobs.number, node, path, url,"
    " pipelines.id, created, branch, tag, revision, jobs.kind"
)
"""The columns of a finished file, with its job and its pipeline, in `FILE_TABLES`."""


class QueuedArtifact(NamedTuple):
    """A file that is pending download: an artifact, or a file of another kind."""

    id: int
    position: int
    attempts: int
    project: str
    job: int
    node: int
    path: str
    url: str
    target: str | None
    size: int | None
    etag: str | None
    kind: HarvestKind = "artifacts"


class FetchedArtifact(NamedTuple):
    """A downloaded artifact. Its bytes are in `content` or, if that is None, in its complete partial file."""

    artifact: QueuedArtifact
    content: bytes | None
    size: int
    sha256: str
    etag: str | None
    scrubbed: tuple[tuple[str, int], ...] = ()
    """How many secrets were replaced, by the name of their pattern."""

    def with_sha256(self) -> "FetchedArtifact":
        """Return it with the checksum of its content, which must be in memory."""
        return self._replace(sha256=hashlib.sha256(self.content or b"").hexdigest())


class CommitResult(NamedTuple):
    """The result of committing a downloaded artifact.

    Without target and error, the file gets its name once the artifact list of its job is complete.
    """

    artifact: QueuedArtifact
    size: int
    target: str | None
    error: Exception | None = None


class Recorded(NamedTuple):
    """The result of recording a job, or a page of its artifacts: how many were queued, already present, or refused."""

    is_first_visit: bool = True
    """Whether this run records the job for the first time."""
    is_complete: bool = False
    """Whether the ledger holds all artifacts of the job, so that they need not be listed again."""
    discovered: int = 0
    skipped: int = 0
    failed: int = 0


class ListedJob(NamedTuple):
    """A job in the list of its workflow."""

    number: int
    name: str
    status: JobStatus


class Listing(NamedTuple):
    """A list of the API, and what is needed to read it again in a later run."""

    kind: str
    project: str
    key: str
    name: str
    detail: Sequence[Any]
    error: str | None = None

    @property
    def id(self) -> tuple[str, str, str]:
        """The columns that identify the list within a selection."""
        return self.kind, self.project, valid_text(self.key)
