"""One caller that waits: how to poll for it, its verdicts, and the results that it has not consumed yet."""

import asyncio
import copy
from collections import deque

from ..core.polling import Interval
from .polls import Poll
from .verdict import Evaluator, PollResult, Verdict


class Subscription:
    """Queues the results of a poller for one caller, which might be slower than the poller."""

    def __init__(self, evaluate: Evaluator, poll: Poll, *, poll_timeout: float, interval: Interval, jobs: bool) -> None:
        self.evaluate = evaluate
        self.poll = poll
        self.poll_timeout = poll_timeout
        """Seconds that the caller's options allow for a call. The poller uses the subscription that allows most."""
        self.interval = interval
        self.jobs = jobs
        self.is_over: bool = False
        """Whether the subscription has its final result."""
        self.first_poll = 0
        """Number of the first poll that counts: earlier ones began before the subscription."""
        self._queue: deque[tuple[PollResult, Verdict]] = deque()
        self._changed = asyncio.Event()
        self._error: Exception | None = None

    def notify(self, result: PollResult) -> Verdict:
        """Queue a result, and return the verdict on it."""
        verdict = self.evaluate(result)
        if verdict.error:
            self.fail(verdict.error)
            return verdict
        if self._queue and self._queue[-1][0].snapshot == result.snapshot:
            self._queue.pop()  # so that the queue grows with changes only
        self._queue.append((result, verdict))
        self.is_over = verdict.is_final
        self._changed.set()
        return verdict

    def fail(self, error: Exception) -> None:
        """End the subscription with a copy of the error: a shared one would collect the tracebacks of all callers."""
        self._error = _copied(error)
        self.is_over = True
        self._changed.set()

    async def next(self) -> tuple[PollResult, Verdict]:
        """Wait for the next result. None follows after a final verdict. Raises the error that ended the polling."""
        while not self._queue:
            if self._error:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        return self._queue.popleft()


def _copied(error: Exception) -> Exception:
    try:
        copied = copy.copy(error).with_traceback(error.__traceback__)
    except Exception:  # noqa: BLE001  # a token function can raise an error that cannot be copied
        return error
    copied.__cause__ = error.__cause__
    return copied
