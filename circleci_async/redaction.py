"""Secrets that are sent: values of variables, signing secrets, keys. They are never shown."""

from collections.abc import Generator
from contextlib import contextmanager
from json import dumps

from .error_bodies import error_message
from .errors import ApiError, CircleCIError, DecodeError, InvalidArgument

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
        for value in values:
            if value is not None and len(value) > SHOWN:
                _hide(value, error)
        raise


def _hide(value: str, error: BaseException | None) -> None:
    """Rewrite what an error, and those before it, tell of an answer that holds the value."""
    while error is not None:
        if isinstance(error, (ApiError, DecodeError)):
            body = error.body
            for spelling in (value, dumps(value)[1:-1], dumps(value, ensure_ascii=False)[1:-1]):
                body = body.replace(spelling, "[value]")
            if body != error.body:
                error.body = body
                if isinstance(error, ApiError):
                    error.message = error_message(error.status, body)
                    error.args = (error.status, error.message)
                else:
                    error.faults = ("it holds the value that was sent, so what is wrong with it is not shown",)
                    error.message = error.faults[0]
                    error.args = (error.faults,)
        error = error.__cause__ or error.__context__
