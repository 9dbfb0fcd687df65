"""Outbound webhooks, their events and deliveries.

A body describes the state at the time of the event; it is created at once and delivered later.
"""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from attrs import define, field, frozen

from .builds import Job, Pipeline, Workflow
from .registry import Registry, timestamp

EVENTS = ("workflow-completed", "job-completed")
"""The events that a webhook can subscribe to."""

_REPORTED_JOB_STATUSES = frozenset({"success", "failed", "canceled", "unauthorized"})
_FINAL_JOB_STATUSES = _REPORTED_JOB_STATUSES | {"timedout", "infrastructure_fail", "terminated-unknown"}
_FINAL_WORKFLOW_STATUSES = frozenset({"success", "failed", "error", "canceled", "unauthorized"})
_OPEN_STATUSES = frozenset({"running", "failing", "on_hold", "queued", "not_running", "blocked"})


@frozen
class Event:
    """An event to deliver. Every attempt sends the same `body`."""

    id: str
    type: str
    body: bytes = field(repr=False)


def event_type(item: Workflow | Job) -> str:
    """Return the type of the event that reports the end of a workflow or job."""
    return "workflow-completed" if isinstance(item, Workflow) else "job-completed"


def is_completion(item: Workflow | Job, status: str) -> bool:
    """Return whether the change to `status` ends a workflow or a numbered job."""
    if item.status not in _OPEN_STATUSES:
        return False
    if isinstance(item, Workflow):
        return status in _FINAL_WORKFLOW_STATUSES
    return status in _FINAL_JOB_STATUSES and item.number is not None


def completion(item: Workflow | Job, status: str) -> tuple[datetime, dict[str, Any]]:
    """Return time and body of the event that a workflow or job ended with `status`."""
    workflow = item if isinstance(item, Workflow) else item.workflow
    project = workflow.project
    at = item.stopped_at or project.world.clock()
    _, _, rest = project.slug.partition("/")
    slug = f"{project.organization.vcs}/{rest}"
    body: dict[str, Any] = {
        "project": {"id": project.id, "name": project.name, "slug": slug},
        "organization": {"id": project.organization.id, "name": project.organization.name},
        "workflow": {
            "id": workflow.id,
            "name": workflow.name,
            "created_at": timestamp(workflow.created_at),
            "stopped_at": timestamp(at if item is workflow else workflow.stopped_at),
            "url": f"https://app.circleci.com/pipelines/{slug}/{workflow.pipeline.number}/workflows/{workflow.id}",
        },
        "pipeline": _pipeline(workflow.pipeline),
    }
    if isinstance(item, Workflow):
        body["workflow"]["status"] = status
    else:
        body["job"] = {
            "id": item.id,
            "number": item.number,
            "name": item.name,
            "status": status if status in _REPORTED_JOB_STATUSES else "failed",
            "started_at": timestamp(item.started_at),
            "stopped_at": timestamp(at),
        }
    return at, body


def _pipeline(pipeline: Pipeline) -> dict[str, Any]:
    project = pipeline.project
    created_at = timestamp(pipeline.created_at)
    body: dict[str, Any] = {
        "id": pipeline.id,
        "number": pipeline.number,
        "created_at": created_at,
        "trigger": {"type": pipeline.trigger_type},
    }
    ref = {"tag": pipeline.tag} if pipeline.branch is None else {"branch": pipeline.branch}
    if project.organization.vcs == "circleci":
        circleci = {"actor_id": pipeline.actor.id, "event_time": created_at, "trigger_type": pipeline.trigger_type}
        git = {**ref, "checkout_sha": pipeline.revision, "commit_message": pipeline.subject}
        body["trigger_parameters"] = {"circleci": circleci, "git": git}
        return body
    person = {"name": pipeline.actor.name or pipeline.actor.login, "email": f"{pipeline.actor.login}@example.com"}
    body["vcs"] = {
        "provider_name": project.organization.vcs,
        "origin_repository_url": project.vcs_url,
        "target_repository_url": project.vcs_url,
        "revision": pipeline.revision,
        "commit": {
            "subject": pipeline.subject,
            "body": "",
            "author": person,
            "authored_at": created_at,
            "committer": person,
            "committed_at": created_at,
        },
        **ref,
    }
    return body


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
