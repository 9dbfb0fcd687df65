"""The progress bar of downloads."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from .output import Output

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from ..downloads.download import Progress
    from ..models.artifacts import Artifact


class Meter:
    """Counts what is downloaded and, where somebody looks, shows it: files, bytes, speed, time left.

    The size of a file is known when its download begins. Until then it is taken to be as large as the others are on
    average, so that the time left is about right from the first second on.
    """

    def __init__(self, out: Output, files: int) -> None:
        self._files = files
        self._received: dict[Artifact, int] = {}
        self._bytes = 0
        self._known_bytes = 0
        self.finished = 0
        """Files that are whole."""
        self._bar = _bar(out) if out.shows_progress and files else None
        self._task = self._bar.add_task("", total=None, files=self._text) if self._bar else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, progress: "Progress") -> None:
        """Take note of how far one file has come."""
        before = self._received.get(progress.artifact)
        if before is None:
            self._known_bytes += progress.size or 0
        self._bytes += progress.received - (before or 0)
        self._received[progress.artifact] = progress.received
        self.finished += progress.done
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=self._bytes, total=self._total, files=self._text)

    @property
    def _total(self) -> float:
        begun = len(self._received)
        return max(self._bytes, self._known_bytes / begun * max(self._files, begun)) if begun else 0.0

    @property
    def _text(self) -> str:
        return f"{self.finished:,}/{self._files:,} files"


def _bar(out: Output) -> "Bar":
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.fields[files]}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=out.errors,
        expand=True,
        transient=True,
    )
