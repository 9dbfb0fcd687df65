"""The answers of a receiver, and the handling of accepted events."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.models import WebhookEvent
from circleci_async.webhooks import Answer, Receiver

from .deliveries import PING, SECRET, WORKFLOW_COMPLETED, body_of, ping, signed
from .handlers import BlockingHandler


async def deliver(receiver: Receiver, body: bytes, secret: str = SECRET) -> Answer:
    return await receiver.receive(body, signed(body, secret))


async def statuses(receiver: Receiver, ids: Sequence[str]) -> list[int]:
    return [(await deliver(receiver, ping(id))).status for id in ids]


async def idle(receiver: Receiver) -> None:
    """Wait until all events are handled."""
    async with asyncio.timeout(10):
        while receiver.stats.pending:
            await asyncio.sleep(0)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_an_event_is_answered_and_passed_to_on_event() -> None:
    events: list[WebhookEvent] = []
    async with Receiver(SECRET, events.append) as receiver:
        answer = await deliver(receiver, body_of(WORKFLOW_COMPLETED))
    assert (answer.status, answer.text) == (202, "accepted")
    assert events == [ca.webhooks.parse(body_of(WORKFLOW_COMPLETED))]


class Bot:
    def __init__(self) -> None:
        self.events: list[str] = []

    def plain(self, event: WebhookEvent) -> None:
        asyncio.get_running_loop()  # raises elsewhere, such as in a thread
        self.events.append(event.id)

    async def slow(self, event: WebhookEvent) -> None:
        await asyncio.sleep(0)
        self.events.append(event.id)

    async def with_more(self, more: str, event: WebhookEvent) -> None:
        self.events.append(f"{event.id}{more}")

    async def __call__(self, event: WebhookEvent) -> None:
        await self.slow(event)


async def test_on_event_can_be_plain_or_async() -> None:
    bot = Bot()
    kinds: list[Any] = [bot, bot.plain, bot.slow, partial(bot.with_more, "!"), lambda event: bot.with_more("?", event)]
    for kind in kinds:
        async with Receiver(SECRET, kind) as receiver:
            await deliver(receiver, ping("e"))
        assert receiver.stats.succeeded == 1
    assert bot.events == ["e", "e", "e", "e!", "e?"]


async def test_the_answer_does_not_wait_for_on_event() -> None:
    handler = BlockingHandler()
    async with Receiver(SECRET, handler) as receiver:
        assert (await deliver(receiver, ping("e"))).status == 202
        await handler.has_begun(1)
        assert handler.done == []
        assert receiver.stats.pending == 1
        handler.let_go.set()
    assert handler.done == ["e"]


async def test_a_duplicate_is_answered_with_200_and_handled_once() -> None:
    handler = BlockingHandler()
    async with Receiver(SECRET, handler) as receiver:
        assert await statuses(receiver, ["a", "a", "b"]) == [202, 200, 202]
        handler.let_go.set()
        await handler.has_done(2)
        assert await statuses(receiver, ["b", "a"]) == [200, 200]
    assert handler.done == ["a", "b"]
    assert (receiver.stats.accepted, receiver.stats.duplicates) == (2, 3)


async def test_concurrent_duplicates_are_handled_once() -> None:
    events: list[WebhookEvent] = []
    async with Receiver(SECRET, events.append) as receiver:
        headers = signed(ping("e"))
        answers = await asyncio.gather(*(receiver.receive(chunks(ping("e")), headers) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [202]
    assert len(events) == 1


async def test_the_oldest_ids_are_discarded_first() -> None:
    async with Receiver(SECRET, print, remember=2) as receiver:
        assert await statuses(receiver, ["a", "b", "c", "b", "c", "a"]) == [202, 202, 202, 200, 200, 202]
    async with Receiver(SECRET, print, remember=0) as receiver:
        assert await statuses(receiver, ["a", "a"]) == [202, 202]


async def test_an_event_with_a_wrong_signature_can_be_delivered_again() -> None:
    events: list[WebhookEvent] = []
    async with Receiver(["old", "new"], events.append) as receiver:
        refused = await deliver(receiver, ping("e"), "wrong")
        unsigned = await receiver.receive(ping("e"), {})
        assert (refused.status, unsigned.status) == (401, 401)
        assert "header `circleci-signature` is missing" in unsigned.text
        assert (await deliver(receiver, ping("e"), "new")).status == 202
        assert (await deliver(receiver, ping("f"), "old")).status == 202
    assert [event.id for event in events] == ["e", "f"]
    assert receiver.stats.refused == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "invalid event: the body is empty"),
        (b"{his-s3cret", "invalid event: not JSON"),
        (b"[]", "invalid event: $: expected an object"),
        (body_of({"id": 5, "type": "ping"}), "invalid event: $.id: expected a string"),
        (body_of(PING | {"happened_at": "his-s3cret"}), "invalid event: $.happened_at: expected a date and time"),
        (body_of({"his-s3cret": 1}), "invalid event: $.id: required, but absent; $.type: required, but absent"),
    ],
    ids=repr,
)
async def test_an_invalid_event_is_refused_without_quoting_it(
    body: bytes, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver(SECRET, print) as receiver:
        answer = await deliver(receiver, body)
    assert (answer.status, answer.text) == (400, message)
    assert "answered with 400" in caplog.text
    assert "s3cret" not in caplog.text


async def test_a_body_of_one_byte_beyond_the_bound_is_refused() -> None:
    body = ping("e")
    for parts in (body, chunks(body[:5], b"", body[5:])):
        async with Receiver(SECRET, print, max_body=len(body)) as receiver:
            assert (await receiver.receive(parts, signed(body))).status == 202
    for parts in (body, chunks(body[:5], body[5:])):
        async with Receiver(SECRET, print, max_body=len(body) - 1) as receiver:
            answer = await receiver.receive(parts, signed(body))
            assert (answer.status, answer.text) == (413, f"the body is larger than {len(body) - 1} bytes")


async def test_an_endless_body_is_closed_at_its_bound() -> None:
    read = 0
    closed = False

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal read, closed
        try:
            while True:
                read += 1000
                yield b" " * 1000
        finally:
            closed = True

    async with Receiver(SECRET, print, max_body=10_000) as receiver:
        assert (await receiver.receive(endless(), {})).status == 413
    assert read == 11_000
    assert closed


async def test_a_slow_body_is_refused_after_the_read_timeout() -> None:
    async def stuck() -> AsyncGenerator[bytes, None]:
        yield b"{"
        await asyncio.Event().wait()

    async with Receiver(SECRET, print, read_timeout=0.01) as receiver:
        answer = await receiver.receive(stuck(), {})
        assert (answer.status, answer.text) == (408, "the body did not arrive within 0.01 seconds")
        assert receiver.stats.refused == 1


async def test_an_event_of_a_cancelled_request_can_be_delivered_again() -> None:
    reading = asyncio.Event()
    closed = asyncio.Event()

    async def stuck() -> AsyncGenerator[bytes, None]:
        try:
            reading.set()
            await asyncio.Event().wait()
            yield b""
        finally:
            closed.set()

    async with Receiver(SECRET, print) as receiver:
        request = asyncio.create_task(receiver.receive(stuck(), signed(ping("e"))))
        await reading.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert closed.is_set()
        assert (await deliver(receiver, ping("e"))).status == 202


async def test_cancelling_an_answered_request_does_not_cancel_on_event() -> None:
    handler = BlockingHandler()
    async with Receiver(SECRET, handler) as receiver:

        async def connection() -> None:
            await deliver(receiver, ping("e"))
            await asyncio.Event().wait()

        request = asyncio.create_task(connection())
        await handler.has_begun(1)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        handler.let_go.set()
    assert handler.done == ["e"]


async def test_events_are_handled_in_order_within_the_concurrency() -> None:
    handler = BlockingHandler()
    ids = [f"e{number}" for number in range(10)]
    async with Receiver(SECRET, handler, concurrency=3) as receiver:
        assert await statuses(receiver, ids) == [202] * 10
        await handler.has_begun(3)
        assert receiver.stats.pending == 10
        handler.let_go.set()
    assert handler.max_running == 3
    assert handler.begun == ids
    assert sorted(handler.done) == ids
    assert receiver.stats.pending == 0


async def test_an_event_refused_by_a_full_queue_can_be_delivered_again() -> None:
    handler = BlockingHandler()
    async with Receiver(SECRET, handler, concurrency=1, queue=2) as receiver:
        assert await statuses(receiver, ["a", "b", "c", "d", "d", "a"]) == [202, 202, 202, 503, 503, 200]
        answer = await deliver(receiver, ping("d"))
        assert answer.headers["Retry-After"] == "10"
        assert receiver.stats.turned_away == 3
        handler.let_go.set()
        await idle(receiver)
        assert (await deliver(receiver, ping("d"))).status == 202
    assert handler.done == ["a", "b", "c", "d"]


async def test_without_a_queue_only_events_that_can_start_are_accepted() -> None:
    handler = BlockingHandler()
    async with Receiver(SECRET, handler, concurrency=2, queue=0) as receiver:
        assert await statuses(receiver, ["a", "b", "c"]) == [202, 202, 503]
        handler.let_go.set()
        await idle(receiver)
        assert await statuses(receiver, ["c"]) == [202]


async def test_an_error_of_on_event_is_logged_and_counted_and_does_not_affect_other_events(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    async def handle(event: WebhookEvent) -> None:
        if event.id in {"b", "c"}:
            raise {"b": ValueError("no such chat"), "c": StopIteration()}[event.id]
        done.append(event.id)

    async with Receiver(SECRET, handle, concurrency=1) as receiver:
        assert await statuses(receiver, ["a", "b", "c", "d"]) == [202] * 4
    assert done == ["a", "d"]
    assert (receiver.stats.succeeded, receiver.stats.failed, receiver.stats.lost) == (2, 2, 0)
    assert "on_event failed for webhook event b (ping)" in caplog.text
    assert "ValueError: no such chat" in caplog.text
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_a_cancellation_of_something_that_on_event_awaits_is_an_error_of_on_event() -> None:
    done: list[str] = []

    async def handle(event: WebhookEvent) -> None:
        if event.id == "a":
            other = asyncio.get_running_loop().create_future()
            other.cancel()
            await other
        done.append(event.id)

    async with Receiver(SECRET, handle, concurrency=1) as receiver:
        await statuses(receiver, ["a", "b"])
    assert done == ["b"]
    assert receiver.stats.failed == 1


async def test_a_handler_that_cancels_itself_does_not_delay_the_others(caplog: pytest.LogCaptureFixture) -> None:
    handler = BlockingHandler()
    handler.let_go.set()

    async def handle(event: WebhookEvent) -> None:
        if event.id == "a":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        await handler(event)

    async with Receiver(SECRET, handle, concurrency=1) as receiver:
        await statuses(receiver, ["a", "b", "c"])
        await handler.has_done(2)
        assert receiver.stats.lost == 1
        lost = await receiver.aclose()
    assert handler.done == ["b", "c"]
    assert [event.id for event in lost] == ["a"]
    assert receiver.stats.lost == 1
    assert "handling of webhook event a (ping) was cancelled" in caplog.text


async def test_on_error_gets_the_failure_and_can_fail_itself(caplog: pytest.LogCaptureFixture) -> None:
    reported: list[tuple[str, str]] = []

    async def handle(event: WebhookEvent) -> None:
        raise ValueError(event.id)

    async def note(event: WebhookEvent, error: BaseException) -> None:
        reported.append((event.id, str(error)))

    def fail(event: WebhookEvent, error: BaseException) -> None:
        raise RuntimeError("nor this")

    for on_error in (note, fail):
        async with Receiver(SECRET, handle, on_error=on_error) as receiver:
            await statuses(receiver, ["a", "b"])
        assert receiver.stats.failed == 2
    assert reported == [("a", "a"), ("b", "b")]
    assert "on_error failed for webhook event b (ping)" in caplog.text
    assert "RuntimeError: nor this" in caplog.text


request_id: ContextVar[str] = ContextVar("request_id")


async def test_on_event_runs_in_the_context_of_its_request() -> None:
    seen: dict[str, str] = {}

    async def handle(event: WebhookEvent) -> None:
        seen[event.id] = request_id.get()

    async with Receiver(SECRET, handle, concurrency=1) as receiver:
        for id in ("a", "b", "c"):
            request_id.set(f"request {id}")
            await deliver(receiver, ping(id))
    assert seen == {id: f"request {id}" for id in ("a", "b", "c")}


async def test_a_handler_can_deliver_another_event() -> None:
    done: list[str] = []

    async def handle(event: WebhookEvent) -> None:
        done.append(event.id)
        if len(event.id) < 4:
            await deliver(receiver, ping(f"{event.id}e"))

    async with Receiver(SECRET, handle, concurrency=1) as receiver:
        await deliver(receiver, ping("e"))
        await idle(receiver)
    assert done == ["e", "ee", "eee", "eeee"]


async def test_the_counters_add_up() -> None:
    handler = BlockingHandler()
    async with Receiver(SECRET, handler, concurrency=1, queue=1) as receiver:
        before = receiver.stats
        await statuses(receiver, ["a", "a", "b", "c"])
        await deliver(receiver, b"{}")
        await deliver(receiver, ping("d"), "wrong")
        stats = receiver.stats
        handler.let_go.set()
    assert before.received == 0
    assert stats.received == 6
    assert (stats.accepted, stats.duplicates, stats.refused, stats.turned_away) == (2, 1, 2, 1)
    assert (stats.pending, stats.succeeded) == (2, 0)
    assert (receiver.stats.pending, receiver.stats.succeeded) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"secret": ""}, "secret must be .*, got an empty one"),
        ({"secret": []}, "secret must be .*, got an empty list"),
        ({"on_event": None}, "on_event must be a function, got NoneType"),
        ({"on_error": "log"}, "on_error must be a function, got str"),
        ({"max_body": 0}, "max_body must be an integer, 1 or more, got 0"),
        ({"max_body": 1e6}, "max_body must be an integer, 1 or more, got 1000000.0"),
        ({"queue": -1}, "queue must be an integer, 0 or more, got -1"),
        ({"concurrency": 0}, "concurrency must be an integer, 1 or more, got 0"),
        ({"concurrency": True}, "concurrency must be an integer, 1 or more, got True"),
        ({"remember": None}, "remember must be an integer, 0 or more, got None"),
        ({"read_timeout": 0}, "read_timeout must be a positive number of seconds, got 0"),
        ({"read_timeout": -1}, "read_timeout must be a positive number of seconds, got -1"),
        ({"read_timeout": float("nan")}, "read_timeout must be a positive number of seconds, got nan"),
        ({"drain": "5"}, "drain must be 0 or more seconds, got '5'"),
    ],
    ids=repr,
)
def test_an_invalid_argument_is_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ca.InvalidArgument, match=message):
        Receiver(**{"secret": SECRET, "on_event": print, **arguments})


async def test_a_body_that_is_not_raw_and_missing_headers_are_refused() -> None:
    async with Receiver(SECRET, print) as receiver:
        with pytest.raises(ca.InvalidArgument, match="body must be the raw bytes of the request, got str"):
            await receiver.receive("text", {})  # type: ignore[arg-type]  # this is the point
        with pytest.raises(ca.InvalidArgument, match="got NoneType"):
            await receiver.receive(b"", None)  # type: ignore[arg-type]  # this is the point


async def test_an_event_has_the_name_of_its_secret() -> None:
    events: list[WebhookEvent] = []
    async with Receiver({"old": "first-s3cret", "new": "second-s3cret"}, events.append) as receiver:
        for id, secret, status in (
            ("e-1", "first", 202),
            ("e-2", "second", 202),
            ("e-2", "first", 200),
            ("e", "x", 401),
        ):
            assert (await deliver(receiver, ping(id), f"{secret}-s3cret")).status == status
    assert [(event.id, event.secret_name) for event in events] == [("e-1", "old"), ("e-2", "new")]


async def test_no_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Receiver(["first-s3cret", "second-s3cret"], print) as receiver:
        answers = [await deliver(receiver, ping("e"), secret) for secret in ("first-s3cret", "wrong")]
        assert [answer.status for answer in answers] == [202, 401]
        assert "s3cret" not in f"{receiver!r} {receiver.asgi!r} {answers} {caplog.text}"
    assert repr(receiver) == "<Receiver: 0 events pending, closed>"
