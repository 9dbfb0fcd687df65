"""What is shown of a harvest while it is at work: a bar for people, a line of JSON per event for programs."""

import asyncio
import re
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .formatting import counted, duration, size
from .output import Output

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from ..harvest.events import HarvestEvent, HarvestProgress

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


class HarvestWatch:
    """Is told of everything, in a thread of its own, and knows the latest numbers."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self.progress: HarvestProgress | None = None
        """The latest numbers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def tell(self, event: "HarvestEvent") -> None:
        """Take note of an event."""
        from ..harvest.events import HarvestProgress

        if isinstance(event, HarvestProgress):
            self.progress = event

    def stop(self) -> None:
        """Show nothing more. Safe to repeat; raises what went wrong while it was shown."""


class HarvestLines(HarvestWatch):
    """Prints each event as a line of JSON at once, but for how far each single file is."""

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._loop = asyncio.get_running_loop()
        self._harvest = asyncio.current_task()
        self._broken: BrokenPipeError | None = None

    def tell(self, event: "HarvestEvent") -> None:
        """Print an event; end the harvest if nobody reads any more."""
        from ..codec import to_dict
        from ..harvest.events import FileAdvanced

        super().tell(event)
        if self._broken or isinstance(event, FileAdvanced):
            return
        try:
            self._out.line({"event": _CAPITAL.sub("_", type(event).__name__).lower(), **to_dict(event)})
        except BrokenPipeError as error:
            self._broken = error
            if self._harvest is not None:
                with suppress(RuntimeError):  # it has ended
                    self._loop.call_soon_threadsafe(self._harvest.cancel)

    def stop(self) -> None:
        """End as a command does whose output nobody reads any more, if that is so."""
        if self._broken:
            raise self._broken


class HarvestMeter(HarvestWatch):
    """Shows, where somebody looks, files found and done, bytes, speed, time left, failures and the server's pauses."""

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._held_until = 0.0
        self._bar = _bar(out) if out.shows_progress else None
        self._task = self._bar.add_task("", total=None, files="", details="finding artifacts") if self._bar else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def tell(self, event: "HarvestEvent") -> None:
        """Show the numbers as they come."""
        from ..harvest.events import HarvestProgress, HeldBack

        super().tell(event)
        if isinstance(event, HeldBack):
            self._held_until = max(time.monotonic(), self._held_until) + event.seconds
        elif isinstance(event, HarvestProgress) and self._bar and self._task is not None:
            self._bar.update(
                self._task,
                completed=event.done + event.skipped + event.failed,
                total=event.found or None,
                files=_files(event),
                details="  ".join(self._details(event)),
            )

    def _details(self, progress: "HarvestProgress") -> list[str]:
        held = self._held_until - time.monotonic()
        return [
            size(progress.received),
            f"{size(int(progress.speed))}/s",
            *([f"{duration(progress.seconds_left)} left"] if progress.seconds_left is not None else []),
            *([f"{progress.failed:,} failed"] if progress.failed else []),
            *([f"held back (429): {duration(held)}"] if held > 0 else []),
        ]

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()


def _files(progress: "HarvestProgress") -> str:
    """Say how many are there of those that are known so far; `+` means that more are being found."""
    more = "+" if progress.is_finding else ""
    return f"{progress.done + progress.skipped:,}/{counted(progress.found, 'file').replace(' ', f'{more} ')}"


def _bar(out: Output) -> "Bar":
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    def text(name: str) -> TextColumn:
        return TextColumn(f"{{task.fields[{name}]}}", markup=False, table_column=Column(no_wrap=True))

    return Progress(
        text("files"), BarColumn(bar_width=None), text("details"), console=out.errors, expand=True, transient=True
    )
