"""The sources of all kinds, with the options of a harvest."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from attrs import frozen

from ...core.resumable_body import ResumableBody
from ...core.session import Session
from ...endpoints.artifacts import Artifacts
from ..kinds import HarvestKind
from ..layout import JobRef
from ..ledger.records import QueuedArtifact
from .body import Body, FileList, Source
from .builds import BuildSource
from .logs import LogSource
from .patterns import DEFAULTS, Pattern
from .tests import TestSource


@frozen
class SourceOptions:
    """How generated text is written. Can be sent to another process."""

    ansi: bool = False
    """Whether logs keep their escape codes."""
    patterns: Sequence[Pattern] = DEFAULTS
    """What is replaced in logs, tests and builds."""


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


class Sources:
    """Lists the files of jobs, and opens each from its row of the queue. It keeps what several files of a job need."""

    def __init__(self, session: Session, options: SourceOptions) -> None:
        self.options: SourceOptions = options
        patterns = options.patterns
        self._sources: dict[HarvestKind, Source] = {
            "artifacts": ArtifactSource(session),
            "logs": LogSource(session, patterns, ansi=options.ansi),
            "tests": TestSource(session, patterns),
            "builds": BuildSource(session, patterns),
        }

    def files(self, job: JobRef) -> FileList:
        """Return the files of a job, of its `kind`."""
        return self._sources[job.kind].files(job)

    def open(
        self, file: QueuedArtifact, *, offset: int = 0, etag: str | None = None
    ) -> AbstractAsyncContextManager[Body]:
        """Return the bytes of a file; see `Source.open`."""
        return self._sources[file.kind].open(file, offset=offset, etag=etag)
