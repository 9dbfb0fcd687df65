"""The threads that wait for a bucket."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from typing import Any, ParamSpec, TypeVar

from ...core.uninterrupted import retrieve

P = ParamSpec("P")
T = TypeVar("T")


class StoreThreads:
    """Runs the blocking calls of a bucket, `concurrency` at a time.

    Its threads are daemons: the interpreter waits for the threads of an executor when it exits, and a call that waits
    for a slow store cannot be cancelled.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._idle = Semaphore(0)
        self._started = 0

    def __del__(self) -> None:
        self.close()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call in a thread. A cancellation ends the wait, but not the call."""
        return await self.submit(work, *args, **kwargs)

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        """Start a call and return its future. To cancel the future cancels the call only before it has a thread."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        result.add_done_callback(retrieve)
        self._calls.put(_Call(lambda: work(*args, **kwargs), loop, result))
        if not self._idle.acquire(blocking=False) and self._started < self._concurrency:
            self._started += 1
            name = f"circleci-async-store-{self._started}"
            Thread(target=_run_calls, args=(self._calls, self._idle), name=name, daemon=True).start()
        return result

    def close(self) -> None:
        """Cancel the calls that wait for a thread, and end each thread after its current call. Idempotent."""
        with suppress(Empty):
            while True:
                if (call := self._calls.get_nowait()) is not None:
                    call.cancel()
        for _ in range(self._started):
            self._calls.put(None)


def _run_calls(calls: "SimpleQueue[_Call | None]", idle: Semaphore) -> None:
    while (call := calls.get()) is not None:
        call.run()
        del call  # its result is not kept until the next one
        idle.release()


class _Call:
    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop, result: "asyncio.Future[Any]") -> None:
        self._work = work
        self._loop = loop
        self._result = result

    def run(self) -> None:
        """Run the call, unless nothing waits for it, and pass its result to the event loop."""
        if self._result.cancelled():
            return
        outcome, error = None, None
        try:
            outcome = self._work()
        except BaseException as raised:  # noqa: BLE001  # raised by `StoreThreads.run`
            error = raised
        with suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._finish, outcome, error)

    def cancel(self) -> None:
        """Cancel a call that has not started."""
        with suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._result.cancel)

    def _finish(self, outcome: Any, error: BaseException | None) -> None:
        if self._result.cancelled():
            return
        if error is None:
            self._result.set_result(outcome)
        else:
            self._result.set_exception(error)
