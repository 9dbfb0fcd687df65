"""The gate: how many go out, and when nobody does."""

import asyncio
import math
import time
from collections.abc import Mapping
from email.utils import formatdate

import pytest

from circleci_async.core.limiter import Gate, Patience, read_quota, retry_after
from circleci_async.core.stats import Stats
from circleci_async.errors import RateLimited
from tests.fastclock import fast_clock

NOW = 1_700_000_000.0
PATIENT = Patience(max_wait=120)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-3", 0.0),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Mon, 99 Foo 2026", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": text}, now=NOW) == seconds


def test_no_retry_after_is_none() -> None:
    assert retry_after({}, now=NOW) is None


def test_a_date_is_compared_with_the_servers_own_clock() -> None:
    headers = {"Retry-After": formatdate(NOW + 30, usegmt=True), "Date": formatdate(NOW + 10, usegmt=True)}
    assert retry_after(headers, now=NOW - 5000) == 20.0


@pytest.mark.parametrize(
    ("headers", "limited", "wait"),
    [
        ({}, False, None),
        ({}, True, None),
        ({"RateLimit-Remaining": "5", "RateLimit-Reset": "9"}, False, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "9"}, False, 9.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "9"}, False, 9.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4"}, False, 4.0),
        ({"X-RateLimit-Remaining-Second": "0", "X-RateLimit-Reset": "1"}, False, 1.0),
        (
            {"X-RateLimit-Remaining-Second": "3", "X-RateLimit-Remaining-Hour": "0", "X-RateLimit-Reset": "8"},
            False,
            8.0,
        ),
        # the lower family wins
        (
            {
                "RateLimit-Remaining": "3",
                "RateLimit-Reset": "9",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "2",
            },
            False,
            2.0,
        ),
        (
            {
                "RateLimit-Remaining": "0",
                "RateLimit-Reset": "9",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "2",
            },
            False,
            9.0,
        ),
        ({"RateLimit-Remaining": "0", "X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "2"}, False, 2.0),
        ({"RateLimit-Remaining": "0"}, False, None),
        # a 429 says itself that nothing remains
        ({"RateLimit-Reset": "6"}, True, 6.0),
        ({"RateLimit-Reset": "6"}, False, None),
        # rubbish is no reason to wait
        ({"RateLimit-Remaining": "none", "RateLimit-Reset": "9"}, False, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "1700000000"}, False, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "-4"}, False, None),
    ],
)
def test_rate_limit_headers_say_how_long_to_hold_back(
    headers: Mapping[str, str], limited: bool, wait: float | None
) -> None:
    assert read_quota(headers, limited=limited).wait == wait


@pytest.mark.parametrize(
    ("headers", "remaining"),
    [
        ({}, None),
        ({"RateLimit-Remaining": "7"}, 7),
        ({"RateLimit-Remaining": "7", "X-RateLimit-Remaining-Minute": "90", "X-RateLimit-Remaining-Second": "3"}, 3),
        ({"X-RateLimit-Remaining": "many"}, None),
    ],
)
def test_rate_limit_headers_say_how_many_more_may_be_sent(headers: Mapping[str, str], remaining: float | None) -> None:
    assert read_quota(headers, limited=False).remaining == remaining


def make(concurrency: int) -> tuple[Gate, Stats]:
    stats = Stats()
    return Gate(concurrency, stats), stats


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Visitor:
    """A task that enters, stays until told to leave, and notes when it came in."""

    def __init__(self, gate: Gate, name: int, log: list[int], patience: Patience = PATIENT) -> None:
        self.go = asyncio.Event()
        self.entered: float | None = None
        self.task = asyncio.create_task(self.visit(gate, name, log, patience))

    async def visit(self, gate: Gate, name: int, log: list[int], patience: Patience) -> None:
        async with gate.slot(patience):
            self.entered = asyncio.get_running_loop().time()
            log.append(name)
            await self.go.wait()


async def test_no_more_than_its_concurrency_go_out_and_first_come_is_first_served() -> None:
    gate, _ = make(2)
    log: list[int] = []
    visitors = [Visitor(gate, n, log) for n in range(5)]
    await settle()
    assert log == [0, 1]
    visitors[1].go.set()
    await settle()
    assert log == [0, 1, 2]
    for visitor in visitors:
        visitor.go.set()
    await asyncio.gather(*(v.task for v in visitors))
    assert log == [0, 1, 2, 3, 4]


async def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    gate, _ = make(1)
    log: list[int] = []
    first, second = Visitor(gate, 1, log), Visitor(gate, 2, log)
    await settle()
    first.go.set()
    third = Visitor(gate, 3, log)
    await settle()
    assert log == [1, 2]
    second.go.set()
    third.go.set()
    await asyncio.gather(first.task, second.task, third.task)


@fast_clock
async def test_while_it_is_closed_nobody_goes_out_and_then_they_come_back_gradually() -> None:
    gate, stats = make(8)
    loop = asyncio.get_running_loop()
    began = loop.time()
    gate.close_for(30, refused=False)
    out: list[float] = []
    most: list[int] = []
    running = 0

    async def visit() -> None:
        nonlocal running
        async with gate.slot(PATIENT):
            out.append(loop.time() - began)
            running += 1
            most.append(running)
            await asyncio.sleep(1)
            running -= 1

    await asyncio.gather(*(visit() for _ in range(40)))
    assert min(out) >= 30
    assert [sum(30 + n - 0.1 <= moment < 30 + n + 0.9 for moment in out) for n in range(4)] == [1, 2, 4, 8]
    assert max(most) == 8
    assert stats.paused == pytest.approx(30, abs=0.1)


@fast_clock
async def test_an_absurd_header_does_not_close_it_for_good() -> None:
    gate, _ = make(2)
    gate.close_for(1e12, refused=True)
    began = asyncio.get_running_loop().time()
    async with gate.slot(Patience(max_wait=1e6)):
        assert asyncio.get_running_loop().time() - began == pytest.approx(86_400, abs=1)


@fast_clock
async def test_having_been_refused_it_opens_fast_up_to_half_of_what_was_too_much_and_then_slowly() -> None:
    gate, _ = make(16)
    gate.close_for(1, refused=True)
    gate.close_for(2, refused=True)  # the next answer of the same burst: no second halving
    widths: list[int] = []
    running = 0

    async def visit() -> None:
        nonlocal running
        async with gate.slot(PATIENT):
            running += 1
            await asyncio.sleep(0.5)
            widths.append(running)
            await asyncio.sleep(0.5)
            running -= 1

    await asyncio.gather(*(visit() for _ in range(40)))
    assert widths[:15] == [1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8]
    assert max(widths) == 9  # beyond the half, a whole round of answers makes room for one more


@fast_clock
async def test_a_pause_that_was_announced_is_no_reason_to_go_slower_afterwards() -> None:
    gate, _ = make(16)
    gate.close_for(1, refused=False)
    running = most = 0

    async def visit() -> None:
        nonlocal running, most
        async with gate.slot(PATIENT):
            running += 1
            most = max(most, running)
            await asyncio.sleep(1)
            running -= 1

    await asyncio.gather(*(visit() for _ in range(60)))
    assert most == 16


@fast_clock
async def test_a_call_that_was_refused_comes_back_before_those_that_came_after_it() -> None:
    gate, _ = make(1)
    log: list[str] = []

    async def call(name: str, patience: Patience, *, refused: bool) -> None:
        if refused:
            async with gate.slot(patience):
                gate.close_for(5, refused=True)
            await asyncio.sleep(5)
        async with gate.slot(patience):
            log.append(name)
            await asyncio.sleep(1)

    first = asyncio.create_task(call("refused", Patience(max_wait=60), refused=True))
    await settle()
    later = [asyncio.create_task(call(f"later {n}", Patience(max_wait=60), refused=False)) for n in range(3)]
    await asyncio.gather(first, *later)
    assert log.index("refused") <= 1  # the gate may have opened a moment before it was back
    assert [name for name in log if name != "refused"] == ["later 0", "later 1", "later 2"]


@fast_clock
async def test_a_shorter_hold_never_shortens_a_longer_one_and_held_time_is_not_counted_twice() -> None:
    gate, stats = make(8)
    began = asyncio.get_running_loop().time()
    gate.close_for(20, refused=False)
    gate.close_for(3, refused=False)
    await asyncio.sleep(10)
    gate.close_for(15, refused=False)
    async with gate.slot(PATIENT):
        assert asyncio.get_running_loop().time() - began == pytest.approx(25, abs=0.2)
    assert stats.paused == pytest.approx(25, abs=0.2)


@fast_clock
async def test_who_would_be_held_longer_than_it_may_wait_is_told_at_once() -> None:
    gate, _ = make(8)
    loop = asyncio.get_running_loop()
    gate.close_for(50, refused=False)
    began = loop.time()
    for patience in (Patience(max_wait=40), Patience(max_wait=1000, until=loop.time() + 49)):
        with pytest.raises(RateLimited) as caught:
            await gate.slot(patience).enter()
        assert caught.value.retry_after == pytest.approx(50, abs=0.2)
    assert loop.time() - began < 1


@fast_clock
async def test_who_waits_already_is_told_as_soon_as_the_hold_becomes_too_long() -> None:
    gate, _ = make(1)
    log: list[int] = []
    holder = Visitor(gate, 0, log)
    await settle()
    impatient = Visitor(gate, 1, log, Patience(max_wait=5))
    patient = Visitor(gate, 2, log)
    await settle()
    gate.close_for(10, refused=False)
    with pytest.raises(RateLimited, match="10 s"):
        await impatient.task
    holder.go.set()
    patient.go.set()
    await asyncio.gather(holder.task, patient.task)
    assert log == [0, 2]


async def test_a_cancelled_waiter_leaves_its_place_to_the_next() -> None:
    gate, _ = make(1)
    log: list[int] = []
    visitors = [Visitor(gate, n, log) for n in range(4)]
    await settle()
    visitors[1].task.cancel()
    await settle()
    visitors[0].go.set()
    await settle()
    assert log == [0, 2]
    for visitor in visitors:
        visitor.go.set()
    results = await asyncio.gather(*(v.task for v in visitors), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), asyncio.CancelledError, type(None), type(None)]


async def test_a_waiter_cancelled_in_the_moment_it_is_admitted_hands_its_slot_on() -> None:
    gate, _ = make(1)
    log: list[int] = []
    visitors = [Visitor(gate, n, log) for n in range(3)]
    await settle()
    visitors[0].go.set()
    await asyncio.sleep(
        0
    )  # the holder is about to leave: its leaving admits the next, which is cancelled before it runs
    await asyncio.sleep(0)
    visitors[1].task.cancel()
    await settle()
    visitors[2].go.set()
    await asyncio.wait_for(visitors[2].task, 2)
    assert 2 in log
    async with gate.slot(PATIENT):
        log.append(9)
    assert log[-1] == 9


async def test_a_waiter_cancelled_in_the_moment_it_would_be_admitted_does_not_break_the_gate() -> None:
    gate, _ = make(1)
    log: list[int] = []
    slot = gate.slot(PATIENT)
    await slot.enter()
    waiter = Visitor(gate, 1, log)
    await settle()
    waiter.task.cancel()  # its future is cancelled now; its task learns of it later
    slot.leave()
    results = await asyncio.gather(waiter.task, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    async with gate.slot(PATIENT):
        log.append(2)
    assert log == [2]


async def test_leaving_twice_frees_one_place() -> None:
    gate, _ = make(1)
    slot = gate.slot(PATIENT)
    await slot.enter()
    slot.leave()
    slot.leave()
    log: list[int] = []
    visitors = [Visitor(gate, n, log) for n in range(2)]
    await settle()
    assert log == [0]
    for visitor in visitors:
        visitor.go.set()
    await asyncio.gather(*(v.task for v in visitors))


async def test_an_open_gate_costs_no_turn_of_the_event_loop() -> None:
    gate, _ = make(4)
    began = time.perf_counter()
    entering = gate.slot(PATIENT).enter()
    with pytest.raises(StopIteration):
        entering.send(None)
    assert time.perf_counter() > began


async def test_no_more_calls_go_out_than_an_answer_said_remain() -> None:
    gate, _ = make(10)
    log: list[int] = []
    visitors = [Visitor(gate, number, log) for number in range(3)]
    await settle()
    gate.make_room(4)  # told to one of the three; the other two are among the four
    visitors += [Visitor(gate, number, log) for number in range(3, 8)]
    await settle()
    assert log == [0, 1, 2, 3, 4]
    visitors[0].go.set()
    await settle()
    assert log == [0, 1, 2, 3, 4]  # its answer has used up what remained
    gate.make_room(6)
    await settle()
    assert log == [0, 1, 2, 3, 4, 5, 6, 7]
    for visitor in visitors:
        visitor.go.set()
        await visitor.task


async def test_one_call_goes_out_whatever_remains_and_what_is_no_call_is_not_held_back() -> None:
    gate, _ = make(10)
    log: list[int] = []
    gate.make_room(0)
    first, second = Visitor(gate, 1, log), Visitor(gate, 2, log)
    await settle()
    assert log == [1]
    second.task.cancel()
    await asyncio.gather(second.task, return_exceptions=True)
    async with gate.slot(PATIENT, is_call=False):
        assert not gate.is_closed
    first.go.set()
    await first.task
    third = Visitor(gate, 3, log)
    await settle()
    assert log == [1, 3]
    third.go.set()
    await third.task


async def test_what_remained_is_forgotten_when_an_answer_says_nothing_of_it() -> None:
    gate, _ = make(10)
    log: list[int] = []
    gate.make_room(1)
    visitors = [Visitor(gate, number, log) for number in range(5)]
    await settle()
    assert log == [0]
    gate.make_room(math.inf)
    await settle()
    assert log == [0, 1, 2, 3, 4]
    for visitor in visitors:
        visitor.go.set()
        await visitor.task


async def test_what_is_no_call_does_not_wait_behind_calls_for_which_there_is_no_room() -> None:
    gate, _ = make(2)
    log: list[int] = []
    gate.make_room(0)
    visitors = [Visitor(gate, number, log) for number in range(4)]
    await settle()
    async with gate.slot(PATIENT, is_call=False):
        download = asyncio.create_task(gate.slot(PATIENT, is_call=False).enter())
        await settle()
        assert log == [0]
        assert not download.done()  # for want of a place
    await download
    gate.leave(is_call=False)
    for visitor in visitors:
        visitor.go.set()
        await visitor.task
    assert log == [0, 1, 2, 3]


@fast_clock
async def test_an_answer_that_takes_long_does_not_hold_the_others_back_for_as_long() -> None:
    gate, _ = make(10)
    log: list[int] = []
    gate.make_room(0)
    visitors = [Visitor(gate, number, log) for number in range(3)]
    await asyncio.sleep(0.5)
    assert log == [0]
    await asyncio.sleep(1)
    assert log == [0, 1]
    await asyncio.sleep(1)
    assert log == [0, 1, 2]
    for visitor in visitors:
        visitor.go.set()
        await visitor.task
