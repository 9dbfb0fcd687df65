"""What a token is, and one that is read from a file each time that the file changes."""

import os
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from ..errors import ConfigurationError

__all__ = ["Token", "TokenFile"]

Token: TypeAlias = str | Callable[[], str | Awaitable[str | None] | None]
"""A token, or a function (plain or async) without arguments that is called for one before each request."""

_TOKEN = re.compile(r"[!-~]+")

SETTLED: Final = 2_000_000_000
"""Nanoseconds since a file's last change after which another one is sure to show: the clocks of files are coarse."""


def clean_token(text: str | None, source: str) -> str | None:
    """Return the token without white space around it, or None if nothing is left.

    Raises `ConfigurationError`, which names `source` and never shows the token, for one that no header can carry.
    """
    text = (text or "").strip()
    if not text:
        return None
    if not _TOKEN.fullmatch(text):
        raise ConfigurationError(
            f"the token from {source} can't be right: it holds white space, control characters or non-ASCII characters;"
            " copy it once more"
        )
    return text


class TokenFile:
    """A token that stands in a file: `CircleCI(TokenFile("/run/secrets/circle-token"))`.

    The file is looked at before each request, and read when it is another one or has changed, also behind a symbolic
    link: secrets that Kubernetes or Vault mounts are renewed so. White space around the token is cut off.

    It is opened with the first request, not before. Called, it returns the token, which stays the last one while the
    file is empty for a moment; raises `ConfigurationError` if there is no such file, or nothing in it.
    """

    __slots__ = ("_path", "_state", "_token")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not _is_path(path):
            raise ConfigurationError(f"TokenFile: the path must be that of a file, not {path!r}")
        self._path = os.path.abspath(path)
        self._state: tuple[int, ...] | None = None
        self._token = ""

    def __call__(self) -> str:
        """Return the token that stands in the file now."""
        try:
            if self._state is None or self._state != _state(os.stat(self._path)):
                self._read()
        except OSError as caught:
            self._token = ""
            problem = caught.strerror or type(caught).__name__
        else:
            return self._token
        raise ConfigurationError(f"the token file {self._path} can't be read: {problem}")

    @property
    def path(self) -> str:
        """The path of the file, absolute."""
        return self._path

    def __repr__(self) -> str:
        return f"TokenFile({self._path!r})"

    def _read(self) -> None:
        self._state = None
        with open(self._path, "rb") as file:
            status = os.fstat(file.fileno())
            text = file.read().decode("utf-8-sig", "replace")
        is_new = time.time_ns() - status.st_mtime_ns <= SETTLED
        try:
            # Whoever writes it in place leaves it empty for a moment.
            self._token = clean_token(text, self._path) or (self._token if is_new else "")
            error = None if self._token else ConfigurationError(f"the token file {self._path} is empty")
        except ConfigurationError as caught:
            error = caught.with_traceback(None)
        finally:
            del text  # a traceback that shows local variables must not show even a wrong token
        if error is not None:
            raise error
        if not is_new:
            self._state = _state(status)


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and value != ""


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
