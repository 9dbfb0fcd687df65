"""What the caller and the workers send each other, through the scheduler. Without secrets, unless `token` is set."""

from typing import NamedTuple

from attrs import field, frozen

from ...core.retry import RetryPolicy
from ...core.state import SharedSettings
from ..ledger.records import QueuedArtifact
from ..sources.sources import SourceOptions


@frozen
class ClientSpec:
    """The client that a worker's process uses. It keeps one for each spec."""

    settings: SharedSettings
    timeout: float
    min_speed: float | None
    retry: RetryPolicy
    concurrency: int
    """Files that the process fetches at a time."""
    is_anonymous: bool
    """Whether the caller has no token, so that the worker needs none."""
    token: str | None = field(default=None, repr=False)
    """None: the worker finds its own."""


@frozen
class Target:
    """Where the files are stored: in a bucket, or in a folder that caller and workers share."""

    url: str | None
    """The URL of the bucket."""
    folder: str
    """The folder of the harvest."""
    marker: str
    """The name of a file that exists among the folder's partial files as long as the caller uses the workers."""
    checks_first: bool
    """Whether objects are looked for before they are put."""
    min_free: int


@frozen
class Batch:
    """Files that one task fetches. `max_bytes`: the most bytes that they may have together."""

    client: ClientSpec
    sources: SourceOptions
    target: Target
    artifacts: tuple[QueuedArtifact, ...]
    max_bytes: int | None


class FileResult(NamedTuple):
    """The result for one file: it is stored, failed, or needs more bytes than the batch had left."""

    id: int
    size: int = 0
    sha256: str = ""
    etag: str | None = None
    error: Exception | None = None
    needs: int = 0
    scrubbed: tuple[tuple[str, int], ...] = ()


class BatchResult(NamedTuple):
    """The results of a batch. `error`: why no file of it was fetched.

    `requests` and `received` (bytes) are what the process counted since its previous result.
    """

    worker: str
    files: tuple[FileResult, ...] = ()
    requests: int = 0
    received: int = 0
    error: Exception | None = None
    nonce: str = ""
    """Part of the names of the files in a shared folder."""
