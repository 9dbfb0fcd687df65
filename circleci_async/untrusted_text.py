"""Clip and escape text from servers, builds and files, for errors, logs and terminals."""

from collections.abc import Iterable

MAX_SHOWN: int = 500
"""Characters of a text by default."""

MAX_ERROR = 2_000
"""Characters of the message of an error."""

MAX_QUOTED = 80
"""Characters of a quoted value."""


class _ShownList(str):
    """Text of several lines that is clipped and escaped already."""

    __slots__ = ()


_JOINER = "\u200d"  # joins emoji; safe to print


def is_valid_unicode(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8: it contains no surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Return the text as one line without control characters.

    White space becomes spaces. Other control and format characters, such as ESC or the bidirectional overrides, are
    escaped.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == _JOINER else " " if char.isspace() else _escaped(char) for char in text
    )


def shown(text: str, max_length: int = MAX_SHOWN) -> str:
    """Return the text as `printable` does, at most `max_length` characters: the middle of a longer one is left out.

    The result of `shown_list` is returned unchanged.
    """
    if isinstance(text, _ShownList):
        return text
    begin = printable(text[:max_length])
    if len(text) <= max_length and len(begin) <= max_length:
        return begin
    tail = max_length // 4
    return f"{begin[: max_length - tail - 1]}…{printable(text[-tail:])[-tail:]}"


def named(text: str) -> str:
    """Return a name or path as `shown` does; one with control characters as a literal."""
    return shown(text) if text.isprintable() else quoted(text, MAX_SHOWN)


def shown_list(heading: str, items: Iterable[str]) -> str:
    """Return a heading, and each item on a separate line, as `shown` returns it."""
    return _ShownList("\n  ".join([shown(heading), *(shown(item, MAX_ERROR) for item in items)]))


def quoted(text: str, max_length: int = MAX_QUOTED) -> str:
    """Return the start of the text as a string literal."""
    literal = repr(text[: max_length + 1])
    return literal if len(literal) <= max_length + 2 else f"{literal[:max_length]}…{literal[-1]}"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
