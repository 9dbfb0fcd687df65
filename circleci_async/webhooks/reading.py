"""The body of a delivery as a typed event."""

from typing import Any, cast

from attrs import fields

from ..core.codec import decode, loads, structure
from ..errors import DecodeError
from ..models.events import WebhookEvent
from ..models.webhooks import WebhookEventType
from .signature import Body, Headers, Secret, raw_bytes, verify

__all__ = ["parse", "unwrap"]

_KNOWN = frozenset(WebhookEventType)
_PARTS = frozenset(each.name for each in fields(WebhookEvent)) - {"id", "type", "happened_at", "raw"}


def parse(body: Body) -> WebhookEvent:
    """Return the event that a body tells of, without looking at its signature.

    Raises `DecodeError`, which names each faulty field, for what is no event. One of an unknown type is one: where its
    parts have another shape, they are None, and `raw` has them.
    """
    content = raw_bytes(body)
    try:
        return _parse(content)
    except DecodeError as error:
        error.what = "the webhook's body"
        raise


def unwrap(body: Body, headers: Headers, secret: Secret) -> WebhookEvent:
    """Return the event that a delivery tells of, once its signature has been found right.

    Takes what `verify` takes, and raises what `verify` and `parse` raise.
    """
    verify(body, headers, secret)
    return parse(body)


def _parse(body: bytes) -> WebhookEvent:
    payload = loads(body)
    if not isinstance(payload, dict):
        return decode(WebhookEvent, body)  # which says what is wrong
    given = cast(dict[str, Any], payload)
    read = {name: value for name, value in given.items() if not _is_nothing(name, value)} | {"raw": given}
    try:
        event = structure(WebhookEvent, read, body=body)
    except DecodeError:
        head = {name: read.get(name) for name in ("id", "type")}
        if head["type"] in _KNOWN or not all(isinstance(value, str) for value in head.values()):
            raise
        event = structure(WebhookEvent, {name: value for name, value in read.items() if _fits(head, name, value)})
    if not event.id.strip():
        raise DecodeError(("$.id: expected a string that is not empty",))
    return event


def _is_nothing(name: str, value: Any) -> bool:
    """Tell whether a part is there in name only: without an id it can't be asked for."""
    return name in _PARTS and isinstance(value, dict) and cast(dict[str, Any], value).get("id") is None


def _fits(head: dict[str, Any], name: str, value: Any) -> bool:
    """Tell whether a part of an event of an unknown type is as in those that are known."""
    try:
        structure(WebhookEvent, head | {name: value})
    except DecodeError:
        return False
    return True
