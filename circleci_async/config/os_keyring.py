"""The token that the official CLI stores in the keyring of the operating system."""

import asyncio
import binascii
import getpass
import os
import sys
import threading
from base64 import b64decode
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, TypeAlias

from ..errors import ConfigurationError
from .extras import is_installed
from .redacted import NotPicklable, Redacted
from .tokens import clean_token

TIMEOUT: float = 10.0
"""Seconds to wait for the keyring, which asks the user to unlock it."""

_SERVICE: Final = "com.circleci.cli:"
_BASE64: Final = "go-keyring-base64:"

_Found: TypeAlias = tuple[Redacted[str | None], str]
"""A token, or None; and why the keyring cannot be read, or ""."""


def is_supported() -> bool:
    """Return whether the extra `keyring` is installed, without importing it."""
    return is_installed("keyring")


class KeyringToken(NotPicklable):
    """A token function that reads the official CLI's login from the keyring, once, in a separate thread.

    - `hosts`: the spellings of one host; the official CLI stores the token under the one in its settings.
    - `otherwise`: the reason for a missing token if the keyring contains none.
    """

    __slots__ = ("_otherwise", "_reading", "_services")

    def __init__(self, hosts: Iterable[str], otherwise: str) -> None:
        self._services = [_SERVICE + host for host in dict.fromkeys(hosts)]
        self._otherwise = otherwise
        self._reading: Future[_Found] | None = None

    @property
    def source(self) -> str:
        """Where the token was found, or why there is none."""
        if self._reading is None or not self._reading.done():
            return "the OS keyring, not read yet"
        _, problem = self._reading.result()
        return "the OS keyring" if problem or self.is_found else self._otherwise

    @property
    def is_found(self) -> bool:
        """Whether the keyring has been read and contains a token."""
        return self._reading is not None and self._reading.done() and bool(self._reading.result()[0].reveal())

    async def __call__(self) -> str | None:
        """Return the token, or None if the keyring contains none. Raises `ConfigurationError` as `read` does."""
        return (await self.read()).reveal()

    async def read(self) -> Redacted[str | None]:
        """Read the keyring unless it has been read.

        Raises `ConfigurationError` if it cannot be read, or if it takes longer than `TIMEOUT`.
        """
        if self._reading is None:
            self._reading = Future()
            self._reading.set_running_or_notify_cancel()  # a caller that is cancelled does not cancel it for the others
            # A daemon, so that a locked keyring does not keep the process from exiting.
            threading.Thread(target=_read, args=(self._services, self._reading), daemon=True).start()
        try:
            async with asyncio.timeout(TIMEOUT):
                found, problem = await asyncio.wrap_future(self._reading)
        except TimeoutError:
            found, problem = Redacted(None), f"no answer within {TIMEOUT:g} s"
        if problem:
            raise ConfigurationError(
                f"the OS keyring, where the official CLI stores its token, cannot be read ({problem}): unlock it, or"
                " set CIRCLE_TOKEN"
            )
        return found


def _read(services: Iterable[str], reading: "Future[_Found]") -> None:
    reading.set_result(_found(services))


def _found(services: Iterable[str]) -> _Found:
    try:
        from keyring import get_password
        from keyring.errors import NoKeyringError

        try:
            for service, user in ((service, user) for service in services for user in _users()):
                if (token := _decoded(Redacted(get_password(service, user)), service)).reveal():
                    return token, ""
        except NoKeyringError:  # as on a server, without a login session
            pass
    except ConfigurationError as error:
        return Redacted(None), str(error)
    except Exception as error:  # noqa: BLE001  # each backend raises the errors of its libraries
        return Redacted(None), f"{type(error).__name__}: {error}"
    return Redacted(None), ""


def _decoded(stored: Redacted[str | None], service: str) -> Redacted[str | None]:
    """Return the token in a password, which can be base64."""
    if (stored.reveal() or "").startswith(_BASE64):
        try:
            stored = Redacted(b64decode((stored.reveal() or "").removeprefix(_BASE64), validate=True).decode("latin-1"))
        except binascii.Error:
            stored = Redacted("\0")  # rejected below
    return Redacted(clean_token(stored, service))


def _users() -> Iterator[str]:
    """Yield the names of the user: that of the process, as the official CLI stores it, then that of the environment."""
    names: list[str] = []
    if sys.platform != "win32":
        import pwd

        with suppress(KeyError):  # a user without an entry, as in some containers
            names.append(pwd.getpwuid(os.getuid()).pw_name)
    with suppress(ImportError, KeyError, OSError):
        names.append(getpass.getuser())
    yield from dict.fromkeys(names)
