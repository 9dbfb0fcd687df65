"""One who waits: what the looks are to be like, what they mean to it, and what it has not taken in yet."""

import asyncio
import copy
from collections import deque

from .arguments import Interval
from .polls import Look
from .verdict import Judge, Sight, Verdict


class Subscription:
    """Takes what an observation tells, for one who may be slower than the observation is."""

    def __init__(self, judge: Judge, look: Look, *, look_time: float, interval: Interval, jobs: bool) -> None:
        self.judge = judge
        self.look = look
        self.look_time = look_time
        """Seconds that its options allow for a call: of several who wait, the most patient one's look is taken."""
        self.interval = interval
        self.jobs = jobs
        self.is_over = False
        """It has been told all that it needs."""
        self.first_look = 0
        """The number of the observation's look that is the first to count for it."""
        self._untaken: deque[tuple[Sight, Verdict]] = deque()
        self._news = asyncio.Event()
        self._error: Exception | None = None

    def tell(self, sight: Sight) -> Verdict:
        """Pass on what was seen, and return what it means."""
        verdict = self.judge(sight)
        if verdict.error:
            self.fail(verdict.error)
            return verdict
        if self._untaken and self._untaken[-1][0].snapshot == sight.snapshot:
            self._untaken.pop()  # so that what is untaken grows with the changes only
        self._untaken.append((sight, verdict))
        self.is_over = verdict.is_final
        self._news.set()
        return verdict

    def fail(self, error: Exception) -> None:
        """End it with a copy of this error: the tracebacks of all who wait would pile up in a common one."""
        self._error = _copied(error)
        self.is_over = True
        self._news.set()

    async def next(self) -> tuple[Sight, Verdict]:
        """Wait for what was seen next. Once a verdict is final, nothing follows. Raises what ended the observation."""
        while not self._untaken:
            if self._error:
                raise self._error
            self._news.clear()
            await self._news.wait()
        return self._untaken.popleft()


def _copied(error: Exception) -> Exception:
    try:
        copied = copy.copy(error).with_traceback(error.__traceback__)
    except Exception:  # noqa: BLE001  # a token function may raise what can't be copied
        return error
    copied.__cause__ = error.__cause__
    return copied
