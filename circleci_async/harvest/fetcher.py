"""Downloads the pending artifacts of the ledger's queue, several at a time, and retries failed ones."""

import asyncio
from typing import Final, Protocol

from ..config.log import log
from ..core.retry import RetryPolicy
from ..errors import CircleCIError, LedgerError
from .backpressure import Backpressure
from .bounds import Bounds, TooLarge
from .committer import Committer
from .downloader import BoundReached
from .ledger.queue import LedgerQueue
from .ledger.records import FetchedArtifact, QueuedArtifact
from .outage import OutageDetector, RetryDecision
from .progress import ProgressTracker
from .stop_signal import StopSignal
from .url_renewal import UrlRenewal

CLAIM_SIZE: Final = 256
"""Artifacts that are claimed from the queue at once."""


class FileDownloader(Protocol):
    """Downloads single files: a `Downloader`, an `Uploader` or a `WorkerPool`."""

    async def download(self, artifact: QueuedArtifact) -> FetchedArtifact:
        """Download one artifact. Raises the errors of a download, `OSError`, and `BoundReached`."""
        ...


class Fetcher:
    """Downloads artifacts from the ledger's queue while discovery appends to it.

    A failed artifact is retried after all others, `attempts` times in total, with a new URL if its storage refused it.
    """

    def __init__(
        self,
        queue: LedgerQueue,
        downloader: FileDownloader,
        committer: Committer,
        bounds: Bounds,
        backpressure: Backpressure,
        progress: ProgressTracker,
        stop: StopSignal,
        renewal: UrlRenewal,
        *,
        policy: RetryPolicy,
        attempts: int,
    ) -> None:
        self._queue = queue
        self._downloader = downloader
        self._committer = committer
        self._bounds = bounds
        self._backpressure = backpressure
        self._progress = progress
        self._stop = stop
        self._renewal = renewal
        self._policy = policy
        self._attempts = attempts
        self._outage = OutageDetector(policy, stop, attempts=attempts, requests="download")
        self._active = 0
        self._ended = asyncio.Event()
        self._retries = 0
        self._max_attempts = 0
        """The most failed attempts of an artifact that will be retried."""

    async def run(self, discovery: "asyncio.Task[None]", concurrency: int) -> None:
        """Download until discovery has ended and the queue is empty, or the run is stopped. Raises `LedgerError`."""
        claimed: asyncio.Queue[QueuedArtifact | None] = asyncio.Queue(maxsize=concurrency)
        discovery.add_done_callback(lambda _: self._backpressure.discovery_ended())
        feeder = asyncio.create_task(self._feed(claimed, discovery))
        stopping = asyncio.create_task(self._stop.requested())
        failing = asyncio.create_task(self._stop.failed())
        workers = [asyncio.create_task(self._work(claimed)) for _ in range(concurrency)]
        try:
            await _wait_for_first([feeder, stopping, failing, *workers])
            if not failing.done():
                await self._end(feeder, claimed, workers, failing)
        finally:
            self._backpressure.disable()
            tasks = [feeder, stopping, failing, *workers]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _end(
        self,
        feeder: "asyncio.Task[None]",
        claimed: "asyncio.Queue[QueuedArtifact | None]",
        workers: "list[asyncio.Task[None]]",
        failing: "asyncio.Task[None]",
    ) -> None:
        """Let running downloads finish, unless the run fails."""
        self._backpressure.disable()
        feeder.cancel()
        await asyncio.wait([feeder])
        while not claimed.empty():
            claimed.get_nowait()
        for _ in workers:
            claimed.put_nowait(None)
        for worker in workers:
            await _wait_for_first([failing, worker])

    async def _feed(self, claimed: "asyncio.Queue[QueuedArtifact | None]", discovery: "asyncio.Task[None]") -> None:
        while True:
            self._backpressure.expect_change()
            has_discovered_all = discovery.done()
            batch = await self._queue.claim(CLAIM_SIZE)
            for artifact in batch:
                await claimed.put(artifact)
            self._backpressure.claimed(len(batch))
            if batch:
                continue
            if not has_discovered_all and not self._backpressure.is_holding:
                await self._backpressure.wait_for_change()
                continue
            await claimed.join()
            await self._committer.flush()
            if not self._retries:
                if has_discovered_all:
                    return
                if self._backpressure.is_holding:  # all that was wanted is downloaded
                    self._bounds.reach_max_files()
                    self._stop.request(self._bounds.reached)
                    return
                continue
            await asyncio.sleep(self._policy.delay(self._max_attempts + 1))
            await self._renewal.renew()
            self._queue.rewind()
            self._retries = self._max_attempts = 0

    async def _work(self, claimed: "asyncio.Queue[QueuedArtifact | None]") -> None:
        while (artifact := await claimed.get()) is not None:
            if self._outage.is_on:
                await self._outage.pause()
            if self._stop.is_set:
                return
            if not await self._admit():
                return
            self._active += 1
            try:
                await self._fetch(artifact)
            finally:
                self._active -= 1
                self._ended.set()
            claimed.task_done()

    async def _admit(self) -> bool:
        """Count one more file; if `max_files` are in progress, wait whether one fails. False ends the run."""
        while not self._bounds.admit():
            if self._stop.is_set:
                return False
            if self._bounds.reached is not None or not self._active:
                self._bounds.reach_max_files()
                self._stop.request(self._bounds.reached)
                return False
            self._ended.clear()
            await self._ended.wait()
        return True

    async def _fetch(self, artifact: QueuedArtifact) -> None:
        try:
            file = await self._downloader.download(artifact)
        except BoundReached:
            self._bounds.release(artifact.id)
            self._stop.request(self._bounds.reached)
        except TooLarge as error:
            self._bounds.release(artifact.id)
            if error.bound is None:
                await self._give_up(artifact, error)
            else:
                self._stop.note(error.bound)
                self._backpressure.finished(is_downloaded=False)
        except OSError as error:
            self._bounds.release(artifact.id)
            if not self._stop.fail_if_disk_full(error):
                await self._give_up(artifact, error)
        except LedgerError:
            raise
        except CircleCIError as error:
            self._bounds.release(artifact.id)
            await self._handle(artifact, error)
        except Exception as error:  # an error of one artifact must not stop the others
            log.exception("harvest: unexpected error in the download of %r", artifact.path)
            self._bounds.release(artifact.id)
            await self._give_up(artifact, error)
        else:
            self._outage.succeeded()
            self._progress.file_scrubbed(file.scrubbed)
            await self._committer.add(file)
            self._backpressure.finished(is_downloaded=True)

    async def _handle(self, artifact: QueuedArtifact, error: CircleCIError) -> None:
        decision = self._outage.failed(artifact.id, error, artifact.attempts)
        if self._renewal.note(artifact, error) and decision is RetryDecision.GIVE_UP:
            decision = RetryDecision.RETRY if artifact.attempts + 1 < self._attempts else decision
        if decision is RetryDecision.GIVE_UP:
            await self._give_up(artifact, error)
            return
        await self._queue.release(artifact, error, counts_attempt=decision is RetryDecision.RETRY)
        if decision is RetryDecision.STOP:
            self._stop.fail(error)
            return
        self._retries += 1
        self._max_attempts = max(self._max_attempts, artifact.attempts)
        self._progress.file_failed(artifact, error, is_final=False)

    async def _give_up(self, artifact: QueuedArtifact, error: Exception) -> None:
        await self._queue.fail(artifact, error)
        self._backpressure.finished(is_downloaded=False)
        self._progress.file_failed(artifact, error, is_final=True)


async def _wait_for_first(tasks: "list[asyncio.Task[None]]") -> None:
    """Wait for the first of several tasks, and raise its error."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
