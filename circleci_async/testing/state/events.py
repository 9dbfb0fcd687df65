"""What webhooks are told: which changes are events, and what is said about them.

An event is what it was when it happened: it is written down at once, and delivered some time after.
"""

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from attrs import field, frozen

from .timestamps import timestamp

if TYPE_CHECKING:
    from attrs import Attribute

    from .builds import Pipeline, Workflow
    from .jobs import Job
    from .webhooks import Webhook

EVENTS = ("workflow-completed", "job-completed")
"""What a webhook can be told of."""

_SAID_OF_JOBS = frozenset({"success", "failed", "canceled", "unauthorized"})
_ENDS_OF_JOBS = _SAID_OF_JOBS | {"timedout", "infrastructure_fail", "terminated-unknown"}
_ENDS_OF_WORKFLOWS = frozenset({"success", "failed", "error", "canceled", "unauthorized"})
_BEFORE = frozenset({"running", "failing", "on_hold", "queued", "not_running", "blocked"})


@frozen
class Event:
    """Something that a webhook is told; `body` is sent as it is, every time."""

    id: str
    type: str
    body: bytes = field(repr=False)


def note_job(job: "Job", _: "Attribute[str]", status: str) -> str:
    """Tell the webhooks of a job that comes to its end with this status."""
    if status in _ENDS_OF_JOBS and job.status in _BEFORE and job.number is not None:
        _tell(job.workflow, "job-completed", job, status)
    return status


def note_workflow(workflow: "Workflow", _: "Attribute[str]", status: str) -> str:
    """Tell the webhooks of a workflow that comes to its end with this status."""
    if status in _ENDS_OF_WORKFLOWS and workflow.status in _BEFORE:
        _tell(workflow, "workflow-completed", None, status)
    return status


def _tell(workflow: "Workflow", type: str, job: "Job | None", status: str) -> None:
    project = workflow.pipeline.project
    if project.webhooks and project.world.deliverers:
        for webhook in project.webhooks.values():
            if type in webhook.events:
                webhook.put(completed(webhook, workflow, job, status))


def completed(webhook: "Webhook", workflow: "Workflow", job: "Job | None", status: str) -> Event:
    """Say that a workflow ended, or a job of it."""
    project = workflow.pipeline.project
    stopped_at = (workflow if job is None else job).stopped_at or project.world.clock()
    _, _, rest = project.slug.partition("/")
    slug = f"{project.organization.vcs}/{rest}"
    address = f"https://app.circleci.com/pipelines/{slug}/{workflow.pipeline.number}/workflows/{workflow.id}"
    about: dict[str, Any] = {
        "id": workflow.id,
        "name": workflow.name,
        "created_at": timestamp(workflow.created_at),
        "stopped_at": timestamp(workflow.stopped_at if job else stopped_at),
        "url": address,
    }
    body: dict[str, Any] = {
        "project": {"id": project.id, "name": project.name, "slug": slug},
        "organization": {"id": project.organization.id, "name": project.organization.name},
        "workflow": about,
        "pipeline": _pipeline(workflow.pipeline),
    }
    if job is None:
        about["status"] = status
    else:
        body["job"] = {
            "id": job.id,
            "number": job.number,
            "name": job.name,
            "status": status if status in _SAID_OF_JOBS else "failed",
            "started_at": timestamp(job.started_at),
            "stopped_at": timestamp(stopped_at),
        }
    return _event(webhook, "workflow-completed" if job is None else "job-completed", timestamp(stopped_at), body)


def ping(webhook: "Webhook") -> Event:
    """Say that the webhook is there."""
    return _event(webhook, "ping", timestamp(webhook.project.world.clock()), {})


def _event(webhook: "Webhook", type: str, happened_at: str, body: dict[str, Any]) -> Event:
    # Not one of the world's own ids: those are to be the same whether or not somebody listens.
    id = str(uuid5(UUID(webhook.id), f"event {webhook.next_event()}"))
    whole = {
        "id": id,
        "type": type,
        "happened_at": happened_at,
        "webhook": {"id": webhook.id, "name": webhook.name},
        **body,
    }
    return Event(id, type, json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode())


def _pipeline(pipeline: "Pipeline") -> dict[str, Any]:
    project = pipeline.project
    created_at = timestamp(pipeline.created_at)
    body: dict[str, Any] = {
        "id": pipeline.id,
        "number": pipeline.number,
        "created_at": created_at,
        "trigger": {"type": pipeline.trigger_type},
    }
    where = {"tag": pipeline.tag} if pipeline.branch is None else {"branch": pipeline.branch}
    if project.organization.vcs == "circleci":
        circleci = {"actor_id": pipeline.actor.id, "event_time": created_at, "trigger_type": pipeline.trigger_type}
        git = {**where, "checkout_sha": pipeline.revision, "commit_message": pipeline.subject}
        body["trigger_parameters"] = {"circleci": circleci, "git": git}
        return body
    who = {"name": pipeline.actor.name or pipeline.actor.login, "email": f"{pipeline.actor.login}@example.com"}
    body["vcs"] = {
        "provider_name": project.organization.vcs,
        "origin_repository_url": project.vcs_url,
        "target_repository_url": project.vcs_url,
        "revision": pipeline.revision,
        "commit": {
            "subject": pipeline.subject,
            "body": "",
            "author": who,
            "authored_at": created_at,
            "committer": who,
            "committed_at": created_at,
        },
        **where,
    }
    return body
