"""What each kind of source provides."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from attrs import define

from ...core.paging import Paged
from ...models.artifacts import Artifact
from ..layout import JobRef
from ..ledger.records import QueuedArtifact
from .body import Body


@define
class FileList:
    """The files of a job: path, node and address of each. None if the API does not know the job."""

    paged: Paged[Artifact]
    is_growing: bool = False
    """Whether CircleCI has not recorded all of the job yet, known after the iteration."""


class Source(Protocol):
    """One kind of files."""

    def files(self, job: JobRef) -> FileList:
        """Return the files of a job."""
        ...

    def open(
        self, file: QueuedArtifact, *, offset: int = 0, etag: str | None = None
    ) -> AbstractAsyncContextManager[Body]:
        """Return the bytes of a file, from `offset` on if the version `etag` can be resumed.

        Everything needed is in the row of the queue, so that another process can read the file.
        """
        ...
