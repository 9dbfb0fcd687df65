"""Outbound webhooks, and what became of their events."""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from .events import Event, completed, ping

if TYPE_CHECKING:
    from .builds import Workflow
    from .jobs import Job
    from .projects import Project

MOST = 5
"""How many webhooks a project can have."""


@frozen
class Delivery:
    """One attempt to deliver an event.

    It was answered with `status`, or went wrong as `error` says. `attempt` counts from 1 for each event; a `duplicate`
    was sent though the event had been accepted. `body` and `headers` are what was sent.
    """

    event_id: str
    type: str
    attempt: int
    status: int | None
    error: str | None
    duplicate: bool
    at: datetime
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def accepted(self) -> bool:
        """Whether it was answered with 2xx."""
        return self.status is not None and 200 <= self.status < 300


@define(eq=False)
class Webhook:
    """An outbound webhook of a project: a server that runs tells it of workflows and jobs that end.

    `duplicates`: how many more times each event is sent after it was accepted. `deliveries`: every attempt so far.
    """

    id: str
    project: "Project" = field(repr=False)
    name: str
    url: str
    events: Sequence[str]
    verify_tls: bool
    signing_secret: str = field(repr=False)
    """Empty for none. Only tests see it: the API answers with a mask."""
    created_at: datetime
    updated_at: datetime
    by_hand: bool = False
    """Whether it was made by `Project.webhook`: only then may it lead to another machine."""
    duplicates: int = 0
    deliveries: list[Delivery] = field(factory=list[Delivery], repr=False)
    waiting: deque[Event] = field(factory=deque[Event], repr=False)
    _events: int = field(default=0, init=False, repr=False)

    def ping(self) -> str:
        """Send the event by which a webhook is tested, and return its id."""
        return self._announce(ping(self))

    def announce(self, item: "Workflow | Job") -> str:
        """Send the event that this workflow or job has ended, as it is now, and return the event's id.

        For records that were made by hand; what ends by itself is announced by itself.
        """
        from .builds import Workflow  # builds knows webhooks, by way of events

        workflow, job = (item, None) if isinstance(item, Workflow) else (item.workflow, item)
        return self._announce(completed(self, workflow, job, item.status))

    def _announce(self, event: Event) -> str:
        if not self.project.world.deliverers:
            raise RuntimeError("no FakeCircleCI of this world is running, so nobody would deliver this event")
        self.put(event)
        return event.id

    def put(self, event: Event) -> None:
        """Let an event wait for its delivery."""
        self.waiting.append(event)
        for wake in self.project.world.deliverers:
            wake()

    def next_event(self) -> int:
        """Count an event."""
        self._events += 1
        return self._events
