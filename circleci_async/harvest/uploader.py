"""Puts downloaded artifacts into a bucket."""

from contextlib import suppress

from .destination.bucket import Bucket
from .destination.parts import Part, PartialFiles
from .destination.store_threads import StoreThreads
from .downloader import Downloader
from .ledger.records import FetchedArtifact, QueuedArtifact
from .metadata import describe, known_sha256


class Uploader:
    """Downloads artifacts that have a target, and puts each into the bucket under it.

    An artifact whose upload fails is kept as a complete partial file, so that the next attempt need not download it.
    `checks_first`: look for the object before, because the run that put it can have been killed before it recorded it.
    """

    def __init__(
        self,
        downloader: Downloader,
        bucket: Bucket,
        parts: PartialFiles,
        threads: StoreThreads,
        *,
        checks_first: bool = False,
    ) -> None:
        self._downloader = downloader
        self._bucket = bucket
        self._parts = parts
        self._threads = threads
        self.checks_first: bool = checks_first

    async def download(self, artifact: QueuedArtifact) -> FetchedArtifact:
        """Download an artifact and put it. Raises the errors of `Downloader.download`, and `StoreError`."""
        self._bucket.check_key(artifact.target or "")
        if self.checks_first and (known := await self.find(artifact)) is not None:
            return known
        file = await self._downloader.download(artifact)
        try:
            return await self._threads.run(self._put, file)
        except BaseException:
            self._keep(file)
            raise

    async def find(self, artifact: QueuedArtifact) -> FetchedArtifact | None:
        """Return an artifact that is in the bucket already. Raises `StoreError`."""
        return await self._threads.run(self._find, artifact)

    def _find(self, artifact: QueuedArtifact) -> FetchedArtifact | None:
        found = self._bucket.metadata(artifact.target or "")
        if found is None:
            return None
        stored, metadata = found
        sha256 = known_sha256(metadata, artifact)
        return None if sha256 is None else FetchedArtifact(artifact, None, stored.size, sha256, None)

    def _put(self, file: FetchedArtifact) -> FetchedArtifact:
        target = file.artifact.target or ""
        if file.content is not None:
            file = file.with_sha256()
            self._bucket.put(target, file.content or b"", describe(file.artifact, sha256=file.sha256, etag=file.etag))
            return file._replace(content=None)
        metadata = describe(file.artifact, sha256=file.sha256, etag=file.etag)
        with self._parts.read(Part(file.artifact.id, file.sha256)) as content:
            self._bucket.put(target, content, metadata)
        return file

    def _keep(self, file: FetchedArtifact) -> None:
        part = Part(file.artifact.id, file.sha256)
        if file.content is not None:
            with suppress(OSError):
                part = self._parts.write(file.artifact.id, file.content)
        self._parts.leftovers[file.artifact.id] = part
