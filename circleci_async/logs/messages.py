"""Parsing the stored output of a step: a JSON array of messages that arrives in pieces. No I/O.

The array can have any length, and so can the text of a message: CircleCI often stores a whole log in one. Neither is
ever held in memory as a whole.
"""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import NoReturn

from ..models.steps import OutputMessage
from ..untrusted_text import is_valid_unicode

MAX_MESSAGE = 64 * 1024
"""Characters of text, approximately. Longer messages are yielded in parts."""

_MAX_WORD = 256  # characters of a key, a number or a date
_EXCERPT = 40  # characters of the body in an error

_UTF_8 = getincrementaldecoder("utf-8-sig")
_SPACE = re.compile(r"[ \t\r\n]*")
# The inside of a string, up to its end or an incomplete escape. Possessive, since it can be long.
_INSIDE = re.compile(r'(?:[^"\\]++|\\u[0-9a-fA-F]{4}|\\[^u])*+')
_ESCAPE = 6  # characters of the longest escape
_WORD = re.compile(r"[-+.\w]*")
_LITERAL = re.compile(r"null|true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)

Step = Generator[OutputMessage | None, None, None]
"""Yields messages, and None when it needs more text."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)  # accept bare control characters


class MalformedOutput(Exception):
    """The bytes are not a valid array of messages. The message says why and where."""


class JsonMessages:
    """Parses `[{"message": …, "type": …, "time": …}, …]` from any pieces; an empty body has no messages.

    Raises `MalformedOutput` for any fault, after the messages before it.
    """

    def __init__(self) -> None:
        self._utf_8 = _UTF_8("replace")  # builds print arbitrary bytes
        self._text = ""
        self._at = 0
        """Index of the next character of the text."""
        self._has_ended = False
        self._high = ""
        """First half of a surrogate pair, written as two escapes."""
        self._count = 0
        self._reading = self._array()

    def feed(self, data: bytes) -> Iterator[OutputMessage]:
        """Yield the messages, and parts of long ones, in these bytes. Exhaust it before the next call."""
        self._text = self._text[self._at :] + self._utf_8.decode(data)
        self._at = 0
        yield from self._read()

    def end(self) -> Iterator[OutputMessage]:
        """Yield the remaining messages, after all bytes. Raises `MalformedOutput` if the array is incomplete."""
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
            raise MalformedOutput(f"$: expected the end, got {after!r}")

    def _whole_message(self) -> OutputMessage | None:
        """Parse a complete message at once, ten times as fast as `_message`; None if it is incomplete or unusual."""
        try:
            found, end = _JSON.raw_decode(self._text, _SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]  # always matches
        except (ValueError, RecursionError):
            return None
        match found:
            case {"message": str(text)}:
                kind, time = found.get("type"), found.get("time")
            case _:
                return None
        self._at = end
        return OutputMessage(
            text=_without_surrogates(text),
            type=kind if isinstance(kind, str) else None,
            time=_aware_time(time) if isinstance(time, str) else None,
        )

    def _message(self) -> Step:
        """Parse a message piece by piece."""
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
                        if len(text) > MAX_MESSAGE:
                            yield OutputMessage(text=text, type=kind, time=time)
                            text, in_parts = "", True
                elif key == "type" and is_text:
                    kind = yield from self._word()
                elif key == "time" and is_text:
                    time = _aware_time((yield from self._word()))
                elif (yield from self._skip()) != "null" and key == "message":
                    raise MalformedOutput(f"$[{self._count}].message: expected a string")
                if (yield from self._take(",}")) == "}":
                    break
        if text or not in_parts:
            yield OutputMessage(text=text, type=kind, time=time)

    def _skip(self) -> Generator[None, None, str]:
        """Skip a value of any kind; return it if it is a literal."""
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
            if end - self._at > _MAX_WORD:
                self._refuse("a shorter value")
            if end < len(self._text) or not (yield from self._more()):
                break
        literal = self._text[self._at : end]
        if not _LITERAL.fullmatch(literal):
            self._refuse("a value")
        self._at = end
        return literal

    def _word(self) -> Generator[None, None, str]:
        """Parse a short string."""
        yield from self._take('"')
        word, closed = "", False
        while not closed:
            more, closed = yield from self._piece()
            word += more
            if len(word) > _MAX_WORD:
                raise MalformedOutput(f"$[{self._count}]: expected a shorter string than {word[:_EXCERPT]!r}")
        return word

    def _piece(self) -> Generator[None, None, tuple[str, bool]]:
        """Parse the next piece of a string, and return whether it was the last one. Wait for more text if necessary."""
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
        """Decode the inside of a string."""
        if "\\" not in raw and not self._high:
            return raw
        try:
            text: str = self._high + _JSON.decode(f'"{raw}"')
        except ValueError:
            raise MalformedOutput(f"$[{self._count}]: invalid escape in {raw[:_EXCERPT]!r}") from None
        self._high = ""
        if not closed and "\ud800" <= text[-1] <= "\udbff":
            text, self._high = text[:-1], text[-1]
        return _without_surrogates(text)

    def _take(self, expected: str) -> Generator[None, None, str]:
        """Skip one of the `expected` characters, and return it."""
        following = yield from self._next()
        if not following or following not in expected:
            self._refuse(" or ".join(expected))
        self._at += 1
        return following

    def _next(self) -> Generator[None, None, str]:
        """Return the next character that is not white space, without skipping it; "" at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not (yield from self._more()):
                return ""

    def _more(self) -> Generator[None, None, bool]:
        """Wait for more text; return whether there is any."""
        left = len(self._text) - self._at
        while not self._has_ended and len(self._text) - self._at == left:
            yield None
        return len(self._text) - self._at > left

    def _refuse(self, expected: str) -> NoReturn:
        here = self._text[self._at : self._at + _EXCERPT]
        raise MalformedOutput(f"$[{self._count}]: expected {expected}, got {repr(here) if here else 'the end'}")


class TextMessages:
    """Reads plain text: each piece is a message."""

    def __init__(self) -> None:
        self._utf_8 = _UTF_8("replace")

    def feed(self, data: bytes) -> Iterator[OutputMessage]:
        """Yield the text in these bytes."""
        if text := self._utf_8.decode(data):
            yield OutputMessage(text=text)

    def end(self) -> Iterator[OutputMessage]:
        """Yield the remaining text, after all bytes."""
        if text := self._utf_8.decode(b"", final=True):
            yield OutputMessage(text=text)


def _without_surrogates(text: str) -> str:
    """Join surrogate pairs, and replace single surrogates."""
    if is_valid_unicode(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _aware_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        moment.astimezone(UTC)  # fails if the date cannot be converted
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else None
