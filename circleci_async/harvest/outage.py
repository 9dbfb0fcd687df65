"""One bad artifact, or a host that is down? The first is tried again a few times, the second is waited for."""

import asyncio
import random

from ..core.retry import RetryPolicy
from ..errors import (
    AuthenticationError,
    CircleCIError,
    ConfigurationError,
    RateLimited,
)

ENOUGH = 4
"""So many different things that fail in a row, and nothing that succeeds, make an outage."""

LONGEST = 300.0
"""Seconds that an outage may last."""


class Outage:
    """Watches what fails. `pause` makes whoever comes next wait while a host seems to be down."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._failing: set[object] = set()
        self._pauses = 0
        self._until = 0.0
        self._began: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether there may be a pause."""
        return len(self._failing) >= ENOUGH

    async def pause(self) -> None:
        """Wait while nothing is to be asked."""
        loop = asyncio.get_running_loop()
        while (seconds := self._until - loop.time()) > 0:  # noqa: ASYNC110  # it may be put off meanwhile
            await asyncio.sleep(seconds)

    def answered(self) -> None:
        """Note that somebody was served."""
        if self._failing:
            self._failing.clear()
            self._pauses = 0
            self._began = None

    def failed(self, what: object) -> bool:
        """Note that something failed that may be gone the next time; say whether it is an outage, not its own fault."""
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = now
        if len(self._failing) < ENOUGH:
            self._failing.add(what)
        if len(self._failing) < ENOUGH:
            return False
        if now >= self._until:
            self._pauses += 1
            self._until = now + self.wait(self._pauses)
        return True

    @property
    def is_hopeless(self) -> bool:
        """Whether it lasts too long."""
        lasts = 0.0 if self._began is None else asyncio.get_running_loop().time() - self._began
        return len(self._failing) >= ENOUGH and lasts > LONGEST

    def wait(self, tries: int) -> float:
        """Return the seconds until the next try: longer each time, and not the same for all."""
        bound = min(self._policy.max_delay, self._policy.initial_delay * 2.0 ** min(tries, 64))
        return random.uniform(bound / 2, bound)


def ends_all(error: CircleCIError, policy: RetryPolicy) -> bool:
    """Say whether whatever comes next would fail too: no token, a closed client, a pause longer than is allowed."""
    if isinstance(error, RateLimited):
        return (error.retry_after or 0) > policy.max_wait
    return isinstance(error, AuthenticationError | ConfigurationError)
