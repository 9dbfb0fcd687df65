"""Outbound webhooks and their deliveries."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from attrs import define, field, frozen

from .builds import Job, Workflow
from .events import Event, completion, event_type
from .registry import Registry
from .timestamps import timestamp

MAX_WEBHOOKS = 5
"""Webhooks that a project can have."""


@frozen
class Delivery:
    """One attempt to deliver an event.

    It was answered with `status`, or failed with `error`. `attempt` counts from 1 for each event. A `duplicate` was
    sent after the event had been accepted. `body` and `headers` are those of the request.
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
        """Whether the answer was 2xx."""
        return self.status is not None and 200 <= self.status < 300


@define(eq=False)
class Webhook:
    """An outbound webhook of a project. A running server delivers an event for each workflow and job that ends.

    `duplicates`: how many more times each event is sent after it was accepted. `deliveries`: every attempt so far.
    """

    world: Registry = field(repr=False)
    project_id: str
    id: str
    name: str
    url: str
    events: Sequence[str]
    verify_tls: bool
    signing_secret: str = field(repr=False)
    """Empty for none. The API masks it."""
    created_at: datetime
    updated_at: datetime
    by_hand: bool = False
    """Whether it was created by `Project.webhook`: only then events are sent to other machines."""
    duplicates: int = 0
    deliveries: list[Delivery] = field(factory=list[Delivery], repr=False)
    waiting: deque[Event] = field(factory=deque[Event], repr=False)
    _event_count: int = field(default=0, init=False, repr=False)

    def ping(self) -> str:
        """Send a test event, and return its id."""
        self._require_server()
        return self._enqueue("ping", self.world.clock(), {})

    def announce(self, item: Workflow | Job) -> str:
        """Send the event that this workflow or job ended, with its current status, and return the event's id.

        Use it for records that were created with a final status. A change of the status sends the event, too.
        """
        self._require_server()
        return self.enqueue(item, item.status)

    def _require_server(self) -> None:
        if not self.world.listeners:
            raise RuntimeError("no FakeCircleCI of this world is running: start one to deliver events")

    def enqueue(self, item: Workflow | Job, status: str) -> str:
        """Queue the event that a workflow or job ended with `status`, and return the event's id."""
        return self._enqueue(event_type(item), *completion(item, status))

    def _enqueue(self, type: str, at: datetime, body: dict[str, Any]) -> str:
        # Not one of the world's own ids: those must not depend on whether a webhook exists.
        self._event_count += 1
        id = str(uuid5(UUID(self.id), f"event {self._event_count}"))
        payload = {
            "id": id,
            "type": type,
            "happened_at": timestamp(at),
            "webhook": {"id": self.id, "name": self.name},
            **body,
        }
        self.waiting.append(Event(id, type, json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()))
        self.world.notify()
        return id
