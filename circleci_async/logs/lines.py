"""Splitting text that arrives in pieces into lines, as printed or as a terminal shows them. No I/O."""

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from .escapes import Escapes

MAX_LINE = 64 * 1024
"""Characters of a line. Longer lines are yielded in parts, since they might never end."""

_RUN = re.compile(r"[^\b\r]+|[\b\r]")


class Line(NamedTuple):
    """A line without its newline, or a part of one that is too long or incomplete."""

    text: str
    ended: bool

    @property
    def with_newline(self) -> str:
        """The line with its newline."""
        return f"{self.text}\n" if self.ended else self.text


class Lines(Protocol):
    """Splits text that arrives in pieces into lines."""

    def feed(self, text: str) -> Iterator[Line]:
        """Yield the lines that this piece completes. Exhaust it before the next call."""
        ...

    def end(self) -> Iterator[Line]:
        """Yield the last line if it has no newline."""
        ...


def splitter(*, ansi: bool) -> Lines:
    """Return a splitter into lines as printed, with all codes (`ansi`), or as a terminal shows them."""
    return PrintedLines() if ansi else ShownLines()


class PrintedLines:
    """Lines with everything that was printed, except the carriage return before a newline."""

    def __init__(self) -> None:
        self._rest: list[str] = []
        """The pieces of the last line: a build can print each character separately."""
        self._length = 0

    def feed(self, text: str) -> Iterator[Line]:
        """Yield the lines that this piece completes."""
        self._rest.append(text)
        self._length += len(text)
        if "\n" not in text and self._length <= MAX_LINE:
            return
        *complete, rest = "".join(self._rest).split("\n")
        for line in complete:
            yield from _parts(line.removesuffix("\r"))
        while len(rest) > MAX_LINE:
            part, rest = rest[:MAX_LINE], rest[MAX_LINE:]
            yield Line(part, ended=False)
        self._rest, self._length = [rest], len(rest)

    def end(self) -> Iterator[Line]:
        """Yield the last line if it has no newline."""
        if rest := "".join(self._rest):
            yield Line(rest, ended=False)
        self._rest, self._length = [], 0


class ShownLines:
    """Lines as a terminal shows them: without codes, and with the last state of overwritten text.

    Text after a carriage return replaces the line, so that the last state of a progress bar is left. A backspace moves
    back by one character, which the next one overwrites.
    """

    def __init__(self) -> None:
        self._escapes = Escapes()
        self._line: list[str] = []
        """Its characters: overwriting one takes the same time in a long line."""
        self._at: int = 0
        """Column of the next character."""
        self._returned = False
        """Whether a carriage return was the last character."""

    def feed(self, text: str) -> Iterator[Line]:
        """Yield the lines that this piece completes."""
        *complete, rest = self._escapes.strip(text).split("\n")
        for line in complete:
            shown = line.rstrip("\r")
            if not self._line and self._at == 0 and _is_simple(shown):  # the usual case
                self._returned = False
                yield Line(shown, ended=True)
                continue
            yield from self._put(shown)
            yield Line("".join(self._line), ended=True)
            self._line, self._at, self._returned = [], 0, False
        yield from self._put(rest)

    def end(self) -> Iterator[Line]:
        """Yield the last line if it has no newline."""
        if self._line:
            yield Line("".join(self._line), ended=False)
            self._line, self._at = [], 0

    def _put(self, text: str) -> Iterator[Line]:
        """Write into the line; yield the parts beyond its maximum length."""
        if "\b" not in text and "\r" not in text:  # the usual case
            self._write(text)
        else:
            for run in _RUN.findall(text):
                if run == "\r":
                    self._returned = True
                elif run == "\b":
                    self._at = max(0, self._at - 1)
                else:
                    self._write(run)
        while len(self._line) > MAX_LINE:
            part, self._line = self._line[:MAX_LINE], self._line[MAX_LINE:]
            self._at = max(0, self._at - MAX_LINE)
            yield Line("".join(part), ended=False)

    def _write(self, text: str) -> None:
        if not text:
            return
        if self._returned:
            self._line, self._at, self._returned = [], 0, False
        self._line[self._at : self._at + len(text)] = text
        self._at += len(text)


def _is_simple(line: str) -> bool:
    return len(line) <= MAX_LINE and "\r" not in line and "\b" not in line


def _parts(line: str) -> Iterator[Line]:
    """Yield a complete line, in parts if it is too long."""
    while len(line) > MAX_LINE:
        yield Line(line[:MAX_LINE], ended=False)
        line = line[MAX_LINE:]
    yield Line(line, ended=True)
