"""Verify a delivery: its signature, and its age."""

from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from ..config.redacted import Redacted
from ..core.arguments import is_number
from ..errors import InvalidArgument, SignatureError
from ..models.events import WebhookEvent
from .reading import parse
from .signature import Body, Headers, NamedSecret, Secret, raw_bytes, secrets_of, verify_with

__all__ = ["checked_max_age", "unwrap", "verified_event", "verify"]


def verify(body: Body, headers: Headers, secret: Secret, *, max_age: float | None = None) -> str | None:
    """Check that the body is signed with the secret, or with one of several. Raises `SignatureError`.

    Return the name of the secret that matched, or None for secrets without names.

    `body` is the raw body of the request, and `headers` are its headers: a mapping or pairs, with names in any case.
    `secret` is the webhook's signing secret, or several of them during a rotation, with or without names:
    `{"old": "…", "new": "…"}`.

    `max_age`: seconds since the event's `happened_at`, which is part of the signed body; an older event, or one without
    the time, raises `SignatureError`. None accepts events of any age.

    Raises `InvalidArgument` for a secret that is empty or missing, and for a body that is not bytes. With `max_age`,
    also `DecodeError` as `parse` does.
    """
    given = Redacted(secret)
    del secret  # a traceback that prints local variables must not print it
    checked_max_age(max_age)
    content = raw_bytes(body)
    name = verify_with(secrets_of(given), content, headers)
    if max_age is not None:
        _check_age(parse(content), max_age)
    return name


def unwrap(body: Body, headers: Headers, secret: Secret, *, max_age: float | None = None) -> WebhookEvent:
    """Verify a delivery, and return its event. Its `secret_name` is what `verify` returns.

    Takes the arguments of `verify`, and raises the errors of `verify` and `parse`.
    """
    given = Redacted(secret)
    del secret  # a traceback that prints local variables must not print it
    checked_max_age(max_age)
    content = raw_bytes(body)
    return verified_event(secrets_of(given), content, headers, max_age)


def verified_event(
    secrets: tuple[NamedSecret, ...], content: bytes, headers: Headers, max_age: float | None
) -> WebhookEvent:
    """Verify a delivery, and return its event; see `unwrap`."""
    name = verify_with(secrets, content, headers)
    event = parse(content)
    _check_age(event, max_age)
    return event if name is None else evolve(event, secret_name=name)


def checked_max_age(max_age: Any) -> float | None:
    """Return the bound of the age. Raises `InvalidArgument`."""
    if max_age is None or (is_number(max_age) and max_age > 0):
        bound: float | None = max_age
        return bound
    raise InvalidArgument(f"max_age must be a positive number of seconds or None, got {max_age!r}")


def _check_age(event: WebhookEvent, max_age: float | None) -> None:
    """Raise `SignatureError` for an event that happened more than `max_age` seconds ago, or at an unknown time."""
    if max_age is None:
        return
    if event.happened_at is None:
        raise SignatureError("the webhook's event has no happened_at, which max_age requires")
    age = (datetime.now(UTC) - event.happened_at).total_seconds()
    if age > max_age:
        raise SignatureError(f"the webhook's event happened {age:.0f} s ago, longer than max_age={max_age:g}")
