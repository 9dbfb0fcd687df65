"""Polls one pipeline, workflow or job for all callers that wait for it."""

import asyncio
import contextlib
import math
from collections.abc import Callable

from attrs import evolve

from ..config.log import log
from ..core.polling import PollSchedule
from ..errors import CircleCIError, ConfigurationError, NotFound
from ..models.events import WebhookEvent
from ..models.newest_workflows import newest_of_each_name
from .arguments import INTERVAL
from .snapshot import CompletedEvents, Snapshot
from .subscription import Subscription
from .verdict import PollResult


class Poller:
    """Polls in a background task while it has subscriptions.

    `permits` bounds the concurrent polls of a client. `on_end(poller)` is called once the last subscription has ended.
    """

    def __init__(self, permits: asyncio.Semaphore, on_end: "Callable[[Poller], None]") -> None:
        self._permits = permits
        self._on_end = on_end
        self._subscriptions: list[Subscription] = []
        self._completed = CompletedEvents()
        self._snapshot = Snapshot()
        self._started = self._unchanged_since = self._now()
        self._unchanged_polls = 0
        self._polls = 0
        """Polls that succeeded."""
        self._is_polling = False
        self._schedule = PollSchedule(INTERVAL)
        self._poll_within: float | None = None
        """Seconds within which a verdict needs the next poll."""
        self._due = 0.0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription, and poll for it at once."""
        # Earlier results might be outdated: callers approve or rerun something, then wait.
        subscription.first_poll = self._polls + 1 + self._is_polling
        self._subscriptions.append(subscription)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="circleci_async: poller")
            return
        self._schedule.restart()
        self._poll_now()

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a subscription. The last one stops the poller, and waits until it has stopped."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        if not self._subscriptions:
            self._on_end(self)
            await self._stop()

    def notify(self, event: WebhookEvent) -> None:
        """Apply a webhook event to the last snapshot, and poll at once for what it does not contain."""
        self._completed.add(event)
        if self._snapshot.workflows:
            self._publish(self._snapshot, polls=0)
        self._poll_now()

    async def fail(self, error: Exception) -> None:
        """Stop at once, and raise the error to all subscribers."""
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

    def _poll_now(self) -> None:
        self._due = max(self._now(), self._schedule.not_before)
        self._wake.set()

    async def _run(self) -> None:
        try:
            while self._subscriptions:
                async with self._permits:
                    self._due = math.inf
                    await self._poll_once()
                await self._wait_until_due()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            message = "a poll was cancelled from within: the token function must not wait for a cancelled task"
            self._end(ConfigurationError(message))
        except Exception as error:  # noqa: BLE001  # the subscribers receive it
            self._end(error)

    async def _poll_once(self) -> None:
        self._is_polling = True
        try:
            poll = max(self._subscriptions, key=lambda each: each.poll_timeout).poll
            snapshot = await poll(self._snapshot, jobs=any(each.jobs for each in self._subscriptions))
        except CircleCIError as error:
            if isinstance(error, NotFound) and not self._polls:
                self._notify_all(PollResult(self._snapshot, self._now(), self._started, 0, missing=error))
                return
            if not self._schedule.failed(error, seen_before=True):
                raise
            self._poll_within = None  # no verdict can be confirmed while polls fail
            log.info("poll failed, %d in a row: %s", self._schedule.failures, error)
            return
        finally:
            self._is_polling = False
        self._polls += 1
        self._schedule.succeeded()
        self._publish(snapshot, polls=1)

    def _publish(self, snapshot: Snapshot, *, polls: int) -> None:
        """Notify the subscribers of a snapshot that as many polls have returned."""
        snapshot = self._completed.applied_to(snapshot)
        if snapshot.statuses != self._snapshot.statuses:
            self._unchanged_since = self._now()
            self._unchanged_polls = 0
            self._schedule.restart()  # more changes are likely to follow
        self._unchanged_polls += polls
        self._snapshot = snapshot
        is_certain = self._is_certain()
        self._notify_all(
            PollResult(snapshot, self._now(), self._unchanged_since, self._unchanged_polls, is_certain=is_certain)
        )

    def _notify_all(self, result: PollResult) -> None:
        verdicts = [
            each.notify(evolve(result, polls=max(0, min(result.polls, self._polls + 1 - each.first_poll))))
            for each in self._subscriptions
        ]
        self._poll_within = min((each.poll_within for each in verdicts if each.poll_within is not None), default=None)
        self._subscriptions = [each for each in self._subscriptions if not each.is_over]
        if not self._subscriptions:
            self._on_end(self)

    def _is_certain(self) -> bool:
        """Return whether webhook events have reported the end of every workflow that counts."""
        workflows = newest_of_each_name(self._snapshot.workflows)
        jobs = [job for each in workflows for job in self._snapshot.jobs.get(each.id, ())]
        is_reported = all(each.id in self._completed.workflows for each in workflows)
        return bool(workflows) and is_reported and all(job.status.is_finished for job in jobs)

    async def _wait_until_due(self) -> None:
        """Wait until the next poll is due, or one is requested."""
        if not self._subscriptions:
            return
        longest = min(each.interval[1] for each in self._subscriptions)
        self._schedule.interval = min(longest, *(each.interval[0] for each in self._subscriptions)), longest
        delay = self._schedule.next_delay(at_most=math.inf if self._poll_within is None else self._poll_within)
        self._due = max(min(self._due, self._now() + delay), self._schedule.not_before)
        while (left := self._due - self._now()) > 0:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wake.wait()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
