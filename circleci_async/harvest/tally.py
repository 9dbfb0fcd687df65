"""The numbers of a run, and who is told of them."""

import asyncio
import time
from collections import deque

from ..core.stats import Stats
from .announcer import Announcer
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
from .layout import Place
from .records import Settled, Unlisted, Visit, Wanted

TOLD_EVERY = 0.25
"""Seconds between two `HarvestProgress`."""

_PACE = 40
"""So many of them make the pace of late: ten seconds."""


class Tally:
    """Counts, and tells `on_progress` of it, if there is one."""

    def __init__(self, stats: Stats, on_progress: OnHarvestEvent | None) -> None:
        self.found = self.done = self.skipped = self.failed = self.bytes = 0
        self.files = self.bytes_of_files = 0  # of those that have their names by now
        self.is_finding = True
        self._stats = stats
        self._paused_before = self._paused = stats.paused
        self._received_before = stats.received
        self._began = time.monotonic()
        self._pace: deque[tuple[float, int, int]] = deque(maxlen=_PACE)
        self._announcer = None if on_progress is None else Announcer(on_progress)
        self._ticker = None if on_progress is None else asyncio.create_task(self._tick())

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._began

    def visited(self, visit: Visit) -> None:
        """Count what a look into a job's artifacts brought."""
        self.found += visit.found + visit.skipped + visit.failed
        self.skipped += visit.skipped
        self.failed += visit.failed

    def listed(self, job: Place, found: int, skipped: int) -> None:
        """Tell that a job's artifacts are known."""
        if self._announcer:
            self._announcer.tell(
                JobListed(
                    project=job.project,
                    pipeline=job.pipeline,
                    workflow=job.workflow,
                    job=job.job,
                    number=job.number,
                    found=found,
                    skipped=skipped,
                )
            )

    def unlisted(self, unlisted: Unlisted, error: Exception) -> None:
        """Count a list that could not be walked to its end."""
        self.failed += 1
        self._tell(ListingFailed(project=unlisted.project, kind=unlisted.kind, name=unlisted.name, error=error))

    def advanced(self, wanted: Wanted, received: int, size: int | None) -> None:
        """Tell how far a file has come."""
        if self._announcer:
            project, job, node, path = _name(wanted)
            self._announcer.tell(
                FileAdvanced(project=project, job=job, node=node, path=path, received=received, size=size)
            )

    def fetched(self, settled: Settled) -> None:
        """Count a file that has come, whether it has its name already or waits for it."""
        self.done += 1
        self.bytes += settled.size
        if settled.target is not None:
            self.named(settled)

    def named(self, settled: Settled) -> None:
        """Count a file that stands under its name."""
        self.files += 1
        self.bytes_of_files += settled.size
        if self._announcer:
            project, job, node, path = _name(settled.wanted)
            target = settled.target or ""
            self._announcer.tell(
                FileDone(project=project, job=job, node=node, path=path, target=target, size=settled.size)
            )

    def unfetched(self, wanted: Wanted, error: Exception, *, is_final: bool) -> None:
        """Count an artifact that could not be had."""
        self.failed += is_final
        project, job, node, path = _name(wanted)
        self._tell(FileFailed(project=project, job=job, node=node, path=path, error=error, is_final=is_final))

    def _tell(self, event: HarvestEvent) -> None:
        if self._announcer:
            self._announcer.tell(event)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY)
            if self._stats.paused > self._paused:
                self._tell(Throttled(seconds=self._stats.paused - self._paused))
                self._paused = self._stats.paused
            self._tell(self.progress())

    def progress(self) -> HarvestProgress:
        """Return all numbers."""
        now = self.seconds
        received = self._stats.received - self._received_before
        ended = self.done + self.failed
        self._pace.append((now, received, ended))
        began, bytes_then, ended_then = self._pace[0]
        passed = now - began
        rate = (ended - ended_then) / passed if passed > 0 else 0.0
        waiting = self.found - self.skipped - ended
        return HarvestProgress(
            found=self.found,
            done=self.done,
            skipped=self.skipped,
            failed=self.failed,
            bytes=self.bytes,
            received=received,
            seconds=now,
            speed=(received - bytes_then) / passed if passed > 0 else 0.0,
            seconds_left=None if self.is_finding or rate <= 0 else max(0, waiting) / rate,
            is_finding=self.is_finding,
            paused=self._stats.paused - self._paused_before,
        )

    async def close(self) -> None:
        """Tell the last numbers."""
        self.is_finding = False
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])
        if self._announcer is not None:
            self._announcer.tell(self.progress())
            await self._announcer.close()


def _name(wanted: Wanted) -> tuple[str, int, int, str]:
    return wanted.project, wanted.job, wanted.node, wanted.path
