"""Looking again and again at one thing, for all who wait for it."""

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Callable

from attrs import evolve

from ..core.retry import is_transient
from ..errors import CircleCIError, ConfigurationError, NotFound, RateLimited
from ..models.events import WebhookEvent
from ..models.newest_workflows import newest_of_each_name
from .snapshot import Completed, Snapshot, is_finished
from .subscription import Subscription
from .verdict import Sight

log = logging.getLogger("circleci_async")

GROWTH = 1.5
"""Each wait is as many times as long as the one before, until it is as long as the interval allows."""

JITTER = 0.2
"""By how much of itself a wait may be shorter, so that those who began together do not look together for ever."""

FAILURES = 5
"""Looks that may fail in a row, each of them after the retries of the client, ..."""

OUTAGE = 120.0
"""... and the seconds that have gone by since then at least when they end the wait: it may have hours."""


class Observation:
    """Looks at one thing in a task of its own, for as long as somebody is subscribed."""

    def __init__(self, turns: asyncio.Semaphore, on_end: "Callable[[Observation], None]") -> None:
        self._turns = turns
        self._on_end = on_end
        self._subscriptions: list[Subscription] = []
        self._completed = Completed()
        self._snapshot = Snapshot()
        self._began = self._since = asyncio.get_running_loop().time()
        self._looks = 0
        """In a row that have found it as it stands."""
        self._looked = 0
        """In all, those that failed apart."""
        self._is_looking = False
        self._failures = 0
        self._failing_since = 0.0
        self._delay = 0.0
        self._within: float | None = None
        self._due = 0.0
        self._not_before = 0.0
        """Until then the server does not want to be asked."""
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def join(self, subscription: Subscription) -> None:
        """Look at once, and tell it what is seen from now on."""
        # What was seen before it came may be true no more: somebody approves or reruns, and then waits.
        subscription.first_look = self._looked + 1 + self._is_looking
        self._subscriptions.append(subscription)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="circleci_async: observation")
            return
        self._delay = 0.0
        self._look_now()

    async def leave(self, subscription: Subscription) -> None:
        """Tell it nothing any more. The last one to leave ends the observation, and waits for its end."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        if not self._subscriptions:
            self._on_end(self)
            await self._stop()

    def notify(self, event: WebhookEvent) -> None:
        """Tell on what a webhook's event says, and look at once for what it does not say."""
        self._completed.add(event)
        if self._snapshot.workflows:
            self._publish(self._snapshot, looks=0)
        self._look_now()

    async def fail(self, error: Exception) -> None:
        """End it at once, with this error, for all who wait."""
        self._end(error)
        await self._stop()

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _end(self, error: Exception) -> None:
        for subscription in self._subscriptions:
            subscription.fail(error)
        self._subscriptions.clear()
        self._on_end(self)

    def _look_now(self) -> None:
        self._due = max(self._now(), self._not_before)
        self._hurry.set()

    async def _run(self) -> None:
        try:
            while self._subscriptions:
                async with self._turns:
                    self._due = math.inf
                    await self._look_once()
                await self._rest()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._end(ConfigurationError("a look was cancelled from within: does the token function wait for a task?"))
        except Exception as error:  # noqa: BLE001  # whoever waits gets it
            self._end(error)

    async def _look_once(self) -> None:
        self._is_looking = True
        try:
            look = max(self._subscriptions, key=lambda each: each.look_time).look
            found = await look(self._snapshot, jobs=any(each.jobs for each in self._subscriptions))
        except CircleCIError as error:
            if isinstance(error, NotFound) and not self._looked:
                self._tell(Sight(self._snapshot, self._now(), self._began, 0, missing=error))
                return
            self._failures += 1
            if self._failures == 1:
                self._failing_since = self._now()
            has_lasted = self._failures > FAILURES and self._now() - self._failing_since >= OUTAGE
            if has_lasted or not _may_pass(error):
                raise
            self._within = None  # what was to be seen soon can wait until there is something to see
            log.info("a look failed, %d in a row: %s", self._failures, error)
            if isinstance(error, RateLimited):
                self._not_before = self._now() + (error.retry_after or 0.0)
            return
        finally:
            self._is_looking = False
        self._looked += 1
        self._failures = 0
        self._publish(found, looks=1)

    def _publish(self, found: Snapshot, *, looks: int) -> None:
        """Tell how it stands, after so many looks more."""
        snapshot = self._completed.applied_to(found)
        if snapshot.statuses != self._snapshot.statuses:
            self._since = self._now()
            self._looks = 0
        self._looks += looks
        self._snapshot = snapshot
        self._tell(Sight(snapshot, self._now(), self._since, self._looks, is_sure=self._is_sure()))

    def _tell(self, sight: Sight) -> None:
        verdicts = [
            each.tell(evolve(sight, looks=max(0, min(sight.looks, self._looked + 1 - each.first_look))))
            for each in self._subscriptions
        ]
        self._within = min((each.look_within for each in verdicts if each.look_within is not None), default=None)
        self._subscriptions = [each for each in self._subscriptions if not each.is_over]
        if not self._subscriptions:
            self._on_end(self)

    def _is_sure(self) -> bool:
        """Say whether events have told of the end of all that counts."""
        counted = newest_of_each_name(self._snapshot.workflows)
        jobs = [job for each in counted for job in self._snapshot.jobs.get(each.id, ())]
        told = all(each.id in self._completed.workflows for each in counted)
        return bool(counted) and told and all(is_finished(job.status) for job in jobs)

    async def _rest(self) -> None:
        """Wait until the next look is due, or somebody is in a hurry."""
        if not self._subscriptions:
            return
        longest = min(each.interval[1] for each in self._subscriptions)
        shortest = min(longest, *(each.interval[0] for each in self._subscriptions))
        if self._delay:
            self._delay = min(max(self._delay * GROWTH, shortest), longest)
            wait = self._delay * (1 - JITTER * random.random())
        else:
            wait = self._delay = shortest
        if self._within is not None:
            wait = min(wait, self._within)
        self._due = max(min(self._due, self._now() + wait), self._not_before)
        while (left := self._due - self._now()) > 0:
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._hurry.wait()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _may_pass(error: CircleCIError) -> bool:
    """Say whether a later look may succeed, of something that has been there before."""
    return isinstance(error, NotFound) or is_transient(error)
