"""Secrets that are sent: values of variables, signing secrets, keys. They are never shown."""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from html import escape
from json import dumps

from ..errors import ApiError, CircleCIError, DecodeError, InvalidArgument
from .error_bodies import error_message

_ESCAPED_TOO = re.compile("[&<>]")  # in JSON, by servers that have HTML in mind

SHOWN = 4
"""Characters of a value that the API itself shows: there is no hiding a value that has no more."""


def checked_value(name: str, value: object) -> str:
    """Return the value of a variable; refuse what can't be one, without showing it."""
    if not isinstance(value, str):
        raise InvalidArgument(f"the value of {name!r} is of type {type(value).__name__}: give text (a str)")
    if any("\ud800" <= character <= "\udfff" for character in value):  # half a character, which no UTF-8 can hold
        raise InvalidArgument(f"the value of {name!r} is not whole text, and can't be sent")
    return value


@contextmanager
def unseen(*values: str | None) -> Generator[None]:
    """Keep values out of the errors of the call that sends them: the server may send them back."""
    try:
        yield
    except CircleCIError as error:
        spellings = {spelling for value in values if value and len(value) > SHOWN for spelling in _spellings(value)}
        if spellings:
            _hide(re.compile("|".join(map(re.escape, sorted(spellings, key=len, reverse=True)))), error)
        raise


def _spellings(value: str) -> Iterator[str]:
    """Yield the value as it is, and as servers write it in JSON and in HTML."""
    yield value
    yield " ".join(value.split())
    yield escape(value)
    yield escape(value, quote=False)
    for text in (dumps(value)[1:-1], dumps(value, ensure_ascii=False)[1:-1]):
        for written in (text, _ESCAPED_TOO.sub(lambda found: f"\\u{ord(found[0]):04x}", text)):
            yield written
            yield written.replace("/", "\\/")


def _hide(values: "re.Pattern[str]", error: BaseException | None) -> None:
    """Rewrite what an error, and those before it, tell of an answer that may hold one of the values."""
    while error is not None:
        if isinstance(error, ApiError):
            body = values.sub("[value]", error.body)
            message = error.message if body == error.body else error_message(error.status, body)
            error.body = body
            error.message = values.sub("[value]", message)  # decoded, in whatever way it was written
            error.args = (error.status, error.message)
        elif isinstance(error, DecodeError):  # faults quote the answer, in part: only their places are kept
            error.faults = tuple(map(_place, error.faults))
            error.message = "; ".join(error.faults)
            error.body = values.sub("[value]", error.body)
            error.args = (error.faults,)
        error = error.__cause__ or error.__context__


def _place(fault: str) -> str:
    return "not JSON" if fault.startswith("not JSON") else fault.partition(", got ")[0]
