"""Extract the message of an error response: JSON of several shapes, plain text, HTML, or nothing."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import cast

from ..untrusted_text import printable, shown

MAX_BODY = 64 * 1024
"""Characters of a body that an error keeps."""

_MAX_SECRET = 4 * 1024  # bytes; a longer secret can be cut at the end of what is read

MAX_READ: int = MAX_BODY + _MAX_SECRET
"""Bytes of an error body that are read."""

MAX_MESSAGE = 500
"""Characters of a message."""

MAX_SEARCHED = 10_000
"""Characters of an HTML page that are searched for a message."""

MAX_ID = 200
"""Characters of the id of a request."""

_KEYS = ("message", "error", "detail", "title", "error_description", "reason")


def kept_text(body: bytes, *, redact: Callable[[str], str]) -> str:
    """Return the start of an error body without secrets, including one that is cut off at `MAX_READ`."""
    text = redact(body.decode("utf-8-sig", "replace"))
    return (text if len(body) < MAX_READ else text[:-_MAX_SECRET])[:MAX_BODY]


def error_message(status: int, body: str) -> str:
    """Return the message in an error body; never empty."""
    text = body.strip()
    try:
        said = _find(json.loads(text))
    except (ValueError, RecursionError):
        said = _from_text(text)
    return _shorten(said) or _phrase(status)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the server's id of the request, or None."""
    id = headers.get("X-Request-Id") or headers.get("CF-RAY")
    return shown(id, MAX_ID) if id else None


def _find(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        fields = cast(Mapping[str, object], value)
        if "title" in fields and "detail" in fields:
            return f"{_find(fields['title'])}: {_find(fields['detail'])}".strip(": ")
        for key in (*_KEYS, "errors"):
            if key in fields and (found := _find(fields[key])):
                return found
    if isinstance(value, list):
        return "; ".join(filter(None, map(_find, cast(list[object], value))))
    return ""


def _from_text(text: str) -> str:
    """Return the text of HTML or XML (S3 responds with XML), preferring a title or a message."""
    if not text.startswith("<"):
        return text
    text = text[:MAX_SEARCHED]  # the expressions below take quadratic time on unclosed markup
    for tag in ("Message", "title", "h1"):
        if match := re.search(rf"<{tag}\b[^>]*>(.*?)</{tag}>", text, re.IGNORECASE | re.DOTALL):
            text = match[1]
            break
    from html import unescape

    text = re.sub(r"<[^>]*>", " ", re.sub(r"(?is)<(script|style)\b.*?</\1>", " ", text))
    with suppress(ValueError):  # a character reference with thousands of digits
        text = unescape(text)
    return text


def _shorten(text: str) -> str:
    text = printable(" ".join(text.split())[: MAX_MESSAGE + 1])
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}…"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"
