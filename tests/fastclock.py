"""A fast clock: while an event loop only waits for timers, its time jumps ahead."""

import asyncio
import functools
import inspect
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

GRACE = 0.02
"""Real seconds to wait for sockets and threads before time jumps."""


class _Selector(selectors.DefaultSelector):
    def __init__(self, max_jump: float) -> None:
        super().__init__()
        self.max_jump = max_jump
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= GRACE or self.max_jump <= 0:
            return super().select(timeout)
        events = super().select(GRACE)
        if not events:
            self.skipped += min(timeout - GRACE, self.max_jump)
        return events


class FastClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` jumps to the next timer when nothing else happens.

    `max_jump`: seconds of one jump. A limit prevents a slow thread from running into a timeout; 0 stops the jumps.
    """

    def __init__(self, max_jump: float = math.inf) -> None:
        self._fast_selector = _Selector(max_jump)
        super().__init__(self._fast_selector)

    @property
    def max_jump(self) -> float:
        """Return the seconds that one jump may skip."""
        return self._fast_selector.max_jump

    @max_jump.setter
    def max_jump(self, seconds: float) -> None:
        self._fast_selector.max_jump = seconds

    def time(self) -> float:
        return super().time() + self._fast_selector.skipped


def fast_clock(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a `FastClockLoop`: an hour of waiting takes milliseconds, on real sockets."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=FastClockLoop) as runner:
            runner.run(test(*args, **kwargs))

    del run.__wrapped__  # so that pytest reads the signature below
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run
