"""Prints results: tables and records for people, JSON for programs; errors and notes on stderr."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, TextIO, TypeVar

from ..untrusted_text import printable
from .formatting import STYLES, Cell, shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from .. import Paged

T = TypeVar("T")

GAP = 2
"""Spaces between two columns."""

MIN_WIDTH = 12
"""Width to which the cells of a column are wrapped; a narrower terminal wraps the lines."""


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a table."""

    title: str
    value: Callable[[T], Cell]
    is_fixed: bool = False
    """Never wrapped."""
    is_number: bool = False
    """Aligned on the right on a terminal."""


class Output:
    """Writes results to stdout and messages to stderr. In JSON mode stdout receives only JSON."""

    def __init__(
        self,
        *,
        is_json: bool = False,
        is_verbose: bool = False,
        is_quiet: bool = False,
        is_fitted: bool = False,
        stream: TextIO | None = None,
    ) -> None:
        self.is_json = is_json
        self.is_verbose = is_verbose
        self.is_quiet = is_quiet
        self._is_fitted = is_fitted
        self._stream = stream

    @property
    def stream(self) -> TextIO:
        """The stream for results: stdout, or the one passed to the constructor."""
        return self._stream or sys.stdout

    @property
    def is_fitted(self) -> bool:
        """Whether lines are truncated to a width: on a terminal, or if requested."""
        return self._is_fitted or self.stream.isatty()

    @property
    def shows_progress(self) -> bool:
        """Whether a progress bar is shown: on a terminal, unless JSON or a log is printed there."""
        return self.errors.is_terminal and not (self.is_json or self.is_verbose or self.is_quiet or self._stream)

    @cached_property
    def console(self) -> "Console":
        """A rich console for results. It does not interpret markup."""
        return _console(file=self._stream)

    @cached_property
    def errors(self) -> "Console":
        """A rich console for stderr."""
        return _console(stderr=True)

    def say(self, text: "str | Text", style: str = "", *, wraps: bool = False) -> None:
        """Print a line for people. `wraps`: on a terminal, wrap it at words."""
        if not self.is_json:
            _print_line(self.console, text, style, wraps=wraps and self.is_fitted)

    def note(self, text: str, style: str = "dim") -> None:
        """Print a line on stderr, unless the command is quiet."""
        if not self.is_quiet:
            _print_line(self.errors, printable(text), style)

    def error(self, message: str, hint: str | None = None, request_line: str = "") -> None:
        """Print an error, its hint and its request, if there are any, as one line on stderr."""
        from rich.text import Text

        line = Text.assemble(("error: ", "bold red"), printable(message.strip()))
        if hint:  # in square brackets, since messages contain parentheses
            line.append_text(Text.assemble(" [", ("hint: ", "bold"), printable(hint), "]"))
        if request_line:
            line.append(f" ({printable(request_line)})", "dim")
        _print_line(self.errors, line)

    def data(self, value: Any) -> None:
        """Print models or plain data as indented JSON."""
        self.write(f"{_to_json(value, indent=2)}\n")

    def line(self, value: Any) -> None:
        """Print models or plain data as one line of JSON, and flush."""
        self.write(f"{_to_json(value)}\n")
        self.stream.flush()

    def record(self, value: Any, fields: Iterable[tuple[str, Cell]]) -> None:
        """Print `value` as JSON, or its `fields` for people."""
        if self.is_json:
            self.data(value)
        else:
            self.fields([*fields])

    def fields(self, fields: Sequence[tuple[str, Cell]]) -> None:
        """Print names and values, one pair per line."""
        from rich.text import Text

        width = max(len(name) for name, _ in fields) + 1
        for name, cell in fields:
            label = (f"{name}:".ljust(width + 1), "dim")
            self.say(Text.assemble(label, (shown(cell, exact=not self.is_fitted), _style(cell))))

    async def list(
        self, items: "Paged[T]", columns: Sequence[Column[T]], *, limit: int | None = None, none: str
    ) -> None:
        """Print at most `limit` items as a JSON array or a table, or print `none` on stderr for an empty list."""
        if self.is_json:
            await self.array(_first(limit, items))
        elif rows := await items.collect(limit):
            self.table(rows, columns)
        else:
            self.note(none)

    async def array(self, items: AsyncIterator[Any]) -> None:
        """Print a JSON array item by item, one per line. An error leaves the array unclosed."""
        before = "[\n"
        async for item in items:
            self.write(f"{before}{_to_json(item)}")
            before = ",\n"
        self.write("[]\n" if before == "[\n" else "\n]\n")

    def table(self, rows: Sequence[T], columns: Sequence[Column[T]]) -> None:
        """Print a table: on a terminal in color, with long cells wrapped; otherwise each row as one line."""
        if self.is_json:
            return
        from rich.cells import cell_len
        from rich.table import Table
        from rich.text import Text

        values = [[column.value(row) for column in columns] for row in rows]
        lines = [[shown(cell, exact=not self.is_fitted) for cell in row] for row in values]
        titles = [column.title for column in columns]
        widths = [max(map(cell_len, texts)) + GAP for texts in zip(titles, *lines, strict=True)]
        if not self.is_fitted:
            for line in (titles, *lines):
                padded = (text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True))
                self.write(f"{''.join(padded).rstrip()}\n")
            return
        widths[-1] -= GAP
        least = sum(
            width if column.is_fixed else min(width, MIN_WIDTH) for column, width in zip(columns, widths, strict=True)
        )
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        table.width = min(sum(widths), max(self.console.width, least))
        for column in columns:
            justify: Literal["left", "right"] = "right" if column.is_number else "left"
            table.add_column(column.title, justify=justify, no_wrap=column.is_fixed, overflow="fold")
        for row, line in zip(values, lines, strict=True):
            table.add_row(*(Text(text, _style(cell)) for cell, text in zip(row, line, strict=True)))
        self.console.print(table, soft_wrap=True)

    def write(self, text: str) -> None:
        """Print text unchanged."""
        self.stream.write(text)


def _console(*, stderr: bool = False, file: TextIO | None = None) -> "Console":
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704 - called while the error is handled; rich would exit the process

    return Plain(stderr=stderr, file=file, highlight=False, markup=False, emoji=False)


def _print_line(console: "Console", text: "str | Text", style: str = "", *, wraps: bool = False) -> None:
    from rich.text import Text

    line = Text(text, style) if isinstance(text, str) else text  # the newline has no style
    for each in line.wrap(console, console.width) if wraps else [line]:
        each.rstrip()
        console.print(each, soft_wrap=True)


def _style(cell: Cell) -> str:
    return STYLES.get(str(cell), "") if isinstance(cell, Enum) else ""


def _to_json(value: Any, indent: int | None = None) -> str:
    from .. import to_dict

    # ASCII only: no control characters reach a terminal, and the encoding of the stream does not matter.
    return json.dumps(to_dict(value), indent=indent)


async def _first(limit: int | None, items: "Paged[T]") -> AsyncIterator[T]:
    count = 0
    async with aclosing(items.pages()) as pages:
        async for page in pages:
            for item in page.items:
                if count == limit:
                    return
                yield item
                count += 1
            if count == limit:
                return
