"""Do one thing for many items at once, but not for all of them at once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from typing import TypeVar, cast

from ..errors import InvalidArgument

T = TypeVar("T")
R = TypeVar("R")


def fan_out(
    items: Iterable[T] | AsyncIterable[T], work: Callable[[T], Awaitable[R]], *, concurrency: int
) -> AsyncGenerator[tuple[T, R | Exception], None]:
    """Iterate `(item, result or error)` as they come, `concurrency` at a time.

    Items are taken from `items` only when there is room, so a list that is still being fetched is fetched no faster
    than it is worked off. An error of `items` itself is raised when all that was begun has been yielded. Leaving the
    loop early (break, cancel, an error) cancels what is under way and waits for it to be gone.
    """
    if type(concurrency) is not int or concurrency < 1:
        raise InvalidArgument(f"concurrency={concurrency!r}: give a whole number from 1")
    return _fan_out(items, work, concurrency)


async def _fan_out(
    items: Iterable[T] | AsyncIterable[T], work: Callable[[T], Awaitable[R]], concurrency: int
) -> AsyncGenerator[tuple[T, R | Exception], None]:
    source = _stream(items)
    turn = asyncio.Lock()
    done: asyncio.Queue[tuple[T, R | Exception] | BaseException | None] = asyncio.Queue(maxsize=concurrency)

    async def worker() -> None:
        while True:
            async with turn:  # an async generator can't be asked by two at once
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    return
            try:
                outcome: R | Exception = await work(item)
            except Exception as error:  # noqa: BLE001  # it belongs to this item: the others go on
                outcome = error
            await done.put((item, outcome))

    async def conduct() -> None:
        outcomes = await asyncio.gather(*workers, return_exceptions=True)
        await done.put(next((error for error in outcomes if error is not None), None))

    workers = [asyncio.create_task(worker()) for _ in range(concurrency)]
    conductor = asyncio.create_task(conduct())
    try:
        while isinstance(entry := await done.get(), tuple):
            yield entry
        if entry is not None:
            raise entry
    finally:
        for task in (conductor, *workers):
            task.cancel()
        try:
            await asyncio.gather(conductor, *workers, return_exceptions=True)
        finally:
            await source.aclose()


async def _stream(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    if isinstance(items, AsyncIterable):
        iterator = aiter(items)
        try:
            async for item in iterator:
                yield item
        finally:
            if iterator is not items and isinstance(iterator, AsyncGenerator):  # made here, so nobody else closes it
                await cast("AsyncGenerator[T, None]", iterator).aclose()
    else:
        for item in items:
            yield item
