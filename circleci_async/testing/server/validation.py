"""Checks of the values in a request. Each raises an `HttpError` that names the value."""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from ..state.types import Json

_T = TypeVar("_T")

_DIGITS = re.compile("[0-9]{1,18}")


class HttpError(Exception):
    """Answers the request with an error: `status` and `{"message": message}`, or `{"error": message}`."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers: Mapping[str, str] = headers or {}


def found(record: _T | None, name: str) -> _T:
    """Return the record; 404 if it is None."""
    if record is None:
        raise HttpError(404, f"{name} not found")
    return record


def find(collections: Iterable[Mapping[str, _T]], id: str, name: str) -> _T:
    """Return the record with this id from the first collection that has it; 404 if none has."""
    return found(next((each[id] for each in collections if id in each), None), name)


def parse_uuid(name: str, value: object) -> str:
    """Parse a UUID."""
    try:
        id = str(UUID(str(value)))
    except ValueError:
        id = ""
    if id != str(value).lower():
        raise HttpError(400, f"{name}: not a valid UUID.")
    return id


def digits(text: str) -> int | None:
    """Return the number in decimal digits, or None for other text and for more digits than any number here has."""
    return int(text) if _DIGITS.fullmatch(text) else None


def parse_number(name: str, value: str, *, minimum: int = 0) -> int:
    """Parse a decimal number without sign."""
    number = digits(value)
    if number is None or number < minimum:
        raise HttpError(400, f"{name}: expected a number from {minimum}.")
    return number


def parse_time(name: str, value: str) -> datetime:
    """Parse an aware datetime."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise HttpError(400, f"{name}: expected a date and time such as 2026-05-04T10:00:00Z.")
    return at


def one_of(name: str, value: str, options: Collection[str]) -> str:
    """Return a value that must be one of the options."""
    if value not in options:
        raise HttpError(400, f"{name}: expected one of {', '.join(options)}.")
    return value


def nested(body: Mapping[str, Any], name: str, types: Mapping[str, type], *, required: Collection[str] = ()) -> Json:
    """Return the object in a field, {} if it is absent. Its own fields are checked as by `Call.body`."""
    if name not in body:
        return {}
    fields = cast(Json, body[name])
    for key in required:
        if key not in fields:
            raise HttpError(400, f"{name}.{key}: required.")
    for key, kind in types.items():
        if key in fields and type(fields[key]) is not kind:
            raise HttpError(400, f"{name}.{key}: not of the right type.")
    return fields


def is_strings(values: Iterable[object]) -> bool:
    """Return whether all values are strings."""
    return all(isinstance(value, str) for value in values)


def words(value: list[Any], options: Collection[str], name: str) -> list[str]:
    """Return a list whose items must be among the options."""
    if not all(isinstance(word, str) and word in options for word in value):
        raise HttpError(400, f"{name}: expected some of {', '.join(options)}.")
    return cast(list[str], value)


def numbers(value: list[Any], minimum: int, maximum: int, name: str) -> list[int]:
    """Return a list whose items must be integers from `minimum` to `maximum`."""
    if not all(type(number) is int and minimum <= number <= maximum for number in value):
        raise HttpError(400, f"{name}: expected numbers from {minimum} to {maximum}.")
    return cast(list[int], value)


def assign(record: object, body: Mapping[str, Any], names: Iterable[str]) -> None:
    """Set the attributes of a record that the body has fields for."""
    for name in names:
        if name in body:
            setattr(record, name, body[name])


def without_none(**fields: object) -> Json:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}
