"""What is sent, as text: queries and bodies of plain values, dates, enums, ids and models."""

import json as json_module
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeAlias, cast
from urllib.parse import quote, urlencode
from uuid import UUID

from attrs import fields, has

from ..errors import InvalidArgument
from ..slug import OrgSlug

__all__ = ["Query"]

Value: TypeAlias = str | int | bool | datetime | Enum | UUID | OrgSlug | None
Query: TypeAlias = Mapping[str, Value | Sequence[str]]
"""Query parameters by their names on the wire. None is left out; a sequence repeats the key."""


def omit_none(**fields: Any) -> dict[str, Any]:
    """Return the fields of a request's body that are given: all but those that are None."""
    return {name: value for name, value in fields.items() if value is not None}


def query_string(query: Query) -> str:
    """Return a query with its question mark, each part quoted; "" for one that holds nothing."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        if value is None:
            continue
        if isinstance(value, Sequence) and not isinstance(value, str):
            pairs += [(name, item) for item in value]
        else:
            pairs.append((name, _to_text(name, value)))
    try:
        return f"?{urlencode(pairs, quote_via=quote, safe='')}" if pairs else ""
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"query: {error.object!r} is not whole text, and can't be sent") from None


def _to_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidArgument(f"{name}={value!r}: give a datetime with a time zone, such as datetime.now(UTC)")
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str | int | float | Enum | UUID | OrgSlug):
        return str(value.value if isinstance(value, Enum) else value)
    raise InvalidArgument(f"{name}={value!r}: give text, a number, a date, or a list of texts")


def to_bytes(json: Any) -> bytes:
    """Return a body as JSON; of a model in it, the fields that are given. Raises `InvalidArgument` if it is none."""
    try:
        return json_module.dumps(json, separators=(",", ":"), allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"json: can't be written as JSON ({error})") from None


def _plain(value: object) -> object:
    """Write what JSON has no word for; of a model, what is given."""
    if isinstance(value, Mapping):
        return dict(cast(Mapping[str, object], value))
    if isinstance(value, datetime):
        return _to_text("json", value)
    if isinstance(value, UUID):
        return str(value)
    kind: Any = type(value)
    if has(kind):
        return omit_none(**{field.name: getattr(value, field.name) for field in fields(kind)})
    raise TypeError(f"a {type(value).__name__} is no JSON")
