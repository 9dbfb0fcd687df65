"""The counters of a run, and the events that report them."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable
from typing import TypedDict

from ..core.stats import Stats
from .events import (
    FileAdvanced,
    FileDone,
    FileFailed,
    HarvestEvent,
    HarvestProgress,
    JobListed,
    ListingFailed,
    OnHarvestEvent,
    Throttled,
)
from .kinds import HarvestKind
from .layout import JobRef
from .ledger.records import CommitResult, Listing, QueuedArtifact, Recorded
from .ledger.values import valid_text
from .notifier import Notifier
from .pipeline_count import PipelineCount
from .report import HarvestedFile

PROGRESS_INTERVAL = 0.25
"""Seconds between two `HarvestProgress` events."""

SPEED_SAMPLES = 40
"""`HarvestProgress` events over which the speed is measured: ten seconds."""


class ProgressTracker:
    """Counts what happens in a run, and notifies `on_progress` if there is one."""

    def __init__(self, stats: Stats, on_progress: OnHarvestEvent | None) -> None:
        self.discovered: int = 0
        self.done: int = 0
        self.skipped: int = 0
        self.failed: int = 0
        self.bytes: int = 0
        self.named_files: int = 0
        self.named_bytes: int = 0
        """The done files that have their final names."""
        self.is_discovering: bool = True
        self.pipelines: PipelineCount = PipelineCount()
        self.requests_saved: int = 0
        """Lists that were not requested, because the ledger holds them."""
        self.scrubbed: Counter[str] = Counter()
        """How many secrets were replaced, by the name of their pattern."""
        self._file_bytes = 0
        self._stats = stats
        self._paused_before = self._paused = stats.paused
        self._received_before = stats.received
        self._began_at = time.monotonic()
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=SPEED_SAMPLES)
        self._notifier = None if on_progress is None else Notifier(on_progress)
        self._ticker = None if on_progress is None else asyncio.create_task(self._tick())

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return time.monotonic() - self._began_at

    def recorded(self, result: Recorded) -> None:
        """Count the artifacts that discovery recorded."""
        self.discovered += result.discovered + result.skipped + result.failed
        self.skipped += result.skipped
        self.failed += result.failed

    def request_saved(self) -> None:
        """Count a list that is not requested, because the ledger holds it."""
        self.requests_saved += 1

    def job_listed(self, job: JobRef, discovered: int, skipped: int) -> None:
        """Notify that a job's artifacts are listed."""
        if self._notifier:
            self._notifier.notify(
                JobListed(
                    project=job.project,
                    pipeline=job.pipeline,
                    workflow=job.workflow,
                    job=job.job,
                    number=job.number,
                    discovered=discovered,
                    skipped=skipped,
                    kind=job.kind,
                )
            )

    def listing_failed(self, listing: Listing, error: Exception) -> None:
        """Count a list that could not be read to the end."""
        self.failed += 1
        name = valid_text(listing.name)
        self._notify(ListingFailed(project=listing.project, kind=listing.kind, name=name, error=error))

    def file_advanced(self, artifact: QueuedArtifact, received: int, size: int | None, *, added: int) -> None:
        """Notify of the received bytes of a download, of which `added` are new."""
        self._file_bytes += added
        if self._notifier:
            self._notifier.notify(FileAdvanced(**_file(artifact), received=received, size=size))

    def file_scrubbed(self, counts: Iterable[tuple[str, int]]) -> None:
        """Count the secrets that were replaced in a file."""
        self.scrubbed.update(dict(counts))

    def file_committed(self, result: CommitResult) -> None:
        """Count a downloaded file, with or without its final name."""
        self.done += 1
        self.bytes += result.size
        if result.target is not None:
            self.file_renamed(result)

    def file_renamed(self, result: CommitResult) -> None:
        """Count a file that has its final name."""
        self.named_files += 1
        self.named_bytes += result.size
        if self._notifier:
            target = result.target or ""
            self._notifier.notify(FileDone(**_file(result.artifact), target=target, size=result.size))

    def file_withdrawn(self, result: CommitResult) -> None:
        """Stop counting a downloaded file that could not be renamed."""
        self.done -= 1
        self.bytes -= result.size

    def file_lost(self, result: CommitResult) -> None:
        """Stop counting a file that had its final name and is missing now."""
        self.file_withdrawn(result)
        self.named_files -= 1
        self.named_bytes -= result.size

    def file_failed(self, artifact: QueuedArtifact, error: Exception, *, is_final: bool) -> None:
        """Count a failed download, if it is final."""
        self.failed += is_final
        self._notify(FileFailed(**_file(artifact), error=error, is_final=is_final))

    def call_failed(self, file: HarvestedFile, error: Exception) -> None:
        """Count a file for which `on_file` raised an error."""
        self.failed += 1
        where: _File = {
            "project": file.project,
            "job": file.number,
            "node": file.node,
            "path": file.artifact,
            "kind": file.kind,
        }
        self._notify(FileFailed(**where, error=error, is_final=True))

    def _notify(self, event: HarvestEvent) -> None:
        if self._notifier:
            self._notifier.notify(event)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL)
            if self._stats.paused > self._paused:
                self._notify(Throttled(seconds=self._stats.paused - self._paused))
                self._paused = self._stats.paused
            self._notify(self.progress())

    def progress(self) -> HarvestProgress:
        """Return all counters."""
        now = self.seconds
        received = self._stats.received - self._received_before
        ended = self.done + self.failed
        self._samples.append((now, self._file_bytes, ended))
        sampled_at, file_bytes_then, ended_then = self._samples[0]
        elapsed = now - sampled_at
        rate = (ended - ended_then) / elapsed if elapsed > 0 else 0.0
        pending = max(0, self.discovered - self.skipped - ended)
        return HarvestProgress(
            discovered=self.discovered,
            done=self.done,
            skipped=self.skipped,
            failed=self.failed,
            bytes=self.bytes,
            received=received,
            seconds=now,
            speed=(self._file_bytes - file_bytes_then) / elapsed if elapsed > 0 else 0.0,
            seconds_left=None if self.is_discovering or rate <= 0 else pending / rate,
            is_discovering=self.is_discovering,
            paused=self._stats.paused - self._paused_before,
            file_bytes=self._file_bytes,
            pipelines=self.pipelines.read,
            pipelines_expected=self.pipelines.expected,
        )

    async def close(self) -> None:
        """Send the final counters."""
        self.is_discovering = False
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])
        if self._notifier is not None:
            self._notifier.notify(self.progress())
            await self._notifier.close()


class _File(TypedDict):
    project: str
    job: int
    node: int
    path: str
    kind: HarvestKind


def _file(artifact: QueuedArtifact) -> _File:
    return {
        "project": artifact.project,
        "job": artifact.job,
        "node": artifact.node,
        "path": artifact.path,
        "kind": artifact.kind,
    }
