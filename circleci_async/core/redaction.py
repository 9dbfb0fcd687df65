"""Remove secrets that are sent (values of variables, signing secrets, keys) from errors."""

import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from json import dumps
from typing import Any

from ..config.redacted import Redacted
from ..errors import ApiError, CircleCIError, DecodeError, InvalidArgument
from ..untrusted_text import is_valid_unicode
from .error_bodies import error_message

_HTML_CHARACTERS = re.compile("[&<>]")  # some servers escape these in JSON too

MAX_UNREDACTED = 4
"""Characters. The API itself shows the last four of a value, so shorter ones are not replaced."""


def checked_value(name: str, value: Redacted[Any]) -> Redacted[str]:
    """Return the value of a variable. Raises `InvalidArgument`, which does not show the value."""
    if not isinstance(value.reveal(), str):
        raise InvalidArgument(f"the value of {name!r} must be a string, got {type(value.reveal()).__name__}")
    if not is_valid_unicode(value.reveal()):
        raise InvalidArgument(f"the value of {name!r} must be valid Unicode: it contains a lone surrogate")
    return value


@contextmanager
def redact_errors(*values: Redacted[str] | None) -> Generator[None]:
    """Redact values in the errors of the call that sends them: the server may quote them."""
    try:
        yield
    except CircleCIError as error:
        spellings = {
            spelling
            for value in values
            if value is not None and len(value.reveal()) > MAX_UNREDACTED
            for spelling in _spellings(value.reveal())
        }
        if spellings:
            _redact(_Redactor(spellings), error)
            del spellings  # a traceback that prints local variables must not print them
        raise


def _spellings(value: str) -> Iterator[str]:
    """Yield the value as it is, and as escaped in JSON and HTML."""
    yield value
    yield " ".join(value.split())
    yield escape(value)
    yield escape(value, quote=False)
    for text in (dumps(value)[1:-1], dumps(value, ensure_ascii=False)[1:-1]):
        for written in (text, _HTML_CHARACTERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)):
            yield written
            yield written.replace("/", "\\/")


class _Redactor:
    """Replaces values in texts, including one that is cut off at the end: only the start of a body is kept."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = sorted(values, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._values)))

    def redact(self, text: str) -> str:
        text = self._pattern.sub("[value]", text)
        for value in self._values:
            for length in range(min(len(value), len(text)), MAX_UNREDACTED, -1):
                if text.endswith(value[:length]):
                    return f"{text[:-length]}[value]"
        return text


def _redact(values: _Redactor, error: BaseException | None) -> None:
    """Replace the values in an error and its causes."""
    while error is not None:
        if isinstance(error, ApiError):
            body = values.redact(error.body)
            message = error.message if body == error.body else error_message(error.status, body)
            error.body = body
            error.message = values.redact(message)  # the decoded message may contain the value unescaped
            error.args = (error.status, error.message)
        elif isinstance(error, DecodeError):  # faults quote the response: only their paths are kept
            DecodeError.__init__(
                error,
                tuple(map(_path, error.faults)),
                method=error.method,
                url=error.url,
                body=values.redact(error.body),
            )
        error = error.__cause__ or error.__context__


def _path(fault: str) -> str:
    return "not JSON" if fault.startswith("not JSON") else fault.partition(", got ")[0]
