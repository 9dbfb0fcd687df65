"""Tokens, and a token that is read from a file again whenever the file changes."""

import inspect
import os
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from ..errors import ConfigurationError
from .redacted import Redacted, reveal

__all__ = ["Token", "TokenFile"]

Token: TypeAlias = str | Callable[[], str | Awaitable[str | None] | None]
"""A token, or a function (plain or async) without arguments that returns one and is called before each request."""

_TOKEN = re.compile(r"[!-~]+")

MTIME_RESOLUTION: Final = 2_000_000_000
"""Nanoseconds. A file modified more recently may change again without a new modification time."""


def clean_token(text: str | Redacted[str | None] | None, source: str) -> str | None:
    """Return the token without surrounding white space, or None if it is blank.

    Raises `ConfigurationError`, which names `source` and never shows the token, if no header can carry it.
    """
    token = (reveal(text) or "").strip()
    if not token:
        return None
    if _TOKEN.fullmatch(token):
        return token
    del text, token  # a traceback that prints local variables must not print them
    raise ConfigurationError(
        f"the token from {source} is invalid: it contains white space, control or non-ASCII characters"
    )


async def call_token(token: Callable[[], str | Awaitable[str | None] | None]) -> str | None:
    """Call a token function and return its token. Raises `ConfigurationError` for an invalid one."""
    given = token()
    if inspect.isawaitable(given):
        given = await given
    try:
        return clean_token(given, "the token function")
    except ConfigurationError as caught:
        error = caught.with_traceback(None)
    except (AttributeError, TypeError):
        error = ConfigurationError("the token function must return a string, or None for no token")
    finally:
        del given  # a traceback that prints local variables must not print the value
    raise error


class TokenFile:
    """A token in a file: `CircleCI(TokenFile("/run/secrets/circle-token"))`.

    The file is checked before each request and read again if it was changed or replaced, also behind a symbolic link,
    as Kubernetes and Vault renew mounted secrets. Surrounding white space is removed. The first request opens it.

    Calling it returns the token; while a writer leaves the file empty for a moment, the previous one. Raises
    `ConfigurationError` if the file is missing or empty.
    """

    __slots__ = ("_path", "_state", "_token")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not _is_path(path):
            raise ConfigurationError(f"TokenFile(path) must be the path of a file, got {path!r}")
        self._path = os.path.abspath(path)
        self._state: tuple[int, ...] | None = None
        self._token = ""

    def __call__(self) -> str:
        """Return the current token."""
        try:
            if self._state is None or self._state != _state(os.stat(self._path)):
                self._read()
        except OSError as caught:
            self._token = ""
            problem = caught.strerror or type(caught).__name__
        else:
            return self._token
        raise ConfigurationError(f"the token file {self._path} cannot be read: {problem}")

    @property
    def path(self) -> str:
        """The absolute path of the file."""
        return self._path

    def __repr__(self) -> str:
        return f"TokenFile({self._path!r})"

    def __reduce__(self) -> tuple[type["TokenFile"], tuple[str]]:
        return TokenFile, (self._path,)  # a copy reads the file itself

    def _read(self) -> None:
        self._state = None
        with open(self._path, "rb") as file:
            status = os.fstat(file.fileno())
            text = file.read().decode("utf-8-sig", "replace")
        is_new = time.time_ns() - status.st_mtime_ns <= MTIME_RESOLUTION
        try:
            # A writer that truncates the file leaves it empty for a moment.
            self._token = clean_token(text, self._path) or (self._token if is_new else "")
            error = None if self._token else ConfigurationError(f"the token file {self._path} is empty")
        except ConfigurationError as caught:
            error = caught.with_traceback(None)
        finally:
            del text  # a traceback that prints local variables must not print the text
        if error is not None:
            raise error
        if not is_new:
            self._state = _state(status)


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and value != ""


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
