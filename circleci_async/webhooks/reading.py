"""Parsing the body of a delivery into an event."""

from typing import Any, cast

from attrs import fields

from ..core.codec import decode, loads, structure
from ..errors import DecodeError
from ..models.events import WebhookEvent
from ..models.webhooks import WebhookEventType
from .signature import Body, raw_bytes

__all__ = ["parse"]

_KNOWN = frozenset(WebhookEventType)
_PARTS = frozenset(each.name for each in fields(WebhookEvent)) - {"id", "type", "happened_at", "raw", "secret_name"}


def parse(body: Body) -> WebhookEvent:
    """Return the event in a body, without checking its signature.

    Raises `DecodeError`, which names each faulty field. Events of unknown types are accepted: parts of an unexpected
    shape are None, and `raw` contains them.
    """
    content = raw_bytes(body)
    try:
        return _parse(content)
    except DecodeError as error:
        error.what = "the webhook's body"
        raise


def _parse(body: bytes) -> WebhookEvent:
    payload = loads(body)
    if not isinstance(payload, dict):
        return decode(WebhookEvent, body)  # raises the error
    given = cast(dict[str, Any], payload)
    read = {name: value for name, value in given.items() if not _is_ignored(name, value)} | {"raw": given}
    try:
        event = structure(WebhookEvent, read, body=body)
    except DecodeError:
        head = {name: read.get(name) for name in ("id", "type")}
        if head["type"] in _KNOWN or not all(isinstance(value, str) for value in head.values()):
            raise
        event = structure(
            WebhookEvent, {name: value for name, value in read.items() if _is_valid_part(head, name, value)}
        )
    if not event.id.strip():
        raise DecodeError(("$.id: expected a non-empty string",))
    return event


def _is_ignored(name: str, value: Any) -> bool:
    """Return whether a field is treated as absent.

    Nothing can be requested without the id of a part, and the name of the secret is not part of the payload.
    """
    if name.replace("-", "_") == "secret_name":
        return True
    return name in _PARTS and isinstance(value, dict) and cast(dict[str, Any], value).get("id") is None


def _is_valid_part(head: dict[str, Any], name: str, value: Any) -> bool:
    """Return whether a part of an event of an unknown type has the same shape as in known types."""
    try:
        structure(WebhookEvent, head | {name: value})
    except DecodeError:
        return False
    return True
