"""Fetches batches in a worker's process: with one client, within the bounds of each batch."""

import asyncio
import pickle
import tempfile
from contextlib import closing, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Self

from attrs import evolve

from ...config.log import log
from ...config.os_keyring import KeyringToken
from ...config.redacted import NotPicklable, Redacted
from ...config.settings import discover
from ...core.request import RequestOptions
from ...core.session import Session
from ...core.state import new_state
from ...errors import AuthenticationError, CircleCIError, ConfigurationError, DownloadError
from ..bounds import Bounds, TooLarge
from ..destination.parts import Part, PartialFiles
from ..destination.store_threads import StoreThreads
from ..destination.stores import open_bucket
from ..downloader import BoundReached, Downloader
from ..ledger.records import FetchedArtifact, QueuedArtifact
from ..sources.sources import Sources
from ..uploader import Uploader
from .messages import Batch, BatchResult, ClientSpec, FileResult
from .shared_parts import SharedPartialFiles

_bucket = lru_cache(maxsize=8)(partial(open_bucket, "into"))


class BatchFetcher(NotPicklable):
    """Fetches batches with one client, `spec.concurrency` files at a time."""

    def __init__(self, session: Session, spec: ClientSpec) -> None:
        self._session = session
        self._threads = StoreThreads(spec.concurrency)
        self._permits = asyncio.Semaphore(spec.concurrency)
        self._reported = (0, 0)

    @classmethod
    async def create(cls, spec: ClientSpec, worker: str) -> Self:
        """Return a fetcher with a new client, which is anonymous only if the caller is. Raises `ConfigurationError`."""
        # The default hosts depend on where the token comes from. Those of the caller belong to its token.
        hosts = spec.settings.artifact_hosts if spec.settings.are_hosts_named or spec.token is not None else None
        found = discover(Redacted(spec.token), spec.settings.host, hosts)
        if isinstance(found.token, KeyringToken):
            await found.token.read()
        if not found.has_token and not spec.is_anonymous:
            raise ConfigurationError(
                f"the Dask worker {worker} has no token for {found.host} ({found.token_source}): set CIRCLE_TOKEN in"
                " its environment, or pass send_token=True"
            )
        settings = evolve(spec.settings, artifact_hosts=found.artifact_hosts)
        state = new_state(settings, Redacted(found.token), found.token_source)
        options = RequestOptions(spec.timeout, spec.retry, min_speed=spec.min_speed)
        return cls(Session(state, options), spec)

    async def fetch(self, batch: Batch, worker: str, folder: str | None) -> BatchResult:
        """Fetch the files of a batch. `folder`: where partial files of large objects are stored, or None.

        Raises `ConfigurationError`, `InvalidArgument` and `OSError` for the whole batch.
        """
        url = batch.target.url
        with tempfile.TemporaryDirectory(prefix="circleci-async-", dir=folder) as scratch:
            if url is None:
                parts: PartialFiles = SharedPartialFiles(batch.target.folder, batch.target.marker, worker)
                root = batch.target.folder
            else:
                parts, root = PartialFiles(scratch), scratch
            with closing(parts):
                parts.create()
                bounds = _BatchBounds(root, max_bytes=batch.max_bytes, min_free=batch.target.min_free)
                sources = Sources(self._session, batch.sources)
                downloader = Downloader(self._session, sources, _Unrecorded(), parts, bounds, _Unrecorded())
                uploader = None
                if url is not None:
                    checks_first = batch.target.checks_first
                    uploader = Uploader(downloader, _bucket(url), parts, self._threads, checks_first=checks_first)
                    # Dask repeats a batch whose worker died. Its objects need not be fetched again.
                    with suppress(CircleCIError):  # each file reports it
                        uploader.checks_first |= await uploader.find(batch.artifacts[0]) is not None
                files = _Files(uploader or downloader, parts, bounds, self._threads)
                async with asyncio.TaskGroup() as group:
                    fetching = [group.create_task(self._fetch(files, each, worker)) for each in batch.artifacts]
        stats = self._session.state.stats
        counted, self._reported = self._reported, (stats.requests, stats.received)
        requests, received = (now - before for now, before in zip(self._reported, counted, strict=True))
        nonce = parts.nonce if isinstance(parts, SharedPartialFiles) else ""
        return BatchResult(worker, tuple(task.result() for task in fetching), requests, received, nonce=nonce)

    async def aclose(self) -> None:
        """Close the client."""
        self._threads.close()
        await self._session.state.aclose(drain=0.0)

    async def _fetch(self, files: "_Files", artifact: QueuedArtifact, worker: str) -> FileResult:
        async with self._permits:
            try:
                file = await files.fetch(artifact)
            except _OverBudget as error:
                return FileResult(artifact.id, needs=error.size)
            except BoundReached:
                return FileResult(artifact.id, error=BoundReached(f"{files.bound} (on the Dask worker {worker})"))
            except Exception as error:  # noqa: BLE001  # an error of one artifact must not stop the others
                log.info("harvest: %r: %s", artifact.path, error)
                return FileResult(artifact.id, error=picklable(error, worker))
        return FileResult(artifact.id, file.size, file.sha256, file.etag, scrubbed=file.scrubbed)


class _Files:
    """Downloads the files of a batch, and stores them where the caller expects them."""

    def __init__(
        self,
        downloader: Downloader | Uploader,
        parts: PartialFiles,
        bounds: Bounds,
        threads: StoreThreads,
    ) -> None:
        self._downloader = downloader
        self._parts = parts
        self._bounds = bounds
        self._threads = threads

    async def fetch(self, artifact: QueuedArtifact) -> FetchedArtifact:
        """Fetch one file. Its space on the disk counts until it is stored."""
        file = None
        try:
            file = await self._downloader.download(artifact)
            if file.content is not None:
                part = await self._threads.run(self._parts.write, artifact.id, file.content)
                file = file._replace(content=None, sha256=part.sha256 or "")
            elif isinstance(self._downloader, Uploader):
                self._parts.remove(Part(artifact.id, file.sha256))
            return file
        finally:
            if file is None:
                self._bounds.release(artifact.id)
            else:
                self._bounds.written(artifact.id)

    @property
    def bound(self) -> str:
        """The bound that is reached: the disk has too little space left."""
        return self._bounds.reached or ""


class _OverBudget(CircleCIError):
    """A file does not fit into what its batch has left of `max_bytes`. `size`: the bytes that it has at least."""

    def __init__(self, size: int) -> None:
        super().__init__(f"it has at least {size:,} bytes")
        self.size = size


class _BatchBounds(Bounds):
    """The bounds of one batch."""

    def __init__(self, root: str, *, max_bytes: int | None, min_free: int) -> None:
        super().__init__(Path(root), max_files=None, max_bytes=None, min_free=min_free)
        self._budget = max_bytes

    def admit_bytes(self, id: int, size: int, *, is_growing: bool = False) -> bool:
        """Count further bytes as `Bounds` does. Raises `_OverBudget` if they exceed the batch's part of `max_bytes`."""
        if self._budget is not None and self._bytes + size > self._budget:
            raise _OverBudget(self._admitted.get(id, 0) + size)
        return super().admit_bytes(id, size, is_growing=is_growing)


class _Unrecorded:
    """Records neither versions nor progress: a batch is not resumed, and the caller counts its files."""

    async def note_version(self, id: int, etag: str | None, size: int | None) -> None: ...

    def file_advanced(self, artifact: QueuedArtifact, received: int, size: int | None, *, added: int) -> None: ...


def picklable(error: Exception, worker: str) -> Exception:
    """Return an error that can be pickled: without traceback and causes. It names the worker where that matters."""
    if isinstance(error, OSError) and not isinstance(error, CircleCIError):
        return OSError(error.errno, f"{error.strerror or error} (on the Dask worker {worker})")
    if isinstance(error, AuthenticationError):
        error.hint = f"Check CIRCLE_TOKEN in the environment of the Dask worker {worker}."
    if not isinstance(error, TooLarge) and isinstance(error, CircleCIError):
        error.__traceback__ = error.__cause__ = error.__context__ = None  # distributed makes pickle include them
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  # what was just pickled
            return error
        except Exception:  # noqa: BLE001  # an error can hold anything
            log.debug("harvest: cannot be pickled: %r", error)
    kind = "" if isinstance(error, CircleCIError) else f"{type(error).__name__}: "
    return DownloadError(f"{kind}{error} (on the Dask worker {worker})")
