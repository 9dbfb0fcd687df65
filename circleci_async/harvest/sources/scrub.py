"""Replaces secrets in text, also if it arrives in pieces. No I/O."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, cast

from ...logs.escapes import ANY_CODE
from .patterns import Pattern

REPLACEMENT: Final = "[scrubbed]"

MAX_SECRET: Final = 32 * 1024
"""Characters of a secret that is found wherever the text is divided. Of a longer one, the rest of its word is lost."""

_CONTEXT: Final = 256
"""Characters before the searched text that expressions can look back at."""

_SPACE = re.compile(r"\s")

_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


class _Match(NamedTuple):
    """A match of one pattern, and the part of it to replace."""

    name: str
    start: int
    end: int
    secret: tuple[int, int]


class Scrubber:
    """Replaces what matches the patterns, and counts the replacements by the names of the patterns."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = [(each, each.compile()) for each in patterns]
        self._words = sorted({word for each, _ in self._patterns for word in each.words})
        self._has_unworded = not all(each.words for each, _ in self._patterns)
        self.counts: Counter[str] = Counter()

    @property
    def is_active(self) -> bool:
        """Whether there are patterns."""
        return bool(self._patterns)

    def stream(self, *, ansi: bool = False) -> "ScrubbedStream":
        """Return a stream of text in pieces; `ansi`: it contains escape codes, which can be inside of secrets."""
        return ScrubbedStream(self, ansi=ansi)

    def text(self, text: str) -> str:
        """Return a whole text without secrets."""
        pieces: list[str] = []
        position = 0
        for match in self.matches(text, 0):
            start, end = match.secret
            pieces += [text[position:start], REPLACEMENT]
            position = end
            self.counts[match.name] += 1
        return "".join([*pieces, text[position:]]) if pieces else text

    def value(self, value: Any) -> Any:
        """Return plain data with its texts scrubbed; those of objects as if `key: value` were written."""
        if not self._has_unworded:
            shown = str(value)  # much faster than each text by itself, and contains the words of all
            if not self._words_in(shown, shown.lower()):
                return value
        return self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._value(each) for each in cast("list[object]", value)]
        if isinstance(value, dict):
            return {self.text(key): self._member(key, each) for key, each in cast("dict[str, object]", value).items()}
        return value

    def _member(self, key: str, value: Any) -> Any:
        if not isinstance(value, str):
            return self._value(value)
        prefix = f"{key}: "
        scrubbed = self.text(prefix + value)
        return scrubbed.removeprefix(prefix) if scrubbed.startswith(prefix) else self.text(value)

    def _words_in(self, text: str, lowered: str) -> set[str]:
        return {word for word in self._words if word in (lowered if word.islower() else text)}

    def matches(self, text: str, position: int) -> Iterator[_Match]:
        """Yield the matches from a position on, from left to right and without overlaps.

        Of two that begin at the same character, that of the first pattern counts.
        """
        lowered = _lowered(text)
        words = self._words_in(text, lowered)
        if not words and not self._has_unworded:
            return
        searches = [
            _Search(pattern, regex, text, lowered, words)
            for pattern, regex in self._patterns
            if not (pattern.words and words.isdisjoint(pattern.words))
        ]
        while nexts := [match for search in searches if (match := search.next(position)) is not None]:
            first = min(nexts, key=lambda match: match.start)
            yield first
            position = first.end


class _Search:
    """The matches of one pattern in a text."""

    def __init__(self, pattern: Pattern, regex: re.Pattern[str], text: str, lowered: str, words: set[str]) -> None:
        self._name = pattern.name
        self._regex = regex
        self._text = text
        self._lowered = lowered
        self._starts = {word: -1 for word in pattern.words if word in words}
        """Where each word is next."""
        self._has_words = bool(pattern.words)
        self._position = -1
        self._next: _Match | None = None

    def next(self, position: int) -> _Match | None:
        """Return the first match from a position on that is not empty. Positions must not decrease."""
        if self._position < 0 or (self._next is not None and self._next.start < position):
            self._next = self._search(position)
        self._position = position
        return self._next

    def _search(self, position: int) -> _Match | None:
        for found in self._candidates(position):
            if found.end() > found.start():
                secret = found.span("secret") if "secret" in self._regex.groupindex else found.span()
                return _Match(self._name, *found.span(), secret if secret[0] >= 0 else found.span())
        return None

    def _candidates(self, position: int) -> Iterator[re.Match[str]]:
        if not self._has_words:
            yield from self._regex.finditer(self._text, position)
            return
        while self._starts:
            for word, start in [*self._starts.items()]:
                if start < position:
                    text = self._lowered if word.islower() else self._text
                    self._starts[word] = text.find(word, position)
                    if self._starts[word] < 0:
                        del self._starts[word]
            position = min(self._starts.values(), default=-1)
            if position >= 0 and (found := self._regex.match(self._text, position)) is not None:
                yield found
            position += 1


def _lowered(text: str) -> str:
    """Return the text in lower case, of the same length."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_LOWER)


class ScrubbedStream:
    """Scrubs text that arrives in pieces. The end of the text so far is kept until it cannot be part of a secret."""

    def __init__(self, scrubber: Scrubber, *, ansi: bool = False) -> None:
        self._scrubber = scrubber
        self._inside_codes = scrubber.stream() if ansi else None
        """Replaces secrets within a code, such as the address of a link, which are not part of the visible text."""
        self._ansi = ansi
        self._pieces: list[str] = []
        self._length = 0
        self._position = 0
        """Index in the text so far of what has not been returned; up to `_CONTEXT` characters precede it."""
        self._is_in_secret = False

    def feed(self, text: str) -> str:
        """Return the scrubbed text that is complete."""
        if not self._scrubber.is_active:
            return text
        self._pieces.append(text)
        self._length += len(text)
        if self._length - self._position < 2 * MAX_SECRET:
            return ""
        scrubbed = self._scrub(is_last=False)
        return self._inside_codes.feed(scrubbed) if self._inside_codes else scrubbed

    def end(self) -> str:
        """Return the rest."""
        rest = self._scrub(is_last=True)
        return self._inside_codes.feed(rest) + self._inside_codes.end() if self._inside_codes else rest

    def _scrub(self, *, is_last: bool) -> str:
        text = "".join(self._pieces)
        position = self._skip_secret(text)
        view = _View(text) if self._ansi else _Plain(text)
        limit = len(text) if is_last else max(position, len(text) - MAX_SECRET)
        visible_limit = view.visible_index(limit)
        returned: list[str] = []
        for match in self._scrubber.matches(view.visible, view.visible_index(position)):
            if match.start >= visible_limit and not is_last:
                break
            start, end = view.index(match.secret[0]), view.end_index(match.secret[1])
            returned += [text[position:start], REPLACEMENT, text[end : view.end_index(match.end)]]
            position = view.end_index(match.end)
            self._scrubber.counts[match.name] += 1
            self._is_in_secret = match.secret[1] == len(view.visible) and not is_last
        stop = max(position, limit)
        returned.append(text[position:stop])
        begin = max(0, stop - _CONTEXT)
        self._pieces, self._length, self._position = [text[begin:]], len(text) - begin, stop - begin
        return "".join(returned)

    def _skip_secret(self, text: str) -> int:
        """Return where the text continues, behind the rest of a secret that is longer than `MAX_SECRET`."""
        if not self._is_in_secret:
            return self._position
        end = _SPACE.search(text, self._position)
        self._is_in_secret = end is None
        return len(text) if end is None else end.start()


class _Plain:
    """Text without codes: each character is visible."""

    def __init__(self, text: str) -> None:
        self.visible = text

    def visible_index(self, index: int) -> int:
        return index

    def index(self, visible_index: int) -> int:
        return visible_index

    def end_index(self, visible_index: int) -> int:
        return visible_index


class _View:
    """Text with codes, its visible characters, and the index of each of those in the text."""

    def __init__(self, text: str) -> None:
        self._visible_starts: list[int] = []
        self._starts: list[int] = []
        pieces: list[str] = []
        visible = at = 0
        for code in (*ANY_CODE.finditer(text), None):
            end = len(text) if code is None else code.start()
            if end > at or code is None:
                self._visible_starts.append(visible)
                self._starts.append(at)
                pieces.append(text[at:end])
                visible += end - at
            at = end if code is None else code.end()
        self.visible = "".join(pieces)

    def index(self, visible_index: int) -> int:
        """Return the index in the text of a visible character."""
        run = bisect_right(self._visible_starts, visible_index) - 1
        return self._starts[run] + visible_index - self._visible_starts[run]

    def end_index(self, visible_index: int) -> int:
        """Return the index in the text after the visible characters before this one."""
        return self.index(visible_index - 1) + 1

    def visible_index(self, index: int) -> int:
        """Return the index of the first visible character from an index in the text on."""
        run = bisect_right(self._starts, index) - 1
        if run < 0:
            return 0
        length = (self._visible_starts[run + 1] if run + 1 < len(self._starts) else len(self.visible)) - (
            self._visible_starts[run]
        )
        return self._visible_starts[run] + min(index - self._starts[run], length)
