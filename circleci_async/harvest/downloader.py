"""Downloads one file: a small one into memory, a large one into its partial file, which can be resumed."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from typing import Protocol

from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..downloads.file_threads import INLINE, FileThreads, FileWorker
from ..downloads.part_file import PartFile
from ..downloads.range_receiver import RangeReceiver
from ..errors import CircleCIError, UnsafePath
from .bounds import Bounds, TooLarge
from .destination.parts import PartialFiles
from .ledger.records import FetchedArtifact, QueuedArtifact
from .sources.body import Body, TextBody
from .sources.sources import Sources


class BoundReached(CircleCIError):
    """The artifact would exceed `max_bytes` or fill the disk."""


class VersionLog(Protocol):
    """Records which version a partial file holds."""

    def note_version(self, id: int, etag: str | None, size: int | None) -> Awaitable[None]:
        """Record it, before the file is written."""
        ...


class FileProgress(Protocol):
    """Receives the progress of downloads."""

    def file_advanced(self, artifact: QueuedArtifact, received: int, size: int | None, *, added: int) -> None:
        """Note the received bytes of a download, of which `added` are new."""
        ...


class Downloader:
    """Downloads artifacts, within the bounds, and resumes what an earlier attempt left."""

    def __init__(
        self,
        session: Session,
        sources: Sources,
        queue: VersionLog,
        parts: PartialFiles,
        bounds: Bounds,
        progress: FileProgress,
    ) -> None:
        self._session = session
        self._sources = sources
        self._queue = queue
        self._partial_files = parts
        self._bounds = bounds
        self._progress = progress
        self._threads = session.state.singleton(FileThreads)

    async def download(self, artifact: QueuedArtifact) -> FetchedArtifact:
        """Download one artifact. Raises the errors of a download, `OSError` if writing fails, and `BoundReached`."""
        content = _Content(artifact, self._queue, self._partial_files, FileWorker(self._threads))
        try:
            return await self._download(content)
        except TooLarge as error:
            content.is_kept = error.bound is not None  # others need the space
            raise
        finally:
            await content.close()

    async def _download(self, content: "_Content") -> FetchedArtifact:
        artifact = content.artifact
        if (file := await content.take_over()) is not None:
            return file
        if artifact.etag is not None and await content.resume() == artifact.size:
            return content.fetched(artifact.etag)  # killed after the last byte
        etag = artifact.etag if content.received else None
        async with self._sources.open(artifact, offset=content.received, etag=etag) as body:
            return await self._receive(content, body)

    async def _receive(self, content: "_Content", body: Body) -> FetchedArtifact:
        artifact = content.artifact
        ranges = None
        if isinstance(body, ResumableBody):
            ranges = content.ranges(self._session, body, self._bounds, self._progress)
        admitted = content.received
        async for part in body:
            if part.restarted:
                await content.restart()
            elif ranges is not None and content.file is not None:
                await ranges.keep_version(content.file)
            content.add(part.data)
            expected = max(body.size or 0, content.received)
            if expected > admitted:
                is_growing = body.size is None
                if not self._bounds.admit_bytes(artifact.id, expected - admitted, is_growing=is_growing):
                    raise BoundReached(artifact.path)
                admitted = expected
            self._progress.file_advanced(artifact, content.received, body.size, added=len(part.data))
            if content.is_due:
                self._bounds.wrote(artifact.id, content.pending)
                await content.write(body)
                if ranges is not None and content.file is not None and ranges.is_due(content.file):
                    await ranges.receive(content.file)
                    content.received = body.received
        if content.file is not None or content.pending > INLINE:
            await content.write(body, is_last=True)
            await content.finish()
        file = content.fetched(body.etag)
        return file._replace(scrubbed=body.scrubbed) if isinstance(body, TextBody) else file


class _Content:
    """The received bytes of one artifact: in memory, and in its partial file."""

    def __init__(self, artifact: QueuedArtifact, queue: VersionLog, parts: PartialFiles, worker: FileWorker) -> None:
        self.artifact = artifact
        self.received = 0
        self.pending = 0
        """Bytes in memory."""
        self.is_kept = True
        """Whether a later attempt can resume it."""
        self._queue = queue
        self._partial_files = parts
        self._parts: list[bytes] = []
        self.file: PartFile | None = None
        """The partial file, if there is one."""
        self._worker = worker
        self._noted = (artifact.etag, artifact.size)
        self._is_complete = False

    @property
    def is_due(self) -> bool:
        """Whether enough bytes are in memory to be written, or the partial file has gaps."""
        return self._has_gaps or self._worker.is_due(self.pending, self.received)

    @property
    def _has_gaps(self) -> bool:
        return self.file is not None and self.file.ranges is not None

    def ranges(self, session: Session, body: ResumableBody, bounds: Bounds, progress: FileProgress) -> RangeReceiver:
        """Return what receives a large body over several connections."""

        def advanced(received: int, added: int) -> None:
            progress.file_advanced(self.artifact, received, body.size, added=added)

        wrote = partial(bounds.wrote, self.artifact.id)
        return RangeReceiver(session, body, self._worker, advanced=advanced, wrote=wrote)

    def _open(self) -> PartFile:
        if self.file is None:
            self.file = self._partial_files.open(self.artifact.id)
        return self.file

    async def take_over(self) -> FetchedArtifact | None:
        """Return the artifact if a killed run downloaded it completely."""
        part = self._partial_files.leftovers.pop(self.artifact.id, None)
        if part is None:
            return None
        with suppress(OSError, UnsafePath):
            size, digest = await asyncio.to_thread(self._partial_files.checksum, part)
            if digest == part.sha256:
                return FetchedArtifact(self.artifact, None, size, digest, self.artifact.etag)
        self._partial_files.remove(part)
        return None

    async def resume(self) -> int:
        """Read the partial file that an earlier attempt left, and return its size."""
        if self._partial_files.has(self.artifact.id):
            file = self._open()
            await self._worker.begin(partial(file.resume, self.artifact.size, self.artifact.etag))
            await self._worker.finish()
            self.received = file.size
        return self.received

    def add(self, data: bytes) -> None:
        """Add received bytes."""
        self._parts.append(data)
        self.pending += len(data)
        self.received += len(data)

    async def restart(self) -> None:
        """Discard all received bytes."""
        self._parts, self.pending, self.received = [], 0, 0
        await self._worker.finish()
        if self.file is not None:
            self.file.start_over()

    async def write(self, body: Body, *, is_last: bool = False) -> None:
        """Start writing the bytes in memory. The ledger records their version first, so that two never mix.

        A file that is complete in memory needs no version, unless an earlier one is recorded: it is never resumed.
        """
        version, (noted_etag, _) = (body.etag, body.size), self._noted
        is_whole = is_last and self.file is None and noted_etag is None
        if (body.etag or noted_etag) and version != self._noted and not is_whole:
            await self._worker.finish()
            await self._queue.note_version(self.artifact.id, body.etag, body.size)
            self._noted = version
        await self._worker.begin(partial(self._open().write, self._parts))
        self._parts, self.pending = [], 0

    async def finish(self) -> None:
        """Wait until all is written."""
        await self._worker.finish()

    def fetched(self, etag: str | None) -> FetchedArtifact:
        """Return the complete artifact. Its partial file is marked as complete."""
        self._is_complete = True
        if self.file is None:
            return FetchedArtifact(self.artifact, b"".join(self._parts), self.received, "", etag)
        digest = self.file.complete()
        self._partial_files.complete(self.artifact.id, digest)
        return FetchedArtifact(self.artifact, None, self.received, digest, etag)

    async def close(self) -> None:
        """Close the partial file. Keep it only if it is complete or can be resumed."""
        try:
            await self._worker.aclose()
        finally:
            if self.file is not None:
                is_resumable = self._noted[0] is not None and (self.file.size or self._has_gaps)
                if self._is_complete or (self.is_kept and is_resumable):
                    self.file.close()
                else:
                    self.file.discard()
