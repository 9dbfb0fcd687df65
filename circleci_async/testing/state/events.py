"""Webhook events: which status changes are events, and their bodies.

A body describes the state at the time of the event; it is created at once and delivered later.
"""

from datetime import datetime
from typing import Any

from attrs import field, frozen

from .builds import Job, Pipeline, Workflow
from .timestamps import timestamp

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
