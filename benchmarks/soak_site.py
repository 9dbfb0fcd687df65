"""What the tasks of a soak share: the client, what they know of the world, and the tally of what came of it all."""

import asyncio
import sys
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from attrs import define, field

import circleci_async as ca
from circleci_async.testing import World

MOST_SHOWN = 20
"""Wrong results that are told in full; of the others there is only the number."""
REMEMBERED = 100
"""Pipelines whose events are kept: the newest."""
PATIENCE = 60.0
"""Seconds after which a piece of work hangs."""


class WrongResult(Exception):
    """A call returned, raised or left behind what it must not."""


@define
class Tally:
    """What was done, and what came of it. It does not grow with what is done."""

    calls: Counter[str] = field(factory=Counter[str])
    """By kind of work."""
    checked: int = 0
    """Results that were compared with what they must be."""
    wrong: int = 0
    shown: list[str] = field(factory=list[str])
    """What was wrong, of the first few."""
    failed: Counter[str] = field(factory=Counter[str])
    """Calls that could not be brought to an end because of the faults, by type of error."""
    attempts: Counter[str] = field(factory=Counter[str])
    """Those that failed, by status or type of error."""

    def note_wrong(self, what: str) -> None:
        """Count something wrong, and tell of it at once."""
        self.wrong += 1
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(what)
            print(f"WRONG: {what}", file=sys.stderr, flush=True)

    def note_attempt(self, attempt: ca.Attempt) -> None:
        """Count an attempt that failed: what the client has met of the faults."""
        if attempt.error is not None and not isinstance(attempt.error, asyncio.CancelledError):
            status = getattr(attempt.error, "status", None)
            self.attempts[str(status or type(attempt.error).__name__)] += 1


class Inbox:
    """The webhook events that have come, by pipeline."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._events: OrderedDict[str, dict[str, ca.WebhookEvent]] = OrderedDict()
        self._news = asyncio.Condition()

    async def take(self, event: ca.WebhookEvent) -> None:
        """Keep an event, and wake who waits for its pipeline: what a `Receiver` calls."""
        if event.pipeline is None:
            self._site.tally.note_wrong(f"an event without its pipeline: {event!r}")
            return
        events = self._events.setdefault(event.pipeline.id, {})
        if event.id in events:
            self._site.tally.note_wrong(f"the event {event.id} was handled twice")
        events[event.id] = event
        if len(self._events) > REMEMBERED:
            self._events.popitem(last=False)
        self._site.circle.notify(event)
        async with self._news:
            self._news.notify_all()

    async def of(self, pipeline_id: str, count: int) -> list[ca.WebhookEvent]:
        """Wait until so many events of a pipeline have come; return them."""
        async with self._news:
            await self._news.wait_for(lambda: len(self._events.get(pipeline_id, ())) >= count)
        return list(self._events[pipeline_id].values())


class Breaks:
    """Let all tasks rest at the same time, so that what the process holds is counted while nothing is under way."""

    def __init__(self) -> None:
        self._go = asyncio.Event()
        self._go.set()
        self._at_work = 0
        self._at_rest = asyncio.Event()

    @asynccontextmanager
    async def work(self) -> AsyncGenerator[None]:
        """Begin when there is no break; the next one waits for the end of this."""
        await self._go.wait()
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._at_rest.set()

    @asynccontextmanager
    async def rest(self) -> AsyncGenerator[None]:
        """Wait until nobody is at work, and let nobody begin until the end of this."""
        self._go.clear()
        try:
            while self._at_work:
                self._at_rest.clear()
                await self._at_rest.wait()
            yield
        finally:
            self._go.set()


@define(eq=False)
class Site:
    """Where the tasks work."""

    circle: ca.CircleCI
    another: Callable[[], ca.CircleCI]
    """Makes a client like this one."""
    world: World
    """What the server serves, as it is to be."""
    folder: Path
    """Empty, but for what is being worked on."""
    tally: Tally = field(factory=Tally)
    breaks: Breaks = field(factory=Breaks)
    inbox: Inbox = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.inbox = Inbox(self)

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Count a result. Raises `WrongResult` if it is not what it must be."""
        self.tally.checked += 1
        if found != wanted:
            raise WrongResult(f"{what}: {found!r}, and not {wanted!r}")


Work = Callable[[Site, Random], Awaitable[None]]

FAILURES = (ca.TransportError, ca.ServerError, ca.RateLimited, ca.DecodeError)
"""What a call may come to where faults are on; anything else is wrong."""


def name_of(work: Work) -> str:
    """Name a kind of work."""
    return work.__name__.replace("_", " ")


async def do(site: Site, work: Work, chance: Random) -> None:
    """Do a piece of work, and note what came of it."""
    name = name_of(work)
    site.tally.calls[name] += 1
    limit = asyncio.timeout(PATIENCE)
    try:
        async with limit:
            await work(site, chance)
    except FAILURES as error:
        site.tally.failed[type(error).__name__] += 1
        if isinstance(error, ca.DecodeError) and not error.faults[0].startswith("not JSON"):
            site.tally.note_wrong(f"{name}: {error!r}")  # an answer that ends too early is no JSON: this is another
    except WrongResult as error:
        site.tally.note_wrong(f"{name}: {error}")
    except Exception as error:  # noqa: BLE001  # whatever it is, it is wrong
        hung = f"hung for {PATIENCE:g} s: " if limit.expired() else ""
        site.tally.note_wrong(f"{name}: {hung}{error!r}")
