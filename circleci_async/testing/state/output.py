"""What a step printed, as text and as the JSON that the storage keeps: given by hand, or made up while it is read."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from attrs import field, frozen

from .content import Content, Readable
from .timestamps import timestamp

Stream = Literal["out", "err"]

_LINE = 64  # bytes of a line that is made up, its end included
_BLOCK = 1024  # such lines in a message


@frozen
class Message:
    """Text that a step printed in one go, to standard output (`out`) or to standard error (`err`)."""

    text: str
    type: Stream
    at: datetime

    def described(self) -> dict[str, str]:
        """Give it as the storage keeps it."""
        return {"message": self.text, "time": timestamp(self.at), "type": self.type}


@frozen
class MadeUp:
    """The first bytes of an endless log, one at least, as text, or as messages of 1024 lines each.

    Each line is 64 bytes long, and names its number, so that what was lost or came twice is seen.
    """

    length: int
    time: str | None = None
    """Of each message; None for text."""

    @property
    def _block_size(self) -> int:
        return len(self._block(0, full=True))

    @property
    def size(self) -> int:
        """Length in bytes."""
        blocks = -(-self.length // (_LINE * _BLOCK))
        return (blocks - 1) * self._block_size + len(self._block(blocks - 1))

    @property
    def etag(self) -> str:
        """Names the version of the bytes."""
        return f'"{self.length:x}-{"text" if self.time is None else "json"}"'

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Give the bytes from `start` up to `stop` (the end when None), a block at a time."""
        stop = self.size if stop is None else min(stop, self.size)
        length = self._block_size
        while start < stop:
            number, skipped = divmod(start, length)
            piece = memoryview(self._block(number))[skipped : skipped + stop - start]
            yield piece
            start += len(piece)

    def _block(self, number: int, *, full: bool = False) -> bytes:
        first = number * _BLOCK
        text = "".join(_line(index) for index in range(first, first + _BLOCK))
        if not full:
            text = text[: self.length - first * _LINE]
        if self.time is None:
            return text.encode()
        message = json.dumps({"message": text, "time": self.time, "type": "out"}, separators=(",", ":"))
        return f"{',' if number else '['}{message}".encode()


@frozen
class Joined:
    """Several contents as one."""

    parts: Sequence[Readable] = field(repr=False)

    @property
    def size(self) -> int:
        """Length in bytes."""
        return sum(part.size for part in self.parts)

    @property
    def etag(self) -> str:
        """Names the version of the bytes."""
        names = " ".join(part.etag for part in self.parts)
        return f'"{hashlib.md5(names.encode(), usedforsecurity=False).hexdigest()}"'

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Give the bytes from `start` up to `stop` (the end when None), in pieces."""
        stop = self.size if stop is None else stop
        for part in self.parts:
            if start < part.size and stop > 0:
                yield from part.pieces(max(0, start), stop)
            start -= part.size
            stop -= part.size


def as_text(size: int, messages: Sequence[Message]) -> Readable:
    """Give `size` bytes that are made up, and the messages after them, as text."""
    given = Content.given("".join(message.text for message in messages).encode())
    return Joined((MadeUp(size), given)) if size else given


def as_json(size: int, messages: Sequence[Message], at: datetime) -> Readable:
    """Give the same as one JSON array; what is made up was printed `at` this time."""
    rest = json.dumps([message.described() for message in messages], ensure_ascii=False, separators=(",", ":"))
    if not size:
        return Content.given(rest.encode())
    end = f",{rest[1:]}" if messages else "]"
    return Joined((MadeUp(size, timestamp(at)), Content.given(end.encode())))


def _line(number: int) -> str:
    return f"{number:012d} {'.' * (_LINE - 14)}\n"
