"""Checks of arguments that many calls take: numbers of things, seconds, words of closed lists, local paths."""

import inspect
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from ..errors import CircleCIError, InvalidArgument

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # at least two characters: `C:` is a drive


def check_positive_integer(name: str, value: Any) -> int:
    """Return the number. Raises `InvalidArgument`, also for a bool."""
    if type(value) is not int or value < 1:
        raise InvalidArgument(f"{name} must be a positive integer, got {value!r}")
    return value


def check_bool(name: str, value: Any) -> bool:
    """Return the bool. Raises `InvalidArgument` for any other value, such as `"no"`, which is true."""
    if type(value) is not bool:
        raise InvalidArgument(f"{name} must be True or False, got {value!r}")
    return value


def is_number(value: Any) -> bool:
    """Return whether a value is an integer or a float; a bool is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_async_function(value: Any) -> bool:
    """Return whether a value is an async function, or a callable object whose method is one."""
    call = getattr(value, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(call)


def check_word(
    name: str,
    value: Any,
    words: Iterable[str],
    *,
    required: bool = False,
    error: type[CircleCIError] = InvalidArgument,
) -> None:
    """Raise `error` unless the value is one of the words, which can be an enum. None is allowed unless `required`.

    Servers ignore an unknown word, or answer it with an error that does not name it.
    """
    allowed = [str(word) for word in words]
    if (value is not None or required) and not (isinstance(value, str) and value in allowed):
        right = f"one of {', '.join(map(repr, allowed))}" if len(allowed) > 2 else " or ".join(map(repr, allowed))
        shown = str(value) if isinstance(value, str) else value  # the repr of an enum member has its class
        raise error(f"{name} must be {right}, got {shown!r}")


def check_words(name: str, values: Iterable[Any] | None, words: Iterable[str]) -> None:
    """Check each value of a list, as `check_word` does."""
    for value in values or ():
        check_word(name, value, words, required=True)


def local_path(name: str, path: str | os.PathLike[str]) -> Path:
    """Return a path of this machine.

    Raises `InvalidArgument` for an address such as `s3://bucket/x`, and for text that no path can contain.
    """
    if not isinstance(cast(object, path), str | os.PathLike):
        raise InvalidArgument(f"{name} must be a string or a Path, got {path!r}")
    if match := _SCHEME.match(os.fspath(path)):
        raise InvalidArgument(
            f"{name} must be a path on this machine, got an address that begins with {match[0]!r}: use a local folder;"
            " only the destination of a harvest can be a bucket"
        )
    try:
        is_valid = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        is_valid = False
    if not is_valid:
        raise InvalidArgument(f"{name} must be a path without NUL and surrogates, got {path!r}")
    return Path(path)
