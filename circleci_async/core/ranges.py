"""Parse what a response states about the part and the version of a body that it holds (RFC 9110). Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..untrusted_text import is_valid_unicode

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_STRONG_ETAG = re.compile(r'"[!#-~\xa0-\U0010ffff]*"')


class ContentRange(NamedTuple):
    """The part of a body: positions of its first and last byte, and the size of the whole body if it is stated."""

    first: int
    last: int
    size: int | None


def only_value(headers: Mapping[str, str], name: str) -> str | None:
    """Return the value of a header, or None if it is absent or has several different values."""
    values = {value for given, value in headers.items() if given.lower() == name.lower()}
    return values.pop() if len(values) == 1 else None


def parse_content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """Return what `Content-Range` states, or None if it is absent, invalid or not in bytes."""
    match = _CONTENT_RANGE.fullmatch(only_value(headers, "Content-Range") or "")
    if match is None:
        return None
    part = ContentRange(int(match[1]), int(match[2]), None if match[3] == "*" else int(match[3]))
    return part if part.first <= part.last and (part.size is None or part.last < part.size) else None


def strong_etag(headers: Mapping[str, str]) -> str | None:
    """Return the `ETag` if it is a strong one of RFC 9110, or None.

    A weak one does not guarantee the same bytes, and an invalid one cannot be sent back.
    """
    etag = headers.get("ETag", "")
    return etag if _STRONG_ETAG.fullmatch(etag) and is_valid_unicode(etag) else None
