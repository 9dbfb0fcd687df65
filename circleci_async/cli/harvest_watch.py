"""What is shown of a harvest while it is at work: a bar for people, a line of JSON per event for programs."""

import asyncio
import re
import select
import time
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .formatting import counted, duration, size
from .output import Output

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from ..harvest.events import HarvestEvent, HarvestProgress

LAST_WORDS = 2.0
"""Seconds that a reader has for what was printed, when the harvest was stopped or failed."""

_AT_ONCE: int = getattr(select, "PIPE_BUF", 512)
"""Characters that go without waiting where `select` says that some can go."""

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
    ) -> None: ...

    def tell(self, event: "HarvestEvent") -> None:
        """Take note of an event."""
        from ..harvest.events import HarvestProgress

        if isinstance(event, HarvestProgress):
            self.progress = event

    async def conclude(self, summary: dict[str, Any], *, patience: float | None = None) -> None:
        """Show nothing more, for programs the summary apart; wait so many seconds for them to read all, or for ever."""


class HarvestLines(HarvestWatch):
    """Prints each event as a line of JSON at once, but for how far each single file is.

    A program that reads slowly holds up nothing and misses nothing: lines wait for it. One that has gone away ends the
    harvest.
    """

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._loop = asyncio.get_running_loop()
        self._harvest = asyncio.current_task()
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._printed = asyncio.Event()
        self._has_given_up = False
        self._broken: BrokenPipeError | None = None
        self._printer = Thread(target=self._print, name="harvest-lines")

    def __enter__(self) -> Self:
        self._printer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lines.put(None)
        self._printer.join(LAST_WORDS)
        self._has_given_up = True
        self._printer.join()

    def tell(self, event: "HarvestEvent") -> None:
        """Print an event."""
        from ..harvest.events import FileAdvanced

        super().tell(event)
        if not isinstance(event, FileAdvanced):
            self._put(_CAPITAL.sub("_", type(event).__name__).lower(), event)

    async def conclude(self, summary: dict[str, Any], *, patience: float | None = None) -> None:
        """Print the summary, and wait until all is read."""
        self._put("harvest_report", summary)
        self._lines.put(None)
        try:
            async with asyncio.timeout(patience):
                await self._printed.wait()
        except TimeoutError:
            pass
        finally:
            if self._broken:
                raise self._broken from None

    def _put(self, name: str, value: Any) -> None:
        from ..core.codec import to_dict, to_json

        self._lines.put(f"{to_json({'event': name, **to_dict(value)})}\n")

    def _print(self) -> None:
        try:
            while (line := self._lines.get()) is not None:
                for begin in range(0, len(line), _AT_ONCE):
                    while not self._is_read():
                        if self._has_given_up:
                            return
                    self._out.stream.write(line[begin : begin + _AT_ONCE])
                    self._out.stream.flush()
        except BrokenPipeError as error:
            self._broken = error
            self._call(self._harvest.cancel if self._harvest else None)
        finally:
            self._call(self._printed.set)

    def _is_read(self) -> bool:
        """Wait for a moment for somebody to read what is printed; say whether somebody does."""
        try:
            return bool(select.select([], [self._out.stream.fileno()], [], 0.1)[1])
        except (OSError, ValueError):  # a stream that is no file, or a system that can't tell
            return True

    def _call(self, function: Any) -> None:
        if function is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(function)


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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def tell(self, event: "HarvestEvent") -> None:
        """Show the numbers as they come."""
        from ..harvest.events import HarvestProgress, Throttled

        super().tell(event)
        if isinstance(event, Throttled):
            self._held_until = max(time.monotonic(), self._held_until) + event.seconds
        elif isinstance(event, HarvestProgress) and self._bar and self._task is not None:
            self._bar.update(
                self._task,
                completed=event.done + event.skipped + event.failed,
                total=event.discovered or None,
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

    async def conclude(self, summary: dict[str, Any], *, patience: float | None = None) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()


def _files(progress: "HarvestProgress") -> str:
    """Say how many are there of those that are known so far; `+` means that more are being found."""
    more = "+" if progress.is_discovering else ""
    return f"{progress.done + progress.skipped:,}/{counted(progress.discovered, 'file').replace(' ', f'{more} ')}"


def _bar(out: Output) -> "Bar":
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    def text(name: str) -> TextColumn:
        return TextColumn(f"{{task.fields[{name}]}}", markup=False, table_column=Column(no_wrap=True))

    return Progress(
        text("files"), BarColumn(bar_width=None), text("details"), console=out.errors, expand=True, transient=True
    )
