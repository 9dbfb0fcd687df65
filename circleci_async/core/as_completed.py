"""Await many calls with bounded concurrency, and yield the result of each with its key."""

import asyncio
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import aclosing
from typing import Any, TypeAlias, TypeGuard, TypeVar, cast, overload

from ..errors import CircleCIError, InvalidArgument
from .arguments import check_positive_integer
from .fan_out import fan_out, stream
from .paging import Paged

__all__ = ["as_completed"]

K = TypeVar("K")
T = TypeVar("T")
U = TypeVar("U")

Keyed: TypeAlias = Mapping[K, T] | Iterable[tuple[K, T]] | AsyncIterable[tuple[K, T]]
"""Values with keys: a mapping, or pairs of a key and a value."""

_Call: TypeAlias = Awaitable[Any] | Paged[Any]
_Pair: TypeAlias = tuple[Any, _Call]


@overload
def as_completed(
    calls: Keyed[K, Paged[T]], *, concurrency: int = 16
) -> AsyncGenerator[tuple[K, list[T] | CircleCIError], None]: ...


@overload
def as_completed(
    calls: Keyed[K, Awaitable[T]], *, concurrency: int = 16
) -> AsyncGenerator[tuple[K, T | CircleCIError], None]: ...


@overload
def as_completed(
    calls: Keyed[K, Awaitable[T] | Paged[U]], *, concurrency: int = 16
) -> AsyncGenerator[tuple[K, T | list[U] | CircleCIError], None]: ...


@overload
def as_completed(  # pyright: ignore[reportOverlappingOverload]  # for mypy, which infers `object` for mixed values
    calls: Mapping[K, Awaitable[Any] | Paged[Any]], *, concurrency: int = 16
) -> AsyncGenerator[tuple[K, Any], None]: ...


def as_completed(calls: Any, *, concurrency: int = 16) -> AsyncGenerator[tuple[Any, Any], None]:
    """Iterate over `(key, result or CircleCIError)` of many calls, in the order of completion.

    `calls` maps keys to awaitables (coroutines, tasks, futures) and lists (`Paged`, whose result is a list of all
    items), which can be mixed. It can also be an iterable or async iterable of `(key, awaitable)` pairs, which is read
    as calls complete. At most `concurrency` of them run at a time; the others have not started.

    A failed call yields `(key, error)` and does not stop the others: check for it with
    `isinstance(result, CircleCIError)`. Any other exception is raised, and cancels the rest. At the end of the
    iteration, also by `break`, an exception or a cancellation, running calls are cancelled, other coroutines closed,
    and other tasks and futures cancelled. Wrap the call in `contextlib.aclosing` to wait for that after a `break`.

    Raises `InvalidArgument` at once, and closes the coroutines, for values that cannot be awaited.
    """
    known: list[object] = [calls]
    try:
        pairs = _pairs_of(calls)
        if isinstance(pairs, Collection):
            known = [*pairs]
        check_positive_integer("concurrency", concurrency)
        if isinstance(pairs, Collection):
            return _Results([_checked(pair) for pair in known], concurrency)
        if isinstance(pairs, AsyncIterable):
            return _Results(_checked_async(pairs), concurrency)
        return _Results(map(_checked, pairs), concurrency)
    except BaseException:
        _discard(known)
        raise


def _pairs_of(calls: Any) -> "Collection[object] | Iterable[object] | AsyncIterable[object]":
    if not isinstance(calls, Iterable | AsyncIterable):
        raise InvalidArgument(f"calls must be a mapping of keys to awaitables, or pairs of the two, got {calls!r}")
    return cast("Iterable[object]", calls.items() if isinstance(calls, Mapping) else calls)


class _Results(AsyncGenerator[tuple[Any, Any], None]):
    """The results. Unlike a plain async generator, it also discards its calls if it is closed before its start."""

    def __init__(self, pairs: "list[_Pair] | Iterator[_Pair] | AsyncGenerator[_Pair, None]", concurrency: int) -> None:
        self._calls = pairs if isinstance(pairs, list) else []
        self._results = _results(pairs, self._calls, concurrency)

    async def asend(self, value: None) -> tuple[Any, Any]:
        return await self._results.asend(value)

    async def athrow(self, *error: Any) -> tuple[Any, Any]:
        return await self._results.athrow(*error)

    async def aclose(self) -> None:
        await self._results.aclose()
        await _cancel(self._calls)


async def _results(
    pairs: Iterable[_Pair] | AsyncIterable[_Pair], calls: list[_Pair], concurrency: int
) -> AsyncGenerator[tuple[Any, Any], None]:
    async def result_of(pair: _Pair) -> Any:
        call = pair[1]
        return await (call.collect() if isinstance(call, Paged) else call)

    try:
        async with aclosing(fan_out(pairs, result_of, concurrency=concurrency)) as outcomes:
            async for (key, _), outcome in outcomes:
                if isinstance(outcome, Exception) and not isinstance(outcome, CircleCIError):
                    raise outcome
                yield key, outcome
    finally:
        await _cancel(calls)


def _checked(pair: object) -> _Pair:
    """Return the pair of a key and a call. Raises `InvalidArgument` for anything else."""
    problem = f"calls must be a mapping of keys to awaitables, or pairs of the two; one item is {pair!r}"
    if _is_pair(pair):
        key, call = pair
        if isinstance(call, Paged) or inspect.isawaitable(call):
            return pair
        problem = f"calls[{key!r}] must be an awaitable or a list of the API (`Paged`), got {call!r}"
    _discard([pair])
    raise InvalidArgument(problem)


def _is_pair(value: object) -> TypeGuard[tuple[Any, Any]]:
    return isinstance(value, tuple) and len(value) == 2  # pyright: ignore[reportUnknownArgumentType]


async def _checked_async(pairs: AsyncIterable[object]) -> AsyncGenerator[_Pair, None]:
    async with aclosing(stream(pairs)) as each:
        async for pair in each:
            yield _checked(pair)


def _discard(pairs: Iterable[object]) -> list[asyncio.Future[Any]]:
    """Close the coroutines, so that none warns that it was never awaited; cancel and return the tasks and futures."""
    futures: list[asyncio.Future[Any]] = []
    for pair in pairs:
        for value in cast("tuple[object, ...]", pair) if isinstance(pair, tuple) else (pair,):
            if isinstance(value, Coroutine):
                value.close()
            elif asyncio.isfuture(value):
                value.cancel()
                futures.append(value)
    return futures


async def _cancel(pairs: Iterable[object]) -> None:
    """Discard calls, and wait for the tasks among them."""
    await asyncio.gather(*_discard(pairs), return_exceptions=True)
