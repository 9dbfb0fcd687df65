"""Parse large JSON in parts, so that other threads run in between: the C scanner holds the interpreter's lock.

Arrays and objects that are longer than a part are walked here; what is shorter is parsed by the C scanner. Values and
errors are those of `json.JSONDecoder.decode`.
"""

import json
import re
from typing import Any, NoReturn

MAX_AT_ONCE = 1024 * 1024
"""Bytes of a body that is parsed at once, on the event loop. A larger one is parsed in parts, in a thread."""

PART = 64 * 1024
"""Characters that are parsed at once, which takes about a millisecond."""

MAX_DEPTH = 64
"""Levels of nesting that are walked. What is nested deeper is parsed at once."""

_SMALL = 64  # characters of an item; the items after a small one are parsed together
_MARGIN = 8  # characters before the end of a part: a number that ends there can be incomplete

_space = re.compile(r"[ \t\n\r]*").match


def loads(decoder: json.JSONDecoder, text: str) -> Any:
    """Return `decoder.decode(text)`. Raises the same errors."""
    parser = _Parser(decoder, text)
    value, end = parser.value(parser.skip_space(0), 0)
    end = parser.skip_space(end)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


class _Parser:
    def __init__(self, decoder: json.JSONDecoder, text: str) -> None:
        self._scan = decoder.raw_decode
        self._text = text
        self._part = ""
        self._begin = 0
        """Index of the part in the text."""
        self._single_until = 0
        """Index up to which items cannot be parsed together."""

    def skip_space(self, at: int) -> int:
        return _space(self._text, at).end()  # type: ignore[union-attr]  # always matches

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """Return the value at an index, and the index after it."""
        if (found := self._short_value(at)) is not None:
            return found
        opening = self._text[at : at + 1]
        if depth < MAX_DEPTH and opening == "[":
            return self._array(at + 1, depth + 1)
        if depth < MAX_DEPTH and opening == "{":
            return self._object(at + 1, depth + 1)
        return self._scan(self._text, at)

    def _short_value(self, at: int) -> tuple[Any, int] | None:
        """Return the value if it is shorter than a part; None for a longer or an invalid one."""
        while True:
            if not self._begin <= at < self._begin + len(self._part):
                self._begin, self._part = at, self._text[at : at + PART]
            is_last = self._begin + len(self._part) == len(self._text)
            try:
                value, end = self._scan(self._part, at - self._begin)
                if is_last or end <= len(self._part) - _MARGIN:
                    return value, self._begin + end
            except ValueError:
                pass
            if at == self._begin:
                return None
            self._part = ""  # try again with a part that begins here

    def _array(self, at: int, depth: int) -> tuple[list[Any], int]:
        text = self._text
        values: list[Any] = []
        at = self.skip_space(at)
        if text[at : at + 1] == "]":
            return values, at + 1
        while True:
            value, end = self.value(at, depth)
            values.append(value)
            if end - at < _SMALL and (batch := self._batch("[", end, "]")) is not None:
                values += batch[0]
                end = batch[1]
            comma = self.skip_space(end)
            following = text[comma : comma + 1]
            if following == "]":
                return values, comma + 1
            at = self.skip_space(comma + 1)
            if following != "," or text[at : at + 1] == "]":
                self._refuse('[""', end)

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        text = self._text
        values: dict[str, Any] = {}
        start = at
        at = self.skip_space(at)
        if text[at : at + 1] == "}":
            return values, at + 1
        if text[at : at + 1] != '"':
            self._refuse("{", start)
        while True:
            key, end = self._scan(text, at)
            colon = self.skip_space(end)
            if text[colon : colon + 1] != ":":
                self._refuse('{""', end)
            value, end = self.value(self.skip_space(colon + 1), depth)
            values[key] = value
            if end - at < _SMALL and (batch := self._batch("{", end, "}")) is not None:
                values.update(batch[0])
                end = batch[1]
            comma = self.skip_space(end)
            following = text[comma : comma + 1]
            if following == "}":
                return values, comma + 1
            at = self.skip_space(comma + 1)
            if following != "," or text[at : at + 1] != '"':
                self._refuse('{"":""', end)

    def _batch(self, opening: str, at: int, closing: str) -> tuple[Any, int] | None:
        """Return the items after the one that ends at `at`, up to a comma within the next part, and that index.

        The text up to a comma inside of an item or behind the last item does not parse: then the result is None.
        """
        text = self._text
        comma = self.skip_space(at)
        if at < self._single_until or text[comma : comma + 1] != ",":
            return None
        self._single_until = at + PART
        last = text[at - 1]
        end = text.rfind(f"{last}," if last in '}]"' else ",", comma + 1, comma + PART)
        end += last in '}]"'
        if end <= comma:
            return None
        part = f"{opening}{text[comma + 1 : end]}{closing}"
        try:
            values, length = self._scan(part, 0)
        except ValueError:
            return None
        if length != len(part) or not values:
            return None
        self._single_until = 0
        return values, end

    def _refuse(self, before: str, at: int) -> NoReturn:
        """Raise the error of the text at `at`, which follows `before` in a container."""
        try:
            self._scan(before + self._text[at:])
        except json.JSONDecodeError as error:
            message, position = error.msg, error.pos - len(before) + at
        else:
            raise AssertionError("the decoder accepts what the parser refuses")
        raise json.JSONDecodeError(message, self._text, position)
