"""Lines out of text that comes in pieces: as it was printed, or as a terminal would show it in the end. Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from .escapes import Escapes

LONGEST_LINE = 64 * 1024
"""Characters. A longer line is given in parts of that, for nobody knows whether it ever ends."""

_RUN = re.compile(r"[^\b\r]+|[\b\r]")


class Line(NamedTuple):
    """A line without its end, or a part of one that is too long or that nothing has ended yet."""

    text: str
    ended: bool

    @property
    def whole(self) -> str:
        """The line with its end."""
        return f"{self.text}\n" if self.ended else self.text


class Lines(Protocol):
    """Makes lines of text that comes in pieces."""

    def feed(self, text: str) -> Iterator[Line]:
        """Yield the lines that this piece ends. Take all before the next call."""
        ...

    def end(self) -> Iterator[Line]:
        """Yield the last line, if nothing has ended it."""
        ...


def splitter(*, ansi: bool) -> Lines:
    """Return what makes lines: as printed, with all codes (`ansi`), or as they look in the end."""
    return PrintedLines() if ansi else ShownLines()


class PrintedLines:
    """Lines with all that was printed, save the carriage return before a newline."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> Iterator[Line]:
        """Yield the lines that this piece ends."""
        *whole, self._rest = f"{self._rest}{text}".split("\n")
        for line in whole:
            yield from _parts(line.removesuffix("\r"))
        while len(self._rest) > LONGEST_LINE:
            part, self._rest = self._rest[:LONGEST_LINE], self._rest[LONGEST_LINE:]
            yield Line(part, ended=False)

    def end(self) -> Iterator[Line]:
        """Yield the last line, if nothing has ended it."""
        if self._rest:
            yield Line(self._rest, ended=False)
            self._rest = ""


class ShownLines:
    """Lines as they look in the end: without codes, and of what was overwritten only the last state.

    What follows a carriage return replaces the line (so of a progress bar its end is left); a backspace goes back a
    character, which the next one overwrites.
    """

    def __init__(self) -> None:
        self._escapes = Escapes()
        self._line = ""
        self._at: int = 0
        """Where the next character goes."""
        self._returned = False
        """Whether a carriage return was the last thing that came."""

    def feed(self, text: str) -> Iterator[Line]:
        """Yield the lines that this piece ends."""
        *whole, rest = self._escapes.strip(text).split("\n")
        for line in whole:
            shown = line.rstrip("\r")
            if self._at == 0 == len(self._line) and _is_simple(shown):  # nearly always
                self._returned = False
                yield Line(shown, ended=True)
                continue
            yield from self._put(shown)
            yield Line(self._line, ended=True)
            self._line, self._at, self._returned = "", 0, False
        yield from self._put(rest)

    def end(self) -> Iterator[Line]:
        """Yield the last line, if nothing has ended it."""
        if self._line:
            yield Line(self._line, ended=False)
            self._line, self._at = "", 0

    def _put(self, text: str) -> Iterator[Line]:
        """Write into the line; yield what it has too much."""
        if "\b" not in text and "\r" not in text:  # nearly always
            self._write(text)
        else:
            for run in _RUN.findall(text):
                if run == "\r":
                    self._returned = True
                elif run == "\b":
                    self._at = max(0, self._at - 1)
                else:
                    self._write(run)
        while len(self._line) > LONGEST_LINE:
            part, self._line = self._line[:LONGEST_LINE], self._line[LONGEST_LINE:]
            self._at = max(0, self._at - LONGEST_LINE)
            yield Line(part, ended=False)

    def _write(self, text: str) -> None:
        if not text:
            return
        if self._returned:
            self._line, self._at, self._returned = "", 0, False
        if self._at == len(self._line):
            self._line += text
        else:
            self._line = self._line[: self._at] + text + self._line[self._at + len(text) :]
        self._at += len(text)


def _is_simple(line: str) -> bool:
    return len(line) <= LONGEST_LINE and "\r" not in line and "\b" not in line


def _parts(line: str) -> Iterator[Line]:
    """Yield a whole line, in parts if it is too long."""
    while len(line) > LONGEST_LINE:
        yield Line(line[:LONGEST_LINE], ended=False)
        line = line[LONGEST_LINE:]
    yield Line(line, ended=True)
