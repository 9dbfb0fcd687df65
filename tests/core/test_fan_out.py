"""Processing many items with bounded concurrency."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from circleci_async.core.fan_out import fan_out, map_concurrently
from circleci_async.errors import InvalidArgument


async def test_results_are_yielded_when_ready_and_errors_with_their_items() -> None:
    ready = asyncio.Event()

    async def work(item: int) -> int:
        if item == 0:
            await ready.wait()
        if item == 1:
            raise KeyError(item)
        return item * 10

    found = []
    async for item, outcome in fan_out(range(3), work, concurrency=3):
        found.append((item, repr(outcome)))
        ready.set()
    assert found[-1] == (0, "0")
    assert set(found) == {(0, "0"), (1, "KeyError(1)"), (2, "20")}


async def test_never_more_than_the_given_number_run_at_once() -> None:
    running = peak = 0

    async def work(item: int) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        running -= 1

    count = 0
    async for _ in fan_out(range(100), work, concurrency=7):
        count += 1
    assert (count, peak) == (100, 7)


async def test_no_more_workers_are_started_than_there_are_items() -> None:
    async def tasks(_: int) -> int:
        return len(asyncio.all_tasks())

    before = len(asyncio.all_tasks())
    outcomes = [outcome async for _, outcome in fan_out([1, 2], tasks, concurrency=1000)]
    assert max(each for each in outcomes if isinstance(each, int)) <= before + 3


async def test_items_are_read_no_faster_than_they_are_processed() -> None:
    taken = 0

    async def items() -> AsyncIterator[int]:
        nonlocal taken
        for item in range(1000):
            taken += 1
            yield item

    async def work(item: int) -> int:
        return item

    async with aclosing(fan_out(items(), work, concurrency=4)) as outcomes:
        await anext(outcomes)
        for _ in range(50):
            await asyncio.sleep(0)
        assert taken <= 4 * 3


async def test_an_error_of_the_items_is_raised_after_the_results_before_it() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise LookupError("the list failed")

    async def work(item: int) -> int:
        await asyncio.sleep(0.01)
        return item

    found: list[object] = []
    with pytest.raises(LookupError, match="the list failed"):
        async for _, outcome in fan_out(items(), work, concurrency=5):
            found.append(outcome)
    assert found == [1, 2]


@pytest.mark.parametrize("leave", ["break", "cancel", "error"])
async def test_leaving_early_leaves_nothing_running(leave: str) -> None:
    started: set[int] = set()
    ended: set[int] = set()

    async def work(item: int) -> int:
        started.add(item)
        try:
            if item:
                await asyncio.Event().wait()
            return item
        finally:
            ended.add(item)

    async def consume() -> None:
        async with aclosing(fan_out(range(10), work, concurrency=5)) as outcomes:
            async for _ in outcomes:
                if leave == "break":
                    break
                if leave == "error":
                    raise LookupError
                await asyncio.Event().wait()

    before = asyncio.all_tasks()
    task = asyncio.create_task(consume())
    if leave == "cancel":
        await asyncio.sleep(0.02)
        task.cancel()
    results = await asyncio.gather(task, return_exceptions=True)
    assert [type(result) for result in results] == [
        {"break": type(None), "cancel": asyncio.CancelledError, "error": LookupError}[leave]
    ]
    assert started == ended
    assert len(started) >= 5
    assert asyncio.all_tasks() == before
    gc.collect()


async def test_without_items_nothing_is_yielded() -> None:
    async def work(item: int) -> int:
        return item

    nothing: list[int] = []
    assert [entry async for entry in fan_out(nothing, work, concurrency=3)] == []


def test_a_concurrency_below_one_is_rejected_at_once() -> None:
    async def work(item: int) -> int:
        return item

    with pytest.raises(InvalidArgument, match="concurrency must be a positive integer, got 0"):
        fan_out([1], work, concurrency=0)


async def test_an_async_generator_of_items_is_closed_at_the_end() -> None:
    closed = False

    async def items() -> AsyncIterator[int]:
        nonlocal closed
        try:
            for item in range(10):
                yield item
        finally:
            await asyncio.sleep(0)
            closed = True

    async def work(item: int) -> int:
        return item

    given = items()
    async with aclosing(fan_out(given, work, concurrency=2)) as outcomes:
        await anext(outcomes)
    assert closed


async def test_mapped_results_are_in_the_order_of_the_items() -> None:
    async def work(item: int) -> int | ValueError:
        await asyncio.sleep(0.001 * (3 - item))
        return ValueError(item) if item == 1 else item

    found = await map_concurrently(range(3), work, concurrency=3)
    assert [repr(each) for each in found] == ["0", "ValueError(1)", "2"]
    assert await map_concurrently([], work, concurrency=3) == []


async def test_the_first_error_of_mapped_work_cancels_the_rest() -> None:
    ended: list[int] = []

    async def work(item: int) -> None:
        try:
            if item == 1:
                raise KeyError(item)
            await asyncio.sleep(60)
        finally:
            ended.append(item)

    with pytest.raises(KeyError):
        await map_concurrently(range(3), work, concurrency=3)
    assert sorted(ended) == [0, 1, 2]
