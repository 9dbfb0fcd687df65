"""Old events are refused if `max_age` is set: the time is in the signed body."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circleci_async import InvalidArgument, SignatureError
from circleci_async.models import WebhookEvent
from circleci_async.webhooks import Receiver, unwrap, verify

from .deliveries import SECRET, signed


def event(age: float | None, **more: Any) -> bytes:
    """Return the body of an event that happened `age` seconds ago."""
    happened = None if age is None else (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    return json.dumps({"id": "e-1", "type": "ping", "happened_at": happened, **more}).encode()


@pytest.mark.parametrize("age", [0, 200, -200])  # the clocks of two machines differ
def test_a_recent_event_is_accepted(age: float) -> None:
    body = event(age)
    verify(body, signed(body), SECRET, max_age=300)
    assert unwrap(body, signed(body), SECRET, max_age=300).id == "e-1"


def test_an_old_event_is_refused() -> None:
    body = event(400)
    for call in (verify, unwrap):
        with pytest.raises(SignatureError, match=r"event happened 40\d s ago, longer than max_age=300$"):
            call(body, signed(body), SECRET, max_age=300)
        call(body, signed(body), SECRET)
        call(body, signed(body), SECRET, max_age=500)
        call(body, signed(body), SECRET, max_age=10**400)


def test_an_event_without_a_time_is_refused() -> None:
    body = event(None)
    for call in (verify, unwrap):
        with pytest.raises(SignatureError, match="has no happened_at, which max_age requires"):
            call(body, signed(body), SECRET, max_age=300)
        call(body, signed(body), SECRET)


def test_the_signature_is_checked_before_the_age() -> None:
    with pytest.raises(SignatureError, match="signature is wrong"):
        verify(event(400), signed(event(0)), SECRET, max_age=300)


@pytest.mark.parametrize("max_age", [0, -1, float("nan"), "60", True, timedelta(seconds=60)])
def test_an_invalid_max_age_is_refused(max_age: Any) -> None:
    body = event(0)
    for call in (verify, unwrap):
        with pytest.raises(InvalidArgument, match="max_age must be a positive number of seconds or None, got "):
            call(body, signed(body), SECRET, max_age=max_age)
    with pytest.raises(InvalidArgument, match="max_age must be a positive number of seconds or None, got "):
        Receiver(SECRET, print, max_age=max_age)


async def test_a_receiver_refuses_old_events() -> None:
    seen: list[WebhookEvent] = []
    async with Receiver(SECRET, seen.append, max_age=300) as receiver:
        statuses = [(await receiver.receive(body, signed(body))).status for body in (event(0), event(400), event(None))]
        assert statuses == [202, 401, 401]
    assert [each.id for each in seen] == ["e-1"]
    assert (receiver.stats.accepted, receiver.stats.refused) == (1, 2)


async def test_a_receiver_accepts_events_of_any_age_by_default() -> None:
    async with Receiver(SECRET, print) as receiver:
        assert (await receiver.receive(event(1e8), signed(event(1e8)))).status in {202, 401}
        body = event(1e8)
        assert (await receiver.receive(body, signed(body))).status in {200, 202}
