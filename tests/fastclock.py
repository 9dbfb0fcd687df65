"""A clock that does not make tests wait: where nothing happens on the sockets, time jumps to the next timer."""

import asyncio
import functools
import inspect
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

GRACE = 0.02
"""Real seconds in which a socket or a thread may still have something to say before time jumps."""


class _Selector(selectors.DefaultSelector):
    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= GRACE:
            return super().select(timeout)
        events = super().select(GRACE)
        if not events:
            self.skipped += timeout - GRACE
        return events


class FastClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` runs ahead whenever all there is to do is wait."""

    def __init__(self) -> None:
        self._fast_selector = _Selector()
        super().__init__(self._fast_selector)

    def time(self) -> float:
        return super().time() + self._fast_selector.skipped

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        await super().shutdown_default_executor()  # the timeout would pass at once while a thread is busy


def fast_clock(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a `FastClockLoop`: an hour of waiting takes milliseconds, on real sockets."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=FastClockLoop) as runner:
            runner.run(test(*args, **kwargs))

    del run.__wrapped__  # pytest is to see a plain function, with the same arguments
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run
