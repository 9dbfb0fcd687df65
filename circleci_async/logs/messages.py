"""What the storage keeps of a step, from its bytes to messages: a JSON array, read as it comes. Knows of no network.

The array may be any length, and so may the text of one message in it: CircleCI often keeps a whole log in one. So
neither is ever held.
"""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Generator, Iterator
from datetime import datetime
from typing import NoReturn

from ..models.steps import OutputMessage

LONGEST_MESSAGE = 64 * 1024
"""Characters of text, roughly. A longer one is given in parts."""

_LONGEST_WORD = 256  # characters of a key, a number, a date
_EXCERPT = 40  # characters of the body that an error shows at most

_UTF_8 = getincrementaldecoder("utf-8-sig")
_SPACE = re.compile(r"[ \t\r\n]*")
# The inside of a string, up to its end or to an escape that is not whole yet. Possessive: it may be long.
_INSIDE = re.compile(r'(?:[^"\\]++|\\u[0-9a-fA-F]{4}|\\[^u])*+')
_ESCAPE = 6  # characters that the longest one has
_WORD = re.compile(r"[-+.\w]*")
_LITERAL = re.compile(r"null|true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
_SURROGATE = re.compile(r"[\ud800-\udfff]")

Step = Generator[OutputMessage | None, None, None]
"""Yields messages, and None where it can't go on before more text has come."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)  # bare control characters harm nobody


class Unreadable(Exception):
    """The bytes are no such array. The message says what is wrong and where."""


class JsonMessages:
    """Reads `[{"message": …, "type": …, "time": …}, …]`, whose bytes come in any pieces; nothing at all is no messages.

    Raises `Unreadable` at whatever is wrong, having given all messages before it.
    """

    def __init__(self) -> None:
        self._utf_8 = _UTF_8("replace")  # what a build prints may be anything
        self._text = ""
        self._at = 0
        """All text before this has been read."""
        self._has_ended = False
        self._high = ""
        """The first half of a character that was written as two escapes."""
        self._count = 0
        self._reading = self._array()

    def feed(self, data: bytes) -> Iterator[OutputMessage]:
        """Yield the messages, and the parts of a long one, that these bytes bring. Take all before the next call."""
        self._text = self._text[self._at :] + self._utf_8.decode(data)
        self._at = 0
        yield from self._read()

    def end(self) -> Iterator[OutputMessage]:
        """Yield what is left when all bytes have come. Raises `Unreadable` if that is not the end of the array."""
        self._has_ended = True
        self._text += self._utf_8.decode(b"", final=True)
        yield from self._read()

    def _read(self) -> Iterator[OutputMessage]:
        for message in self._reading:
            if message is None:
                return
            yield message

    def _array(self) -> Step:
        if not (yield from self._next()):
            return
        yield from self._take("[")
        if (yield from self._next()) == "]":
            self._at += 1
        else:
            while True:
                if message := self._whole_message():
                    yield message
                else:
                    yield from self._message()
                self._count += 1
                if (yield from self._take(",]")) == "]":
                    break
        if after := (yield from self._next()):
            raise Unreadable(f"$: goes on after its end, with {after!r}")

    def _whole_message(self) -> OutputMessage | None:
        """Read a message at once if all of it is there; the other way takes ten times as long, but any message."""
        try:
            found, end = _JSON.raw_decode(self._text, _SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]  # it matches anywhere
        except (ValueError, RecursionError):
            return None
        match found:
            case {"message": str(text)}:
                kind, time = found.get("type"), found.get("time")
            case _:
                return None
        self._at = end
        return OutputMessage(
            text=_mended(text),
            type=kind if isinstance(kind, str) else None,
            time=_moment(time) if isinstance(time, str) else None,
        )

    def _message(self) -> Step:
        """Read a message as it comes."""
        yield from self._take("{")
        text, kind, time = "", None, None
        in_parts = False
        if (yield from self._next()) == "}":
            self._at += 1
        else:
            while True:
                key = yield from self._word()
                yield from self._take(":")
                is_text = (yield from self._next()) == '"'
                if key == "message" and is_text:
                    self._at += 1
                    closed = False
                    while not closed:
                        more, closed = yield from self._piece()
                        text += more
                        if len(text) > LONGEST_MESSAGE:
                            yield OutputMessage(text=text, type=kind, time=time)
                            text, in_parts = "", True
                elif key == "type" and is_text:
                    kind = yield from self._word()
                elif key == "time" and is_text:
                    time = _moment((yield from self._word()))
                elif (yield from self._skip()) != "null" and key == "message":
                    raise Unreadable(f"$[{self._count}].message: expected a string")
                if (yield from self._take(",}")) == "}":
                    break
        if text or not in_parts:
            yield OutputMessage(text=text, type=kind, time=time)

    def _skip(self) -> Generator[None, None, str]:
        """Go past a value of any kind; return it if it is a literal."""
        depth = 0
        literal = ""
        while True:
            following = yield from self._next()
            if following == '"':
                self._at += 1
                closed = False
                while not closed:
                    _, closed = yield from self._piece()
            elif following and following in "[{":
                self._at += 1
                depth += 1
            elif following and following in "]},:" and depth:
                self._at += 1
                depth -= following in "]}"
            else:
                literal = yield from self._literal()
            if depth == 0:
                return literal

    def _literal(self) -> Generator[None, None, str]:
        while True:
            word = _WORD.match(self._text, self._at)
            end = word.end() if word else self._at
            if end - self._at > _LONGEST_WORD:
                self._refuse("a shorter value")
            if end < len(self._text) or not (yield from self._more()):
                break
        literal = self._text[self._at : end]
        if not _LITERAL.fullmatch(literal):
            self._refuse("a value")
        self._at = end
        return literal

    def _word(self) -> Generator[None, None, str]:
        """Read a string that can't be long."""
        yield from self._take('"')
        word, closed = "", False
        while not closed:
            more, closed = yield from self._piece()
            word += more
            if len(word) > _LONGEST_WORD:
                raise Unreadable(f"$[{self._count}]: {word[:_EXCERPT]!r} goes on for too long")
        return word

    def _piece(self) -> Generator[None, None, tuple[str, bool]]:
        """Read what has come of a string, and say whether that was its end; wait if nothing has."""
        while True:
            inside = _INSIDE.match(self._text, self._at)
            end = inside.end() if inside else self._at
            closed = self._text[end : end + 1] == '"'
            if not closed and len(self._text) - end >= _ESCAPE:
                self._at = end
                self._refuse("an escape")
            if closed or end > self._at:
                raw, self._at = self._text[self._at : end], end + closed
                return self._plain(raw, closed=closed), closed
            if not (yield from self._more()):
                self._refuse("the end of a string")

    def _plain(self, raw: str, *, closed: bool) -> str:
        """Return the text that the inside of a string stands for."""
        if "\\" not in raw and not self._high:
            return raw
        try:
            text: str = self._high + _JSON.decode(f'"{raw}"')
        except ValueError:
            raise Unreadable(f"$[{self._count}]: expected other escapes than in {raw[:_EXCERPT]!r}") from None
        self._high = ""
        if not closed and "\ud800" <= text[-1] <= "\udbff":
            text, self._high = text[:-1], text[-1]
        return _mended(text)

    def _take(self, expected: str) -> Generator[None, None, str]:
        """Go past one of these characters."""
        following = yield from self._next()
        if not following or following not in expected:
            self._refuse(" or ".join(expected))
        self._at += 1
        return following

    def _next(self) -> Generator[None, None, str]:
        """Return the next character that is not white space, without going past it; "" at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not (yield from self._more()):
                return ""

    def _more(self) -> Generator[None, None, bool]:
        """Wait for more text; say whether any has come."""
        left = len(self._text) - self._at
        while not self._has_ended and len(self._text) - self._at == left:
            yield None
        return len(self._text) - self._at > left

    def _refuse(self, expected: str) -> NoReturn:
        here = self._text[self._at : self._at + _EXCERPT]
        raise Unreadable(f"$[{self._count}]: expected {expected}, got {repr(here) if here else 'the end'}")


class TextMessages:
    """The same of plain text: its parts, as they come."""

    def __init__(self) -> None:
        self._utf_8 = _UTF_8("replace")

    def feed(self, data: bytes) -> Iterator[OutputMessage]:
        """Yield what these bytes bring."""
        if text := self._utf_8.decode(data):
            yield OutputMessage(text=text)

    def end(self) -> Iterator[OutputMessage]:
        """Yield what is left when all bytes have come."""
        if text := self._utf_8.decode(b"", final=True):
            yield OutputMessage(text=text)


def _mended(text: str) -> str:
    """Return the text without halves of characters: two make one, and one is none."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
