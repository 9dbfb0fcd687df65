"""Collects files into batches, and has the workers of a cluster fetch them."""

import asyncio
import pickle
from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final, Self

from attrs import define, evolve

from ...config.log import log
from ...core.session import Session
from ...errors import CircleCIError, DownloadError, WorkersError
from ..bounds import Bounds, TooLarge
from ..destination.parts import PartialFiles
from ..downloader import BoundReached, Downloader
from ..ledger.records import FetchedArtifact, QueuedArtifact
from ..progress import ProgressTracker
from ..sources.sources import SourceOptions
from ..stop_signal import StopSignal
from ..uploader import Uploader
from .cluster import Cluster, WorkerDied
from .messages import Batch, BatchResult, ClientSpec, FileResult, Target
from .shared_parts import adopt

MAX_FILES: Final = 2048
"""Files that wait for workers or are being fetched by them."""

MAX_BATCH: Final = 64
"""Files of a batch."""

BATCHES_PER_THREAD: Final = 2
"""Batches that are submitted for each thread of a worker: one that runs and one that waits."""

COLLECT_TIME: Final = 0.02
"""Seconds to wait for more files before a batch is submitted."""

SHORT_BATCH, LONG_BATCH = 2.0, 10.0
"""Seconds. After a shorter batch the next ones have twice as many files, after a longer one half as many."""

POLL_INTERVAL: float = 1.0
"""Seconds between two looks at which workers there are."""

WORKER_TIMEOUT: float = 60.0
"""Seconds to wait for a worker while there is none."""


@define(eq=False)
class _Waiting:
    """A file that waits for its result. `needs`: the bytes that it has at least, as a worker found out."""

    artifact: QueuedArtifact
    result: "asyncio.Future[FetchedArtifact]"
    needs: int = 0
    is_alone: bool = False
    """Whether its batch has no other file, since workers died that fetched it."""

    def fail(self, error: Exception) -> None:
        """End the wait, unless it was cancelled."""
        if not self.result.done():
            self.result.set_exception(error)


class WorkerPool:
    """Fetches files on the workers of a cluster, and fails as a `Downloader` does. Use it with `async with`.

    A file that an earlier run has begun to download is finished by `local`, in this process.
    """

    def __init__(
        self,
        cluster: Cluster,
        session: Session,
        spec: ClientSpec,
        sources: SourceOptions,
        target: Target,
        local: Downloader | Uploader,
        parts: PartialFiles,
        bounds: Bounds,
        progress: ProgressTracker,
        stop: StopSignal,
        *,
        sends_token: bool = False,
    ) -> None:
        self._cluster = cluster
        self._session = session
        self._spec = spec
        self._sources = sources
        self._target = target
        self._local = local
        self._parts = parts
        self._bounds = bounds
        self._progress = progress
        self._stop = stop
        self._sends_token = sends_token
        self._waiting: deque[_Waiting] = deque()
        self._batches: set[asyncio.Task[None]] = set()
        self._monitor: asyncio.Task[None] | None = None
        self._collecting: asyncio.TimerHandle | None = None
        self._threads: dict[str, int] = {}
        self._reserved = 0
        """Bytes of `max_bytes` that the running batches may use."""
        self._batch_size = 8
        self._is_fetching_alone = False
        """Whether a file is fetched alone now. Only one is, at a time."""

    @property
    def max_files(self) -> int:
        """How many files to download at a time, so that all workers have enough of them."""
        return MAX_FILES

    async def __aenter__(self) -> Self:
        if self._target.url is None:
            await asyncio.to_thread(self._parts.mark, self._target.marker)
        self._monitor = asyncio.create_task(self._follow_workers())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cancel the tasks that have not ended."""
        if self._collecting is not None:
            self._collecting.cancel()
        tasks = [*self._batches, *filter(None, [self._monitor])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in self._waiting:
            each.result.cancel()
        if self._target.url is None:
            self._parts.remove_others()  # the marker, and what killed workers left

    async def download(self, artifact: QueuedArtifact) -> FetchedArtifact:
        """Fetch an artifact. Raises the errors of `Downloader.download`, and `WorkersError`."""
        if artifact.id in self._parts.leftovers or (artifact.etag is not None and self._parts.has(artifact.id)):
            return await self._local.download(artifact)
        waiting = _Waiting(artifact, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._collect()
        return await waiting.result

    def _collect(self) -> None:
        """Submit batches soon."""
        if self._collecting is None:
            self._collecting = asyncio.get_running_loop().call_later(COLLECT_TIME, self._submit)

    def _submit(self) -> None:
        """Submit as many batches as there is room for."""
        self._collecting = None
        room = BATCHES_PER_THREAD * sum(self._threads.values()) - len(self._batches)
        while room > 0:
            while self._waiting and self._waiting[0].result.done():  # cancelled
                self._waiting.popleft()
            if not self._waiting:
                return
            if self._waiting[0].is_alone and self._is_fetching_alone:  # dask suspects all tasks of a worker that dies
                return
            budget = self._budget(room)
            if budget is not None and budget < self._waiting[0].needs:
                if self._batches:  # those can leave some of their bytes
                    return
                self._refuse(self._waiting.popleft())
                continue
            files = self._next_files(-(-len(self._waiting) // room))
            self._is_fetching_alone |= files[0].is_alone
            batch = asyncio.create_task(self._run(files, budget))
            self._batches.add(batch)
            batch.add_done_callback(self._batches.discard)
            self._reserved += budget or 0
            room -= 1

    def _budget(self, room: int) -> int | None:
        """Return the bytes that the next batch may use: its part of what is left, or what its first file needs."""
        left = self._bounds.bytes_left
        if left is None:
            return None
        available = max(0, left - self._reserved)
        return min(available, max(available // room, self._waiting[0].needs))

    def _refuse(self, waiting: _Waiting) -> None:
        """Fail a file that exceeds what is left of `max_bytes`."""
        error: CircleCIError = BoundReached(waiting.artifact.path)
        try:
            self._bounds.admit_bytes(waiting.artifact.id, waiting.needs)
        except TooLarge as too_large:
            error = too_large
        waiting.fail(error)

    def _next_files(self, count: int) -> list[_Waiting]:
        files = [self._waiting.popleft()]
        while not files[0].is_alone and len(files) < min(count, self._batch_size) and self._waiting:
            if self._waiting[0].is_alone:
                break
            files.append(self._waiting.popleft())
        return files

    async def _run(self, files: Sequence[_Waiting], budget: int | None) -> None:
        """Have a batch fetched, and pass on its results."""
        began_at = asyncio.get_running_loop().time()
        try:
            try:
                result = await self._cluster.fetch(await self._pickled(files, budget))
            finally:
                self._reserved -= budget or 0
                self._is_fetching_alone &= not files[0].is_alone
        except WorkerDied as error:
            self._retry(files, error)
        except Exception as error:  # noqa: BLE001  # each file reports it
            _fail(files, error)
        else:
            self._session.state.stats.requests += result.requests
            self._session.state.stats.received += result.received
            if result.error is not None:
                _fail(files, result.error)
            else:
                self._adapt_batch_size(asyncio.get_running_loop().time() - began_at)
                self._resolve(files, result)
        self._collect()

    async def _pickled(self, files: Sequence[_Waiting], budget: int | None) -> bytes:
        spec = self._spec
        if self._sends_token:
            spec = evolve(spec, token=(await self._session.state.credentials.current_token()).reveal())
        artifacts = tuple(each.artifact._replace(etag=None, size=None) for each in files)
        return pickle.dumps(Batch(spec, self._sources, self._target, artifacts, budget))

    def _resolve(self, files: Sequence[_Waiting], result: BatchResult) -> None:
        results = {each.id: each for each in result.files}
        missing = DownloadError(f"the Dask worker {result.worker} returned no result")
        for waiting in files:
            if not waiting.result.done():
                file = results.get(waiting.artifact.id, FileResult(0, error=missing))
                try:
                    if result.nonce and file.sha256:
                        adopt(self._parts, file.id, file.sha256, result.nonce)
                    self._resolve_one(waiting, file)
                except OSError as error:
                    waiting.fail(error)

    def _resolve_one(self, waiting: _Waiting, result: FileResult) -> None:
        artifact = waiting.artifact
        if result.needs:
            waiting.needs = max(result.needs, 2 * waiting.needs)  # at least: a body can be of unknown length
            self._waiting.appendleft(waiting)
        elif result.error is not None:
            if isinstance(result.error, BoundReached):
                self._bounds.reach(str(result.error))
            waiting.fail(result.error)
        else:
            self._bounds.admit_stored(artifact.id, result.size)
            self._progress.file_advanced(artifact, result.size, result.size, added=result.size)
            file = FetchedArtifact(artifact, None, result.size, result.sha256, result.etag, result.scrubbed)
            waiting.result.set_result(file)

    def _retry(self, files: Sequence[_Waiting], error: WorkerDied) -> None:
        """Fetch each file of a batch again, alone. One whose workers died again has failed."""
        log.warning("harvest: Dask workers died while they fetched a batch, files: %d: %s", len(files), error)
        for waiting in files:
            if waiting.is_alone:
                waiting.fail(DownloadError(f"the Dask workers that downloaded it died ({error})"))
            else:
                waiting.is_alone = True
                self._waiting.append(waiting)

    def _adapt_batch_size(self, seconds: float) -> None:
        if seconds < SHORT_BATCH:
            self._batch_size = min(MAX_BATCH, 2 * self._batch_size)
        elif seconds > LONG_BATCH:
            self._batch_size = max(1, self._batch_size // 2)

    async def _follow_workers(self) -> None:
        """Follow which workers there are. Ends the run if there are none for too long, or the scheduler is lost."""
        loop = asyncio.get_running_loop()
        missing_since: float | None = None
        try:
            while True:
                threads = await self._cluster.threads()
                if new := threads.keys() - self._threads.keys():
                    for address in new - await self._cluster.check_installed(new):
                        del threads[address]  # asked again, if the scheduler still has it
                self._threads = threads
                if self._threads or not (self._waiting or self._batches):
                    missing_since = None
                elif missing_since is None:
                    missing_since = loop.time()
                    log.warning("harvest: waiting for Dask workers: there are none")
                elif loop.time() - missing_since >= WORKER_TIMEOUT:
                    raise _no_workers()
                if self._waiting:
                    self._collect()
                await asyncio.sleep(POLL_INTERVAL)
        except WorkersError as error:
            self._stop.fail(error)
            _fail(self._waiting, error)
            self._waiting.clear()


def _fail(files: Iterable[_Waiting], error: Exception) -> None:
    for each in files:
        each.fail(error)


def _no_workers() -> WorkersError:
    error = WorkersError(f"the Dask cluster has had no worker for {WORKER_TIMEOUT:g} s")
    error.hint = "Start workers (`dask worker tcp://SCHEDULER:8786`), then run the same command again."
    return error
