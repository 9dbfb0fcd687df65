"""An event loop that does not wait: when nothing happens on sockets or in threads, its time jumps to the next timer."""

import asyncio
import functools
import inspect
import math
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any

from circleci_async.harvest.destination.store_threads import StoreThreads

SOCKET_GRACE = 0.002
"""Real seconds to wait for a socket before time jumps. Both ends are in this process, so data arrives at once."""

THREAD_GRACE = 1.0
"""Real seconds to wait for running threads before time jumps."""

TICK = 2.0**-20
"""The resolution of the time in seconds: a power of two, so that differences of times are exact."""


class _Selector(selectors.DefaultSelector):
    """A selector that counts the seconds that it was asked to wait, and hardly waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1024.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(min(timeout, THREAD_GRACE if self.threads else SOCKET_GRACE))
        if not events:
            self.now = math.ceil((self.now + timeout) / TICK) * TICK
        return events


class FastClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` passes only while there is nothing to do, and then in jumps.

    Work takes no time by this clock, however busy the machine is.
    """

    def __init__(self) -> None:
        self._fast_selector = _Selector()
        super().__init__(self._fast_selector)

    def time(self) -> float:
        return self._fast_selector.now

    def run_in_executor(  # type: ignore[override]  # typeshed declares *args by a TypeVarTuple
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        future = super().run_in_executor(executor, func, *args)
        self.count_thread(future)
        return future

    def count_thread(self, future: "asyncio.Future[Any]") -> None:
        """Count a thread as running until its future is done."""
        self._fast_selector.threads += 1
        future.add_done_callback(self._thread_is_done)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        await super().shutdown_default_executor()  # the default timeout of 5 minutes would pass in an instant

    def _thread_is_done(self, future: "asyncio.Future[Any]") -> None:
        self._fast_selector.threads -= 1


def _submit_counted(
    threads: StoreThreads, work: Callable[..., Any], *args: Any, **kwargs: Any
) -> "asyncio.Future[Any]":
    """Submit work to threads, and count it like that of an executor."""
    future = _submit(threads, work, *args, **kwargs)
    loop = future.get_loop()
    if isinstance(loop, FastClockLoop):
        loop.count_thread(future)
    return future


_submit = StoreThreads.submit
StoreThreads.submit = _submit_counted  # type: ignore[assignment,method-assign]


def fast_clock(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a `FastClockLoop`: an hour of waiting takes milliseconds, on real sockets."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=FastClockLoop) as runner:
            runner.run(test(*args, **kwargs))

    del run.__wrapped__  # so that pytest sees a plain function with the same arguments
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run
