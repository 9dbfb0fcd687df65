"""The JSON objects of a remote ledger, and the errors for damaged objects."""

import json
from typing import Any, Final, TypeVar

from attrs import asdict, field, frozen
from attrs.validators import ge

from ....core.codec import decode
from ....errors import DecodeError, LedgerError
from ...destination.bucket import Bucket, ObjectTooLarge, StoredObject

T = TypeVar("T")

FOLDER: Final = ".harvest"

FORMAT: Final = 1
"""The version of the format of manifest, lease and segments."""

MAX_JSON_SIZE: Final = 64 * 1024
"""Bytes of a manifest or a lease that are read."""

MAX_NUMBER: Final = 10**12 - 1
"""Maximum number of a segment, and of a generation."""

START_OVER: Final = (
    f"restore it from an earlier version, or delete all objects below {FOLDER}/ and harvest again, which finds the"
    " files that are in the bucket"
)


class NewerFormat(ValueError):
    """A newer version of this package wrote the object."""

    def __init__(self) -> None:
        super().__init__("it was written by a newer version of circleci_async")


@frozen
class _Versioned:
    format: int = field(validator=ge(1))


def encode_json(model: Any) -> bytes:
    """Return a model as JSON, with the version of the format."""
    return json.dumps({"format": FORMAT, **asdict(model)}).encode()


def decode_json(kind: type[T], content: bytes) -> T:
    """Return JSON as a model. Raises `ValueError`."""
    try:
        if decode(_Versioned, content).format > FORMAT:
            raise NewerFormat
        return decode(kind, content)
    except DecodeError as error:
        reason = "; ".join(error.faults)
    raise ValueError(reason)


def read_json(bucket: Bucket, key: str, kind: type[T], what_to_do: str = START_OVER) -> tuple[T, StoredObject] | None:
    """Return a small object as a model; None if it does not exist. Raises `LedgerError` if it is damaged."""
    try:
        found = bucket.read(key, max_bytes=MAX_JSON_SIZE)
        return None if found is None else (decode_json(kind, found[0]), found[1])
    except ObjectTooLarge:
        reason = ValueError(f"it has more than {MAX_JSON_SIZE:,} bytes")
    except ValueError as error:
        reason = error
    raise damaged(bucket, key, reason, what_to_do)


def damaged(bucket: Bucket, key: str, reason: object, what_to_do: str = START_OVER) -> LedgerError:
    """Return the error for an object that cannot be used."""
    if isinstance(reason, NewerFormat):
        return LedgerError(f"{bucket.location}/{key} cannot be read: {reason}: update circleci_async")
    return LedgerError(f"{bucket.location}/{key} is damaged: {reason}: {what_to_do}")
