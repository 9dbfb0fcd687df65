"""Closing a receiver: it refuses further events, and handles the accepted ones within `drain`."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from textwrap import dedent

import pytest

from circleci_async.models import WebhookEvent
from circleci_async.webhooks import Receiver
from tests.fastclock import fast_clock

from .deliveries import SECRET, ping, signed
from .handlers import BlockingHandler


async def deliver(receiver: Receiver, *ids: str) -> list[int]:
    return [(await receiver.receive(ping(id), signed(ping(id)))).status for id in ids]


async def test_closing_waits_for_running_and_waiting_events() -> None:
    handler = BlockingHandler()
    receiver = Receiver(SECRET, handler, concurrency=1)
    await deliver(receiver, "a", "b", "c")
    await handler.has_begun(1)
    closing = asyncio.create_task(receiver.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    handler.let_go.set()
    assert await closing == ()
    assert handler.done == ["a", "b", "c"]


async def test_a_closing_receiver_refuses_deliveries_without_remembering_them() -> None:
    handler = BlockingHandler()
    receiver = Receiver(SECRET, handler)
    await deliver(receiver, "a")
    closing = asyncio.create_task(receiver.aclose())
    await asyncio.sleep(0)
    assert await deliver(receiver, "a", "b") == [503, 503]
    handler.let_go.set()
    await closing
    answer = await receiver.receive(ping("b"), signed(ping("b")))
    assert (answer.status, answer.text, answer.headers) == (503, "shutting down", {"Retry-After": "10"})
    assert receiver.stats.turned_away == 3
    async with receiver:
        assert await deliver(receiver, "a", "b") == [200, 202]
    assert handler.done == ["a", "b"]


async def test_a_delivery_that_is_read_while_the_receiver_closes_is_refused() -> None:
    handler = BlockingHandler()
    receiver = Receiver(SECRET, handler)
    rest = asyncio.Event()

    async def slow_body() -> AsyncIterator[bytes]:
        yield ping("e")[:9]
        await rest.wait()
        yield ping("e")[9:]

    request = asyncio.create_task(receiver.receive(slow_body(), signed(ping("e"))))
    await asyncio.sleep(0)
    await receiver.aclose()
    rest.set()
    assert (await request).status == 503
    assert handler.begun == []


@fast_clock
async def test_events_beyond_drain_are_cancelled_returned_and_accepted_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = BlockingHandler()
    receiver = Receiver(SECRET, handler, concurrency=2, drain=600.0)
    await deliver(receiver, "a", "b", "c")
    await handler.has_begun(2)
    loop = asyncio.get_running_loop()
    began = loop.time()
    lost = await receiver.aclose()
    assert loop.time() - began >= 600
    assert {event.id for event in lost} == {"a", "b", "c"}
    assert (sorted(handler.cancelled), handler.begun) == (["a", "b"], ["a", "b"])
    assert (receiver.stats.lost, receiver.stats.pending, receiver.stats.succeeded) == (3, 0, 0)
    assert "3 accepted webhook events were not handled" in caplog.text
    handler.let_go.set()
    async with receiver:
        assert await deliver(receiver, "a", "c") == [202, 202]
    assert sorted(handler.done) == ["a", "c"]


async def test_closing_with_drain_0_cancels_at_once() -> None:
    handler = BlockingHandler()
    receiver = Receiver(SECRET, handler, concurrency=1)
    await deliver(receiver, "a", "b")
    await handler.has_begun(1)
    assert {event.id for event in await receiver.aclose(drain=0)} == {"a", "b"}
    assert await receiver.aclose() == ()


@fast_clock
async def test_work_that_resists_its_cancellation_does_not_block_closing() -> None:
    stop = asyncio.Event()
    begun = asyncio.Event()

    async def stubborn(event: WebhookEvent) -> None:
        begun.set()
        while not stop.is_set():
            try:
                await stop.wait()
            except asyncio.CancelledError:
                continue

    receiver = Receiver(SECRET, stubborn)
    await deliver(receiver, "a")
    await begun.wait()
    assert [event.id for event in await receiver.aclose(drain=1.0)] == ["a"]
    assert receiver.stats.pending == 0
    stop.set()


async def test_cancelling_the_close_cancels_the_work() -> None:
    handler = BlockingHandler()
    receiver = Receiver(SECRET, handler, concurrency=1)
    await deliver(receiver, "a", "b")
    await handler.has_begun(1)
    closing = asyncio.create_task(receiver.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert handler.cancelled == ["a"]
    assert receiver.stats.lost == 2
    assert {event.id for event in await receiver.aclose()} == {"a", "b"}
    assert receiver.stats.lost == 2


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_an_event_handler_can_close_the_receiver(concurrency: int) -> None:
    handler = BlockingHandler()
    handler.let_go.set()
    ended = asyncio.Event()

    async def handle(event: WebhookEvent) -> None:
        if event.id in {"stop", "stop too"}:
            assert await receiver.aclose() == ()
            ended.set()
        else:
            await handler(event)

    receiver = Receiver(SECRET, handle, concurrency=concurrency)
    await deliver(receiver, "stop", "stop too", "a", "b")
    async with asyncio.timeout(10):
        await ended.wait()
    assert handler.done == ["a", "b"]


async def test_two_concurrent_closes_both_wait() -> None:
    handler = BlockingHandler()
    receiver = Receiver(SECRET, handler)
    await deliver(receiver, "a")
    await handler.has_begun(1)
    closing = [asyncio.create_task(receiver.aclose()) for _ in range(2)]
    await asyncio.sleep(0)
    handler.let_go.set()
    assert await asyncio.gather(*closing) == [(), ()]
    assert handler.done == ["a"]


def test_it_can_be_opened_again_in_another_event_loop() -> None:
    events: list[WebhookEvent] = []
    receiver = Receiver(SECRET, events.append)

    async def once(id: str) -> None:
        async with receiver:
            assert await deliver(receiver, id) == [202]

    asyncio.run(once("a"))
    asyncio.run(once("b"))
    assert [event.id for event in events] == ["a", "b"]


def test_an_event_loop_that_ends_without_a_close_logs_nothing() -> None:
    program = f"""
        import asyncio
        from circleci_async.webhooks import Receiver
        from tests.webhooks.deliveries import ping, signed

        async def work(event):
            await asyncio.Event().wait()

        async def main():
            asyncio.get_running_loop().slow_callback_duration = 60  # else a busy machine is logged
            receiver = Receiver({SECRET!r}, work, concurrency=2)
            for number in range(5):
                body = ping(str(number))
                assert (await receiver.receive(body, signed(body))).status == 202
            await asyncio.sleep(0)

        asyncio.run(main(), debug=True)
    """
    command = [sys.executable, "-W", "error", "-c", dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
    assert "pending" not in done.stderr
    assert "never awaited" not in done.stderr


async def test_waiting_events_are_handled_although_running_work_is_cancelled() -> None:
    done: list[str] = []
    tasks: list[asyncio.Task[None] | None] = []

    async def on_event(event: WebhookEvent) -> None:
        if not tasks:
            tasks.append(asyncio.current_task())
            await asyncio.Event().wait()
        done.append(event.id)

    receiver = Receiver(SECRET, on_event, concurrency=1)
    await deliver(receiver, "a", "b", "c")
    closing = asyncio.create_task(receiver.aclose())
    while not tasks:
        await asyncio.sleep(0)
    assert tasks[0] is not None
    tasks[0].cancel()
    assert [event.id for event in await closing] == ["a"]
    assert done == ["b", "c"]


async def test_an_event_lost_without_a_close_is_accepted_again() -> None:
    handler = BlockingHandler()
    receiver = Receiver(SECRET, handler, concurrency=1)
    assert await deliver(receiver, "a", "b") == [202, 202]
    await handler.has_begun(1)
    closing = asyncio.create_task(receiver.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    assert handler.cancelled == ["a"]
    handler.let_go.set()
    async with receiver:
        assert await deliver(receiver, "a", "b") == [202, 202]
    assert handler.done == ["a", "b"]
