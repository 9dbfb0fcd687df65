"""State shared by the tasks of a soak: the client, the expected data, and the counts of results."""

import asyncio
import sys
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from attrs import define, field

import circleci_async as ca
from circleci_async.models import WebhookEvent
from circleci_async.testing import World

MAX_SHOWN = 20
"""Wrong results that are printed; the others are only counted."""
REMEMBERED = 100
"""The events of this many pipelines are kept, the newest."""
WORK_TIMEOUT = 60.0
"""Seconds after which a piece of work counts as hanging."""


class WrongResult(Exception):
    """A call returned, raised or left behind something wrong."""


@define
class Counters:
    """Counts of calls and results, in constant memory."""

    calls: Counter[str] = field(factory=Counter[str])
    """Calls by kind of work."""
    checked: int = 0
    """Number of checked results."""
    wrong: int = 0
    shown: list[str] = field(factory=list[str])
    """Descriptions of the first wrong results."""
    failed: Counter[str] = field(factory=Counter[str])
    """Calls that failed because of the faults, by type of error."""
    attempts: Counter[str] = field(factory=Counter[str])
    """Failed attempts, by status or type of error."""

    def note_wrong(self, what: str) -> None:
        """Count and print a wrong result."""
        self.wrong += 1
        if len(self.shown) < MAX_SHOWN:
            self.shown.append(what)
            print(f"WRONG: {what}", file=sys.stderr, flush=True)

    def note_attempt(self, attempt: ca.Attempt) -> None:
        """Count a failed attempt."""
        if attempt.error is not None and not isinstance(attempt.error, asyncio.CancelledError):
            status = getattr(attempt.error, "status", None)
            self.attempts[str(status or type(attempt.error).__name__)] += 1


class Inbox:
    """The received webhook events, by pipeline."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._events: OrderedDict[str, dict[str, WebhookEvent]] = OrderedDict()
        self._received = asyncio.Condition()

    async def take(self, event: WebhookEvent) -> None:
        """Store an event and wake the tasks that wait for its pipeline; called by the `Receiver`."""
        if event.pipeline is None:
            self._site.counters.note_wrong(f"an event without its pipeline: {event!r}")
            return
        events = self._events.setdefault(event.pipeline.id, {})
        if event.id in events:
            self._site.counters.note_wrong(f"the event {event.id} was handled twice")
        events[event.id] = event
        if len(self._events) > REMEMBERED:
            self._events.popitem(last=False)
        self._site.circle.notify(event)
        async with self._received:
            self._received.notify_all()

    async def of(self, pipeline_id: str, count: int) -> list[WebhookEvent]:
        """Wait for `count` events of a pipeline; return its events."""
        async with self._received:
            await self._received.wait_for(lambda: len(self._events.get(pipeline_id, ())) >= count)
        return list(self._events[pipeline_id].values())


class Pauses:
    """Pauses all tasks at the same time, so that resources are counted while no call is running."""

    def __init__(self) -> None:
        self._resumed = asyncio.Event()
        self._resumed.set()
        self._running = 0
        self._idle = asyncio.Event()

    @asynccontextmanager
    async def work(self) -> AsyncGenerator[None]:
        """Wait for the end of a pause; the next pause waits for the end of this block."""
        await self._resumed.wait()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    @asynccontextmanager
    async def pause(self) -> AsyncGenerator[None]:
        """Wait until no task works, and keep tasks from starting until the end of this block."""
        self._resumed.clear()
        try:
            while self._running:
                self._idle.clear()
                await self._idle.wait()
            yield
        finally:
            self._resumed.set()


@define(eq=False)
class Site:
    """State shared by the tasks."""

    circle: ca.CircleCI
    another: Callable[[], ca.CircleCI]
    """Makes a client like this one."""
    world: World
    """The data that the server serves."""
    folder: Path
    """A folder that is empty when no task works."""
    counters: Counters = field(factory=Counters)
    pauses: Pauses = field(factory=Pauses)
    inbox: Inbox = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.inbox = Inbox(self)

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Count a result. Raises `WrongResult` if it is not `wanted`."""
        self.counters.checked += 1
        if found != wanted:
            raise WrongResult(f"{what}: expected {wanted!r}, got {found!r}")


Work = Callable[[Site, Random], Awaitable[None]]

FAILURES = (ca.TransportError, ca.ServerError, ca.RateLimited, ca.DecodeError)
"""Errors that the faults can cause; any other error is wrong."""


def name_of(work: Work) -> str:
    """Return the name of a kind of work."""
    return work.__name__.replace("_", " ")


async def do(site: Site, work: Work, chance: Random) -> None:
    """Do `work` once and count its result."""
    name = name_of(work)
    site.counters.calls[name] += 1
    limit = asyncio.timeout(WORK_TIMEOUT)
    try:
        async with limit:
            await work(site, chance)
    except FAILURES as error:
        site.counters.failed[type(error).__name__] += 1
        if isinstance(error, ca.DecodeError) and not error.faults[0].startswith("not JSON"):
            site.counters.note_wrong(f"{name}: {error!r}")  # only truncated JSON is expected
    except WrongResult as error:
        site.counters.note_wrong(f"{name}: {error}")
    except Exception as error:  # noqa: BLE001  # any other error is wrong
        hung = f"hung for {WORK_TIMEOUT:g} s: " if limit.expired() else ""
        site.counters.note_wrong(f"{name}: {hung}{error!r}")
