"""The limiter: how many requests are in flight, and the pause after a refusal."""

import asyncio

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
        async with limiter.permit(wait_limit):
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


@fast_clock
async def test_nothing_is_sent_during_a_pause_and_slow_start_follows() -> None:
    limiter, stats = make(8)
    loop = asyncio.get_running_loop()
    began = loop.time()
    limiter.pause(30, refused=False)
    out: list[float] = []
    peak: list[int] = []
    running = 0

    async def hold() -> None:
        nonlocal running
        async with limiter.permit(TWO_MINUTES):
            out.append(loop.time() - began)
            running += 1
            peak.append(running)
            await asyncio.sleep(1)
            running -= 1

    await asyncio.gather(*(hold() for _ in range(40)))
    assert min(out) >= 30
    assert [sum(30 + n - 0.1 <= moment < 30 + n + 0.9 for moment in out) for n in range(4)] == [1, 2, 4, 8]
    assert max(peak) == 8
    assert stats.paused == pytest.approx(30, abs=0.1)


@fast_clock
async def test_a_pause_is_limited_to_a_day() -> None:
    limiter, _ = make(2)
    limiter.pause(1e12, refused=True)
    began = asyncio.get_running_loop().time()
    async with limiter.permit(WaitLimit(max_wait=1e6)):
        assert asyncio.get_running_loop().time() - began == pytest.approx(86_400, abs=1)


@fast_clock
async def test_after_a_refusal_the_window_doubles_to_half_and_then_grows_by_one() -> None:
    limiter, _ = make(16)
    limiter.pause(1, refused=True)
    limiter.pause(2, refused=True)  # a second refusal of the same burst does not halve again
    widths: list[int] = []
    running = 0

    async def hold() -> None:
        nonlocal running
        async with limiter.permit(TWO_MINUTES):
            running += 1
            await asyncio.sleep(0.5)
            widths.append(running)
            await asyncio.sleep(0.5)
            running -= 1

    await asyncio.gather(*(hold() for _ in range(40)))
    assert widths[:15] == [1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8]
    assert max(widths) == 9  # above half, one more per round trip


@fast_clock
async def test_a_pause_without_a_refusal_does_not_lower_the_window() -> None:
    limiter, _ = make(16)
    limiter.pause(1, refused=False)
    running = peak = 0

    async def hold() -> None:
        nonlocal running, peak
        async with limiter.permit(TWO_MINUTES):
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(1)
            running -= 1

    await asyncio.gather(*(hold() for _ in range(60)))
    assert peak == 16


@fast_clock
async def test_a_refused_request_keeps_its_position() -> None:
    limiter, _ = make(1)
    log: list[str] = []

    async def call(name: str, wait_limit: WaitLimit, *, refused: bool) -> None:
        if refused:
            async with limiter.permit(wait_limit):
                limiter.pause(5, refused=True)
            await asyncio.sleep(5)
        async with limiter.permit(wait_limit):
            log.append(name)
            await asyncio.sleep(1)

    first = asyncio.create_task(call("refused", WaitLimit(max_wait=60), refused=True))
    await run_ready_tasks()
    later = [asyncio.create_task(call(f"later {n}", WaitLimit(max_wait=60), refused=False)) for n in range(3)]
    await asyncio.gather(first, *later)
    assert log.index("refused") <= 1  # the pause may end a moment before it queues again
    assert [name for name in log if name != "refused"] == ["later 0", "later 1", "later 2"]


@fast_clock
async def test_a_shorter_pause_never_shortens_a_longer_one_nor_counts_twice() -> None:
    limiter, stats = make(8)
    began = asyncio.get_running_loop().time()
    limiter.pause(20, refused=False)
    limiter.pause(3, refused=False)
    await asyncio.sleep(10)
    limiter.pause(15, refused=False)
    async with limiter.permit(TWO_MINUTES):
        assert asyncio.get_running_loop().time() - began == pytest.approx(25, abs=0.2)
    assert stats.paused == pytest.approx(25, abs=0.2)


@fast_clock
async def test_acquire_fails_at_once_if_the_pause_exceeds_the_wait_limit() -> None:
    limiter, _ = make(8)
    loop = asyncio.get_running_loop()
    limiter.pause(50, refused=False)
    began = loop.time()
    for wait_limit in (WaitLimit(max_wait=40), WaitLimit(max_wait=1000, deadline=loop.time() + 49)):
        with pytest.raises(RateLimited) as caught:
            await limiter.permit(wait_limit).acquire()
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
    limiter.pause(10, refused=False)
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
    await asyncio.sleep(0)  # the release admits the next waiter, which is cancelled before it runs
    await asyncio.sleep(0)
    holders[1].task.cancel()
    await run_ready_tasks()
    holders[2].go.set()
    await asyncio.wait_for(holders[2].task, 2)
    assert 2 in log
    async with limiter.permit(TWO_MINUTES):
        log.append(9)
    assert log[-1] == 9


async def test_a_waiter_cancelled_just_before_admission_is_skipped() -> None:
    limiter, _ = make(1)
    log: list[int] = []
    permit = limiter.permit(TWO_MINUTES)
    await permit.acquire()
    waiter = Holder(limiter, 1, log)
    await run_ready_tasks()
    waiter.task.cancel()  # its future is cancelled now, its task in the next iteration
    permit.release()
    results = await asyncio.gather(waiter.task, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    async with limiter.permit(TWO_MINUTES):
        log.append(2)
    assert log == [2]


async def test_release_is_idempotent() -> None:
    limiter, _ = make(1)
    permit = limiter.permit(TWO_MINUTES)
    await permit.acquire()
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
    acquiring = limiter.permit(TWO_MINUTES).acquire()
    with pytest.raises(StopIteration):
        acquiring.send(None)


async def test_no_more_requests_are_sent_than_a_response_stated_as_remaining() -> None:
    limiter, _ = make(10)
    log: list[int] = []
    holders = [Holder(limiter, number, log) for number in range(3)]
    await run_ready_tasks()
    limiter.apply_rate_limit(remaining(4))  # in the response to one of the three; the other two are among the four
    holders += [Holder(limiter, number, log) for number in range(3, 8)]
    await run_ready_tasks()
    assert log == [0, 1, 2, 3, 4]
    holders[0].go.set()
    await run_ready_tasks()
    assert log == [0, 1, 2, 3, 4]  # the quota is used up
    limiter.apply_rate_limit(remaining(6))
    await run_ready_tasks()
    assert log == [0, 1, 2, 3, 4, 5, 6, 7]
    for holder in holders:
        holder.go.set()
        await holder.task


async def test_one_request_is_sent_although_nothing_remains_and_uncounted_ones_are_not_limited() -> None:
    limiter, _ = make(10)
    log: list[int] = []
    limiter.apply_rate_limit(remaining(1))
    first, second = Holder(limiter, 1, log), Holder(limiter, 2, log)
    await run_ready_tasks()
    assert log == [1]
    second.task.cancel()
    await asyncio.gather(second.task, return_exceptions=True)
    async with limiter.permit(TWO_MINUTES, counted=False):
        assert not limiter.is_paused
    first.go.set()
    await first.task
    third = Holder(limiter, 3, log)
    await run_ready_tasks()
    assert log == [1, 3]
    third.go.set()
    await third.task


async def test_a_response_without_headers_lifts_the_limit() -> None:
    limiter, _ = make(10)
    log: list[int] = []
    limiter.apply_rate_limit(remaining(1))
    holders = [Holder(limiter, number, log) for number in range(5)]
    await run_ready_tasks()
    assert log == [0]
    limiter.apply_rate_limit(UNKNOWN)
    await run_ready_tasks()
    assert log == [0, 1, 2, 3, 4]
    for holder in holders:
        holder.go.set()
        await holder.task


async def test_uncounted_requests_do_not_wait_behind_limited_ones() -> None:
    limiter, _ = make(2)
    log: list[int] = []
    limiter.apply_rate_limit(remaining(1))
    holders = [Holder(limiter, number, log) for number in range(4)]
    await run_ready_tasks()
    async with limiter.permit(TWO_MINUTES, counted=False):
        download = asyncio.create_task(limiter.permit(TWO_MINUTES, counted=False).acquire())
        await run_ready_tasks()
        assert log == [0]
        assert not download.done()  # no permit is free
    await download
    limiter.release(counted=False)
    for holder in holders:
        holder.go.set()
        await holder.task
    assert log == [0, 1, 2, 3]


@fast_clock
async def test_a_slow_response_admits_one_more_request_each_second() -> None:
    limiter, _ = make(10)
    log: list[int] = []
    limiter.apply_rate_limit(remaining(1))
    holders = [Holder(limiter, number, log) for number in range(3)]
    await asyncio.sleep(0.5)
    assert log == [0]
    await asyncio.sleep(1)
    assert log == [0, 1]
    await asyncio.sleep(1)
    assert log == [0, 1, 2]
    for holder in holders:
        holder.go.set()
        await holder.task
