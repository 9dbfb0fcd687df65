"""Process many items with bounded concurrency."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sized,
)
from contextlib import aclosing
from typing import TypeVar, cast

from .arguments import check_positive_integer

T = TypeVar("T")
R = TypeVar("R")


def fan_out(
    items: Iterable[T] | AsyncIterable[T], work: Callable[[T], Awaitable[R]], *, concurrency: int
) -> AsyncGenerator[tuple[T, R | Exception], None]:
    """Iterate `(item, result or error)` in order of completion, with `concurrency` items in work.

    Items are read only when a worker is free, so that a list is fetched no faster than its items are processed. An
    error of `items` itself is raised after the results of all items read before; a cancellation of what `work` waits
    for, and an error that is not an `Exception`, are raised at once. Leaving the loop early (break, cancellation,
    error) cancels the running work, waits for its end, and closes `items` if it is an async generator.
    """
    return _fan_out(items, work, check_positive_integer("concurrency", concurrency))


async def fan_out_in_order(
    items: Iterable[T], work: Callable[[T], Awaitable[R]], *, concurrency: int
) -> list[tuple[T, R | Exception]]:
    """Return `(item, result or error)` in the order of the items, with `concurrency` items in work."""

    async def numbered_work(numbered: tuple[int, T]) -> R:
        return await work(numbered[1])

    async with aclosing(fan_out(enumerate(items), numbered_work, concurrency=concurrency)) as outcomes:
        found = {number: (item, outcome) async for (number, item), outcome in outcomes}
    return [found[number] for number in range(len(found))]


async def map_concurrently(items: Collection[T], work: Callable[[T], Awaitable[R]], *, concurrency: int) -> list[R]:
    """Return the results in the order of the items, with `concurrency` items in work.

    The first error is raised at once; the other work is cancelled, and has ended by then.
    """
    results: dict[int, R] = {}

    async def numbered_work(numbered: tuple[int, T]) -> None:
        number, item = numbered
        results[number] = await work(item)

    async with aclosing(fan_out([*enumerate(items)], numbered_work, concurrency=concurrency)) as outcomes:
        async for _, error in outcomes:
            if error is not None:
                raise error
    return [results[number] for number in range(len(results))]


async def _fan_out(
    items: Iterable[T] | AsyncIterable[T], work: Callable[[T], Awaitable[R]], concurrency: int
) -> AsyncGenerator[tuple[T, R | Exception], None]:
    source = stream(items) if isinstance(items, AsyncIterable) else iter(items)
    source_lock = asyncio.Lock()
    done: asyncio.Queue[tuple[T, R | Exception] | BaseException | None] = asyncio.Queue(maxsize=concurrency)

    async def worker() -> None:
        while True:
            try:
                if isinstance(source, Iterator):
                    item = next(source)
                else:
                    async with source_lock:  # an async generator cannot be iterated concurrently
                        item = await anext(source)
            except (StopIteration, StopAsyncIteration):
                return
            try:
                outcome: R | Exception = await work(item)
            except Exception as error:  # noqa: BLE001  # the result of this item; the others continue
                outcome = error
            except BaseException as error:
                task = asyncio.current_task()
                if task is None or not task.cancelling():  # otherwise the end of the loop cancels it
                    await done.put(error)
                raise
            await done.put((item, outcome))

    async def wait_for_workers() -> None:
        outcomes = await asyncio.gather(*workers, return_exceptions=True)
        await done.put(next((error for error in outcomes if error is not None), None))

    count = min(concurrency, len(items)) if isinstance(items, Sized) else concurrency
    workers = [asyncio.create_task(worker()) for _ in range(count)]
    waiter = asyncio.create_task(wait_for_workers())
    try:
        while isinstance(entry := await done.get(), tuple):
            yield entry
        if entry is not None:
            raise entry
    finally:
        for task in (waiter, *workers):
            task.cancel()
        try:
            await asyncio.gather(waiter, *workers, return_exceptions=True)
        finally:
            if not isinstance(source, Iterator):
                await source.aclose()


async def stream(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """Iterate over items that may arrive asynchronously. Closes their async generator at the end."""
    if not isinstance(items, AsyncIterable):
        for item in items:
            yield item
        return
    iterator = aiter(items)
    try:
        async for item in iterator:
            yield item
    finally:
        if isinstance(iterator, AsyncGenerator):
            await cast("AsyncGenerator[T, None]", iterator).aclose()
