"""The limiter: how many requests are in flight, and the pause after a refusal."""

import asyncio
import math

import pytest

from circleci_async.core.limiter import Limiter, WaitLimit
from circleci_async.core.rate_limit import UNKNOWN, RateLimitState
from circleci_async.core.stats import Stats
from circleci_async.errors import RateLimited
from tests.fastclock import fast_clock

TWO_MINUTES = WaitLimit(max_wait=120)


def remaining(number: int) -> RateLimitState:
    return RateLimitState(pause=None, remaining=number)


def make(concurrency: int) -> tuple[Limiter, Stats]:
    stats = Stats()
    return Limiter(concurrency, stats), stats


async def run_ready_tasks() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Holder:
    """A task that acquires a permit and holds it until `go` is set."""

    def __init__(self, limiter: Limiter, name: int, log: list[int], wait_limit: WaitLimit = TWO_MINUTES) -> None:
        self.go = asyncio.Event()
        self.acquired: float | None = None
        self.task = asyncio.create_task(self.hold(limiter, name, log, wait_limit))

    async def hold(self, limiter: Limiter, name: int, log: list[int], wait_limit: WaitLimit) -> None:
        with await limiter.acquire(wait_limit):
            self.acquired = asyncio.get_running_loop().time()
            log.append(name)
            await self.go.wait()


async def test_at_most_concurrency_permits_are_held_in_order_of_arrival() -> None:
    limiter, _ = make(2)
    log: list[int] = []
    holders = [Holder(limiter, n, log) for n in range(5)]
    await run_ready_tasks()
    assert log == [0, 1]
    holders[1].go.set()
    await run_ready_tasks()
    assert log == [0, 1, 2]
    for holder in holders:
        holder.go.set()
    await asyncio.gather(*(v.task for v in holders))
    assert log == [0, 1, 2, 3, 4]


async def test_a_new_request_does_not_overtake_waiting_ones() -> None:
    limiter, _ = make(1)
    log: list[int] = []
    first, second = Holder(limiter, 1, log), Holder(limiter, 2, log)
    await run_ready_tasks()
    first.go.set()
    third = Holder(limiter, 3, log)
    await run_ready_tasks()
    assert log == [1, 2]
    second.go.set()
    third.go.set()
    await asyncio.gather(first.task, second.task, third.task)


async def respond(
    limiter: Limiter, state: RateLimitState = UNKNOWN, *, seconds: float = 1.0, refused: bool = False
) -> float:
    """Send one request whose response takes this long; return when it was sent."""
    with await limiter.acquire(TWO_MINUTES) as permit:
        sent_at = asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        limiter.apply_rate_limit(state, permit, refused=refused)
        return sent_at


@fast_clock
async def test_nothing_is_sent_during_a_pause() -> None:
    limiter, stats = make(8)
    began = asyncio.get_running_loop().time()
    limiter.pause(30)
    sent = await asyncio.gather(*(respond(limiter) for _ in range(40)))
    assert min(sent) - began >= 30
    assert sum(moment - began < 30.5 for moment in sent) == 8
    assert stats.paused == pytest.approx(30, abs=0.1)


@fast_clock
async def test_slow_start_begins_with_eight_in_flight_and_doubles_with_each_round_trip() -> None:
    limiter, _ = make(32)
    began = asyncio.get_running_loop().time()
    sent = await asyncio.gather(*(respond(limiter) for _ in range(100)))
    assert [sum(n - 0.1 <= moment - began < n + 0.9 for moment in sent) for n in range(4)] == [8, 16, 32, 32]
    assert limiter.pace == math.inf


@fast_clock
async def test_uncounted_requests_are_limited_by_concurrency_alone() -> None:
    limiter, _ = make(32)
    for _ in range(32):
        permit = await limiter.acquire(TWO_MINUTES, counted=False)
        limiter.apply_rate_limit(RateLimitState(pause=9, remaining=0), permit)
    assert not limiter.is_paused
    assert limiter.pace == math.inf


@fast_clock
async def test_a_pause_is_limited_to_a_day() -> None:
    limiter, _ = make(2)
    limiter.pause(1e12)
    began = asyncio.get_running_loop().time()
    with await limiter.acquire(WaitLimit(max_wait=1e6)):
        assert asyncio.get_running_loop().time() - began == pytest.approx(86_400, abs=1)


@fast_clock
async def test_requests_are_paced_after_a_refusal() -> None:
    limiter, _ = make(16)
    loop = asyncio.get_running_loop()
    await respond(limiter, RateLimitState(pause=2), refused=True)
    resumed = loop.time() + 2
    sent = sorted(await asyncio.gather(*(respond(limiter, seconds=0.1) for _ in range(10))))
    assert sent[0] >= resumed
    assert 0.3 < sent[-1] - sent[0] < 1.3  # from 8 per second, doubling
    assert limiter.rate is None, "one refusal makes no estimate"


@fast_clock
async def test_a_refusal_without_retry_after_pauses_briefly_and_longer_each_time() -> None:
    limiter, stats = make(16)
    pauses: list[float] = []
    for _ in range(4):
        before = stats.paused
        await respond(limiter, seconds=0.01, refused=True)
        pauses.append(stats.paused - before)
    assert pauses == pytest.approx([0.25, 0.5, 1, 2], abs=0.1)


@fast_clock
async def test_refusals_of_one_burst_are_one_event() -> None:
    limiter, stats = make(16)
    await asyncio.gather(*(respond(limiter, RateLimitState(pause=2), refused=True) for _ in range(8)))
    assert stats.paused == pytest.approx(2, abs=0.1)
    assert limiter.pace == 8


@fast_clock
async def test_a_refused_request_keeps_its_position() -> None:
    limiter, _ = make(1)
    log: list[str] = []

    async def call(name: str, wait_limit: WaitLimit, *, refused: bool) -> None:
        if refused:
            with await limiter.acquire(wait_limit) as permit:
                limiter.apply_rate_limit(RateLimitState(pause=5), permit, refused=True)
        with await limiter.acquire(wait_limit):
            log.append(name)
            await asyncio.sleep(1)

    first = asyncio.create_task(call("refused", WaitLimit(max_wait=60), refused=True))
    await run_ready_tasks()
    later = [asyncio.create_task(call(f"later {n}", WaitLimit(max_wait=60), refused=False)) for n in range(3)]
    await asyncio.gather(first, *later)
    assert log == ["refused", "later 0", "later 1", "later 2"]


@fast_clock
async def test_a_shorter_pause_never_shortens_a_longer_one_nor_counts_twice() -> None:
    limiter, stats = make(8)
    began = asyncio.get_running_loop().time()
    limiter.pause(20)
    limiter.pause(3)
    await asyncio.sleep(10)
    limiter.pause(15)
    with await limiter.acquire(TWO_MINUTES):
        assert asyncio.get_running_loop().time() - began == pytest.approx(25, abs=0.2)
    assert stats.paused == pytest.approx(25, abs=0.2)


@fast_clock
async def test_acquire_fails_at_once_if_the_pause_exceeds_the_wait_limit() -> None:
    limiter, _ = make(8)
    loop = asyncio.get_running_loop()
    limiter.pause(50)
    began = loop.time()
    for wait_limit in (WaitLimit(max_wait=40), WaitLimit(max_wait=1000, deadline=loop.time() + 49)):
        with pytest.raises(RateLimited) as caught:
            await limiter.acquire(wait_limit)
        assert caught.value.retry_after == pytest.approx(50, abs=0.2)
    assert loop.time() - began < 1


@fast_clock
async def test_a_waiter_fails_as_soon_as_a_pause_exceeds_its_wait_limit() -> None:
    limiter, _ = make(1)
    log: list[int] = []
    holder = Holder(limiter, 0, log)
    await run_ready_tasks()
    short = Holder(limiter, 1, log, WaitLimit(max_wait=5))
    long = Holder(limiter, 2, log)
    await run_ready_tasks()
    limiter.pause(10)
    with pytest.raises(RateLimited, match="10 s"):
        await short.task
    holder.go.set()
    long.go.set()
    await asyncio.gather(holder.task, long.task)
    assert log == [0, 2]


async def test_a_cancelled_waiter_frees_its_position() -> None:
    limiter, _ = make(1)
    log: list[int] = []
    holders = [Holder(limiter, n, log) for n in range(4)]
    await run_ready_tasks()
    holders[1].task.cancel()
    await run_ready_tasks()
    holders[0].go.set()
    await run_ready_tasks()
    assert log == [0, 2]
    for holder in holders:
        holder.go.set()
    results = await asyncio.gather(*(v.task for v in holders), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), asyncio.CancelledError, type(None), type(None)]


async def test_a_waiter_cancelled_while_admitted_releases_its_permit() -> None:
    limiter, _ = make(1)
    log: list[int] = []
    holders = [Holder(limiter, n, log) for n in range(3)]
    await run_ready_tasks()
    holders[0].go.set()
    await asyncio.sleep(
        0
    )  # the holder is about to leave: its leaving admits the next, which is cancelled before it runs
    await asyncio.sleep(0)
    holders[1].task.cancel()
    await run_ready_tasks()
    holders[2].go.set()
    await asyncio.wait_for(holders[2].task, 2)
    assert 2 in log
    with await limiter.acquire(TWO_MINUTES):
        log.append(9)
    assert log[-1] == 9


async def test_a_waiter_cancelled_just_before_admission_is_skipped() -> None:
    limiter, _ = make(1)
    log: list[int] = []
    permit = await limiter.acquire(TWO_MINUTES)
    waiter = Holder(limiter, 1, log)
    await run_ready_tasks()
    waiter.task.cancel()  # its future is cancelled now, its task in the next iteration
    permit.release()
    results = await asyncio.gather(waiter.task, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    with await limiter.acquire(TWO_MINUTES):
        log.append(2)
    assert log == [2]


async def test_release_is_idempotent() -> None:
    limiter, _ = make(1)
    permit = await limiter.acquire(TWO_MINUTES)
    permit.release()
    permit.release()
    log: list[int] = []
    holders = [Holder(limiter, n, log) for n in range(2)]
    await run_ready_tasks()
    assert log == [0]
    for holder in holders:
        holder.go.set()
    await asyncio.gather(*(v.task for v in holders))


async def test_a_free_permit_is_acquired_without_suspending() -> None:
    limiter, _ = make(4)
    acquiring = limiter.acquire(TWO_MINUTES)
    with pytest.raises(StopIteration):
        acquiring.send(None)


@fast_clock
async def test_no_more_requests_are_sent_than_a_response_stated_as_remaining() -> None:
    limiter, _ = make(10)
    await respond(limiter, remaining(4), seconds=0.1)
    sent = await asyncio.gather(*(respond(limiter, remaining(9)) for _ in range(8)))
    assert [sum(moment < min(sent) + wait for moment in sent) for wait in (0.5, 1.5)] == [4, 8]


@fast_clock
async def test_an_exhausted_quota_of_unknown_rate_pauses_until_its_reset() -> None:
    limiter, stats = make(10)
    await respond(limiter, RateLimitState(pause=7, remaining=0, limit=50), seconds=0.1)
    assert stats.paused == pytest.approx(7, abs=0.1)
    assert limiter.pace < math.inf


@fast_clock
async def test_a_limit_of_one_that_always_states_nothing_remaining_pauses_nothing() -> None:
    limiter, stats = make(10)
    for _ in range(20):
        await respond(limiter, RateLimitState(pause=1, remaining=0, limit=1), seconds=0.1)
    assert (stats.paused, limiter.pace) == (0, math.inf)


@fast_clock
async def test_a_response_without_headers_lifts_the_limit() -> None:
    limiter, _ = make(10)
    await respond(limiter, remaining(1), seconds=0.1)
    await respond(limiter, seconds=0.1)
    sent = await asyncio.gather(*(respond(limiter) for _ in range(8)))
    assert max(sent) - min(sent) < 0.1


@fast_clock
async def test_headers_that_refusals_contradict_are_ignored() -> None:
    limiter, _ = make(10)
    for _ in range(3):
        await respond(limiter, remaining(40), seconds=0.1)
        await respond(limiter, RateLimitState(pause=1, remaining=40), seconds=0.1, refused=True)
    await respond(limiter, remaining(1), seconds=0.1)
    assert limiter._control._statement is None


@fast_clock
async def test_uncounted_requests_do_not_wait_behind_paced_ones() -> None:
    limiter, _ = make(4)
    loop = asyncio.get_running_loop()
    await respond(limiter, RateLimitState(pause=1), refused=True)
    calls = [asyncio.create_task(respond(limiter)) for _ in range(30)]
    await asyncio.sleep(1.01)
    began = loop.time()
    with await limiter.acquire(TWO_MINUTES, counted=False):
        assert loop.time() - began < 0.1
    await asyncio.gather(*calls)


@fast_clock
async def test_a_slow_response_admits_one_more_request_each_second() -> None:
    limiter, _ = make(10)
    await respond(limiter, remaining(2), seconds=0.1)
    sent = await asyncio.gather(*(respond(limiter, seconds=60) for _ in range(5)))
    assert [moment - min(sent) for moment in sent] == pytest.approx([0, 0, 1, 2, 3], abs=0.1)


@fast_clock
async def test_a_call_admitted_just_before_a_refusal_waits_for_the_pause() -> None:
    limiter, _ = make(1)
    loop = asyncio.get_running_loop()
    first = await limiter.acquire(TWO_MINUTES)
    waiting = asyncio.create_task(respond(limiter))
    await asyncio.sleep(0)
    first.release()  # admits the waiting call, which runs in the next iteration of the loop
    limiter.pause(5)
    paused_at = loop.time()
    assert await waiting - paused_at >= 5


@fast_clock
async def test_a_call_whose_turn_comes_after_its_deadline_fails_at_once() -> None:
    limiter, _ = make(32)
    limiter._control.rate = limiter._control.pace = 2.0
    limiter._control._due = asyncio.get_running_loop().time() + 0.5
    queued = [asyncio.create_task(respond(limiter)) for _ in range(20)]
    await run_ready_tasks()
    began = asyncio.get_running_loop().time()
    with pytest.raises(RateLimited, match="deadline"):
        await limiter.acquire(WaitLimit(max_wait=120, deadline=began + 5))
    assert asyncio.get_running_loop().time() - began < 1
    for task in queued:
        task.cancel()


@fast_clock
async def test_waiting_calls_share_one_timer() -> None:
    limiter, _ = make(8)
    await respond(limiter, RateLimitState(pause=1), refused=True)
    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(respond(limiter)) for _ in range(500)]
    await run_ready_tasks()
    # one of the limiter, and one of the monitor that warns of long waits
    assert sum(not timer.cancelled() for timer in loop._scheduled) == 2  # type: ignore[attr-defined]
    for task in tasks:
        task.cancel()
