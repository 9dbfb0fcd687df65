"""Artifacts: the files that jobs store."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ...core.resumable_body import ResumableBody
from ...core.session import Session
from ...endpoints.artifacts import Artifacts
from ..layout import JobRef
from ..ledger.records import QueuedArtifact
from .source import FileList


class ArtifactSource:
    """The artifacts of a job, from its list and their storage."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._artifacts = Artifacts(session)

    def files(self, job: JobRef) -> FileList:
        """Return the artifacts of a job."""
        return FileList(self._artifacts.list(job.project, job.number).empty_if_missing())

    @asynccontextmanager
    async def open(
        self, file: QueuedArtifact, *, offset: int = 0, etag: str | None = None
    ) -> AsyncGenerator[ResumableBody]:
        """Return the bytes of an artifact."""
        body = ResumableBody(self._session, file.url, offset=offset, etag=etag)
        try:
            yield body
        finally:
            body.close()
