"""The small JSON objects of a remote ledger, the names of its objects, and the errors for damaged ones."""

import json
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, Final, TypeGuard

from ....errors import LedgerError
from ...destination.bucket import Bucket, ObjectTooLarge, StoredObject

FOLDER: Final = ".harvest"

FORMAT: Final = 1
"""The version of the format of manifest, lease and segments."""

MAX_DOCUMENT_SIZE: Final = 64 * 1024

MAX_NUMBER: Final = 10**12 - 1
"""Maximum number of a segment, and of a generation."""

START_OVER: Final = (
    f"restore it from an earlier version, or delete all objects below {FOLDER}/ and harvest again, which finds the"
    " files that are in the bucket"
)


class Document:
    """The fields of a JSON object, which can have any content. Raises `ValueError` for what is not as expected."""

    def __init__(self, content: bytes | str) -> None:
        self._values = mapping(parsed(content))

    def check_format(self) -> None:
        """Raise `NewerFormat` if a newer version wrote the object."""
        if self.integer("format", minimum=1) > FORMAT:
            raise NewerFormat

    def integer(self, name: str, *, minimum: int = 0, maximum: int = 2**63 - 1) -> int:
        """Return a number in this range."""
        value = self._values.get(name)
        if type(value) is not int or not minimum <= value <= maximum:
            raise ValueError(f"{name} is not an integer from {minimum} to {maximum}")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean."""
        value = self._values.get(name)
        if type(value) is not bool:
            raise ValueError(f"{name} is not true or false")
        return value

    def text(self, name: str) -> str:
        """Return a text of at most 1,000 characters."""
        value = self._values.get(name)
        if not isinstance(value, str) or len(value) > 1000:
            raise ValueError(f"{name} is not a text of at most 1,000 characters")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a text, or None."""
        return None if self._values.get(name) is None else self.text(name)

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return a JSON object."""
        return mapping(self._values.get(name))


class NewerFormat(ValueError):
    """A newer version of this package wrote the object."""

    def __init__(self) -> None:
        super().__init__("it was written by a newer version of circleci_async")


def parsed(content: bytes | str) -> Any:
    """Parse JSON. Raises `ValueError` also for what is nested too deeply."""
    try:
        return json.loads(content)
    except RecursionError:
        reason = "it is nested too deeply"
    raise ValueError(reason)


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a value that is a JSON object. Raises `ValueError` for another one."""
    if _is_dict(value):
        return value
    raise ValueError("it is not a JSON object")


def sequence(value: Any, length: int) -> Sequence[Any]:
    """Return a value that is a JSON array of this length. Raises `ValueError` for another one."""
    if _is_list(value) and len(value) == length:
        return value
    raise ValueError(f"it is not an array of {length}")


def _is_dict(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


class StopCheck:
    """Lets blocking work end early."""

    def __init__(self) -> None:
        self._event = Event()

    def stop(self) -> None:
        """Let the next check raise."""
        self._event.set()

    def check(self) -> None:
        """Raise `LedgerError` after `stop`."""
        if self._event.is_set():
            raise LedgerError("the harvest was cancelled")


def encoded(values: Mapping[str, Any]) -> bytes:
    """Return the content of a JSON object."""
    return json.dumps({"format": FORMAT, **values}).encode()


def read_small(bucket: Bucket, key: str, what_to_do: str = START_OVER) -> tuple[bytes, StoredObject] | None:
    """Return the content of a manifest or a lease; None if there is none. Raises `LedgerError` if it is too large."""
    try:
        return bucket.read(key, max_bytes=MAX_DOCUMENT_SIZE)
    except ObjectTooLarge:
        failure = damaged(bucket, key, f"it has more than {MAX_DOCUMENT_SIZE:,} bytes", what_to_do)
    raise failure


def damaged(bucket: Bucket, key: str, reason: object, what_to_do: str = START_OVER) -> LedgerError:
    """Return the error for an object that cannot be used."""
    if isinstance(reason, NewerFormat):
        return LedgerError(f"{bucket.location}/{key} cannot be read: {reason}: update circleci_async")
    return LedgerError(f"{bucket.location}/{key} is damaged: {reason}: {what_to_do}")
