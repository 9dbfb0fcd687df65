"""Keeps the results of the latest requests, which several files of a job need."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RequestCache(Generic[K, V]):
    """Results by key, up to `limit` in total of what `weigh` returns for each. The oldest ones are dropped.

    Concurrent calls for one key wait for one request; if that fails, the next one makes its own.
    """

    def __init__(self, limit: int, weigh: Callable[[V], int]) -> None:
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._results: OrderedDict[K, V] = OrderedDict()
        self._locks: dict[K, tuple[asyncio.Lock, list[None]]] = {}
        """With one entry in the list for each call that uses the lock."""

    async def get(self, key: K, request: Callable[[], Awaitable[V]], *, unless: V | None = None) -> V:
        """Return the result of a key; request it if it is unknown, or is `unless`."""
        lock, users = self._locks.setdefault(key, (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                known = self._results.get(key)
                if known is not None and known is not unless:
                    self._results.move_to_end(key)
                    return known
                result = await request()
                self.put(key, result)
                return result
        finally:
            users.pop()
            if not users:
                self._locks.pop(key, None)

    def put(self, key: K, result: V) -> None:
        """Keep a result."""
        if (before := self._results.pop(key, None)) is not None:
            self._weight -= self._weigh(before)
        self._results[key] = result
        self._weight += self._weigh(result)
        while self._weight > self._limit:
            _, dropped = self._results.popitem(last=False)
            self._weight -= self._weigh(dropped)
