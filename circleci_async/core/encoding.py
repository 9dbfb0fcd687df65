"""Encode requests: queries and bodies of plain values, dates, enums, ids and models."""

import json as json_module
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import parse_qs, quote, urlencode
from uuid import UUID

from attrs import fields, has
from yarl import URL

from ..config.redacted import Redacted
from ..errors import InvalidArgument

if TYPE_CHECKING:
    from ..slug import OrgSlug


Value: TypeAlias = "str | int | bool | datetime | Enum | UUID | OrgSlug | None"
Query: TypeAlias = Mapping[str, "Value | Sequence[str]"]
"""Query parameters by name. None is omitted; a sequence repeats the key."""


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

_TOKEN_HEADERS = frozenset({"authorization", "circle-token"})


def to_url(address: str) -> URL:
    """Parse an address. It is quoted only if necessary: a signed one must be sent unchanged."""
    return URL(address, encoded=address.isascii() and " " not in address)


def without_secrets(url: URL) -> str:
    """Return an address without user, query and fragment, for messages."""
    return str(url.with_user(None).with_query(None).with_fragment(None))


def omit_none(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def query_string(query: Query) -> str:
    """Return the quoted query with its question mark; "" for an empty one."""
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
        raise InvalidArgument(f"query must be valid Unicode, got {error.object!r}") from None


def _to_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidArgument(f"{name} must have a time zone, such as datetime.now(UTC), got {value!r}")
        try:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except OverflowError:
            raise InvalidArgument(f"{name} must be a date that can be converted to UTC, got {value!r}") from None
    if isinstance(value, str | int | float | Enum | UUID):
        return str(value.value if isinstance(value, Enum) else value)
    from ..slug import OrgSlug

    if isinstance(value, OrgSlug):
        return str(value)
    raise InvalidArgument(f"{name} must be a string, a number, a datetime or a list of strings, got {value!r}")


def to_bytes(json: Redacted[Any]) -> Redacted[bytes]:
    """Return a body as JSON, without the fields of models that are None. Raises `InvalidArgument`."""
    try:
        text = json_module.dumps(json.reveal(), separators=(",", ":"), allow_nan=False, default=_plain)
        return Redacted(text.encode())
    except (TypeError, ValueError) as error:
        problem = str(error)
    raise InvalidArgument(f"json must be serializable as JSON: {problem}")  # without the frames that hold the values


def _plain(value: object) -> object:
    """Return the JSON form of another type."""
    if isinstance(value, Redacted):
        return cast(Redacted[object], value).reveal()
    if isinstance(value, Mapping):
        return dict(cast(Mapping[str, object], value))
    if isinstance(value, datetime):
        return _to_text("json", value)
    if isinstance(value, UUID):
        return str(value)
    kind: Any = type(value)
    if has(kind):
        return omit_none(**{field.name: getattr(value, field.name) for field in fields(kind)})
    raise TypeError(f"{type(value).__name__} is not supported")


def checked_method(method: str) -> str:
    """Return an HTTP method in upper case. Raises `InvalidArgument`."""
    if not (method.isascii() and method.isalpha()):
        raise InvalidArgument(f"method must be an HTTP method such as 'GET', got {method!r}")
    return method.upper()


def checked_headers(headers: Redacted[Mapping[Any, Any]]) -> Redacted[Mapping[str, str]]:
    """Return the headers of a request. Raises `InvalidArgument`, which shows no value, for one that cannot be sent."""
    for name in headers.reveal():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise InvalidArgument(f"headers must be named as in HTTP, such as 'X-Trace-Id', got {name!r}")
        if name.lower() in _TOKEN_HEADERS:
            raise InvalidArgument(f"headers must not contain {name!r}: pass the token to CircleCI(token)")
        if not _is_header_value(headers.reveal()[name]):
            raise InvalidArgument(f"headers must be strings of printable ASCII: the value of {name!r} is not")
    return headers


def _is_header_value(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def split_query(path: str, query: Query | None) -> tuple[str, Query]:
    """Return a path without its query, and the query with `query` added.

    Raises `InvalidArgument` for a path that is not below the API: an address, '.' or '..', unquoted characters.
    """
    full_path, (path, _, written) = path, path.partition("?")
    if "://" in path or path.startswith("//"):
        from ..slug import without_secrets

        raise InvalidArgument(f"path must be a path below the API, such as '/me', got {without_secrets(full_path)!r}")
    if "#" in full_path:
        raise InvalidArgument(f"path must be a path below the API, such as '/me', got {full_path!r}")
    path = f"/{path.removeprefix('/')}"
    if any(part in {".", ".."} for part in path.split("/")):
        raise InvalidArgument(f"path must not contain '.' or '..' as a segment, got {path!r}")
    if not path.isprintable():
        raise InvalidArgument(f"path must be quoted with circleci_async.segment, got {path!r}")
    return path, {**parse_qs(written, keep_blank_values=True), **(query or {})}
