"""Shows the progress of downloads and harvests: a bar on a terminal, lines of JSON for programs."""

import asyncio
import os
import re
import time
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from ..errors import CircleCIError
from ..reports.wording import counted
from .formatting import duration, size
from .output import Output

if TYPE_CHECKING:
    from .. import HarvestEvent, HarvestFailure, HarvestProgress, InsightsProgress, Progress
    from ..models import Artifact

FailureKey: TypeAlias = tuple[str | int | None, ...]
"""Kind and name of a failed list or file, and the job and the node of a file."""

MAX_ERRORS = 100
"""Errors that are kept."""

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


class ProgressBar:
    """A bar on stderr, with texts beside it; hidden where stderr is not a terminal or other output uses it."""

    def __init__(self, out: Output, **fields: Any) -> None:
        """Create a bar after the first of the `fields`, which `show` updates, and before the others."""
        if not out.shows_progress:
            self._bar = None
            return
        from rich import progress
        from rich.table import Column

        def text(name: str) -> progress.TextColumn:
            return progress.TextColumn(f"{{task.fields[{name}]}}", markup=False, table_column=Column(no_wrap=True))

        first, *rest = map(text, fields)
        self._bar = progress.Progress(
            first, progress.BarColumn(bar_width=None), *rest, console=out.errors, expand=True, transient=True
        )
        self._task = self._bar.add_task("", total=None, **fields)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Remove the bar. Idempotent."""
        if self._bar:
            self._bar.stop()

    def show(self, completed: float, total: float | None, **fields: Any) -> None:
        """Redraw the bar."""
        if self._bar:
            self._bar.update(self._task, completed=completed, total=total, **fields)


class DownloadProgressBar(ProgressBar):
    """Files, bytes, speed and time left of a download.

    The size of a file is known when its download starts; until then it is estimated as the average of the others.
    """

    def __init__(self, out: Output, files: int) -> None:
        super().__init__(out, files=f"0/{files:,} files", details="")
        self._files = files
        self._began_at = time.monotonic()
        self._received: dict[Artifact, int] = {}
        self._bytes = 0
        self._known_bytes = 0
        self.finished: int = 0
        """Complete files."""

    def update(self, progress: "Progress") -> None:
        """Record the progress of one file."""
        before = self._received.get(progress.artifact)
        if before is None:
            self._known_bytes += progress.size or 0
        self._bytes += progress.received - (before or 0)
        self._received[progress.artifact] = progress.received
        self.finished += progress.done
        total = self._estimated_bytes
        self.show(
            self._bytes,
            total or None,
            files=f"{self.finished:,}/{self._files:,} files",
            details="  ".join(self._details(total)),
        )

    def _details(self, total: float) -> list[str]:
        seconds = time.monotonic() - self._began_at
        if not (self._bytes and seconds):
            return []
        speed = self._bytes / seconds
        left = [f"{duration((total - self._bytes) / speed)} left"] if total > self._bytes else []
        return [f"{size(self._bytes)} of {size(int(total))}", f"{size(int(speed))}/s", *left]

    @property
    def _estimated_bytes(self) -> float:
        started = len(self._received)
        return max(self._bytes, self._known_bytes / started * max(self._files, started))


class HarvestProgressBar(ProgressBar):
    """Files, bytes, speed, time left, failures and rate-limit pauses of a harvest."""

    def __init__(self, out: Output) -> None:
        super().__init__(out, files="discovering", details="")
        self.progress: HarvestProgress | None = None
        """The latest numbers."""
        self.errors: dict[FailureKey, CircleCIError] = {}
        """The first errors; the report has only their texts."""
        self._paused_until = 0.0

    def update(self, event: "HarvestEvent") -> None:
        """Record an event; called from a thread of the harvest."""
        from .. import FileFailed, HarvestProgress, ListingFailed, Throttled

        if isinstance(event, Throttled):
            self._paused_until = max(time.monotonic(), self._paused_until) + event.seconds
        elif isinstance(event, ListingFailed):
            self._keep((event.kind, event.name), event.error)
        elif isinstance(event, FileFailed):
            if event.is_final:
                self._keep((event.kind, event.path, event.project, event.job, event.node), event.error)
        elif isinstance(event, HarvestProgress):
            self.progress = event
            self.show(
                event.done + event.skipped + event.failed,
                event.discovered or None,
                files=file_count(event),
                details="  ".join(self._details(event)),
            )

    def _keep(self, key: FailureKey, error: Exception) -> None:
        if len(self.errors) < MAX_ERRORS and isinstance(error, CircleCIError):
            self.errors[key] = error

    def error_of(self, failure: "HarvestFailure") -> CircleCIError | None:
        """Return the error of a failure in the report, or None if it was not kept."""
        if failure.number is None:
            return self.errors.get((failure.kind, failure.name))
        return self.errors.get((f"{failure.kind}s", failure.name, failure.project, failure.number, failure.node))

    def _details(self, progress: "HarvestProgress") -> list[str]:
        pause = self._paused_until - time.monotonic()
        speed = [size(progress.file_bytes), f"{size(int(progress.speed))}/s"]
        return [
            *(speed if progress.discovered else []),
            *([f"{duration(progress.seconds_left)} left"] if progress.seconds_left is not None else []),
            *([f"{progress.failed:,} failed"] if progress.failed else []),
            *([f"rate limited (429): {duration(pause)}"] if pause > 0 else []),
        ]

    async def finish(self, summary: dict[str, Any], *, timeout: float | None = None) -> None:
        """Remove the bar."""
        self.stop()


class InsightsProgressBar(ProgressBar):
    """What is read for a report or a collection, and how many runs and requests so far."""

    def __init__(self, out: Output) -> None:
        super().__init__(out, phase="listing projects", details="")

    def update(self, progress: "InsightsProgress") -> None:
        """Show the progress."""
        details = f"{counted(progress.runs, 'run')}  {counted(progress.requests, 'request')}"
        done, total, phase = _insights_phase(progress)
        self.show(done, total if done else None, phase=phase, details=details)


class HarvestEventLines:
    """Writes each event of a harvest to stdout as a line of JSON, except the progress of single files.

    A thread writes, so that a slow reader neither delays the harvest nor misses a line. The harvest is cancelled when
    the reader closes the pipe.
    """

    def __init__(self, out: Output) -> None:
        self.progress: HarvestProgress | None = None
        """The latest numbers."""
        self._stream = out.stream
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._harvest = asyncio.current_task()
        self._written = asyncio.Event()
        self._error: OSError | None = None

    def __enter__(self) -> Self:
        # A daemon thread: a write that blocks must not keep the process alive after Ctrl-C.
        Thread(target=self._write_lines, name="harvest-lines", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.put(None)

    def update(self, event: "HarvestEvent") -> None:
        """Queue an event; called from a thread of the harvest."""
        from .. import FileAdvanced, HarvestProgress

        if isinstance(event, HarvestProgress):
            self.progress = event
        if not isinstance(event, FileAdvanced):
            self._put(_WORD_START.sub("_", type(event).__name__).lower(), event)

    async def finish(self, summary: dict[str, Any], *, timeout: float | None = None) -> None:
        """Queue the summary, and wait until all lines are written or `timeout` has passed."""
        self._harvest = None
        self._put("harvest_report", summary)
        self._lines.put(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._written.wait()
        if self._error is not None:
            raise self._error

    def _put(self, name: str, value: Any) -> None:
        from .. import to_dict, to_json

        self._lines.put(f"{to_json({'event': name, **to_dict(value)})}\n")

    def _write_lines(self) -> None:
        try:
            while (line := self._lines.get()) is not None:
                self._write(line)
        except OSError as error:
            self._error = error
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._end)

    def _write(self, line: str) -> None:
        try:
            number = self._stream.fileno()
        except (OSError, ValueError):  # not a file
            self._stream.write(line)
            return
        # Not through the stream: its lock, held by a write that blocks, would block the exit of the interpreter.
        data = line.encode()
        while data:
            data = data[os.write(number, data) :]

    def _end(self) -> None:
        if self._error is not None and self._harvest is not None:
            self._harvest.cancel()
        self._written.set()


def _insights_phase(progress: "InsightsProgress") -> tuple[int, int, str]:
    """Return what is done of the current phase, of how much, and a text with both."""
    done, total = progress.projects_done, progress.projects_total
    states = list(progress.usage_exports.values())
    pending = [state for state in states if state not in ("completed", "failed")]
    if done == total and pending:
        done = len(states) - len(pending)
        return done, len(states), f"usage export {done}/{len(states)} {pending[0]}"
    if done == total and progress.usage_rows:
        return done, total, f"{counted(progress.usage_rows, 'row')} of usage"
    return done, total, f"{done:,}/{counted(total, 'project')}"


def file_count(progress: "HarvestProgress") -> str:
    """Return how many of the known files are complete, `+` marks that discovery still runs; before, its progress."""
    if progress.is_discovering and not progress.discovered:
        expected = f" of ~{progress.pipelines_expected:,}" if progress.pipelines_expected is not None else ""
        last = progress.pipelines if progress.pipelines_expected is None else progress.pipelines_expected
        return f"discovering: {progress.pipelines:,}{expected} {'pipeline' if last == 1 else 'pipelines'}"
    more = "+" if progress.is_discovering else ""
    return f"{progress.done + progress.skipped:,}/{counted(progress.discovered, 'file').replace(' ', f'{more} ')}"
