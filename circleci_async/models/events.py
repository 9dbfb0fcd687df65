"""Events: the payloads that CircleCI delivers to an outbound webhook.

Only identifying fields are required, because CircleCI may extend the payloads at any time.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from .jobs import JobStatus
from .pipelines import TriggerType
from .trigger_parameters import WithRevision
from .webhooks import WebhookEventType
from .workflows import WorkflowStatus

__all__ = [
    "EventCommit",
    "EventJob",
    "EventOrganization",
    "EventPerson",
    "EventPipeline",
    "EventProject",
    "EventTrigger",
    "EventVcs",
    "EventWebhook",
    "EventWorkflow",
    "WebhookEvent",
]


@frozen(kw_only=True)
class EventWebhook:
    """The webhook that an event was delivered to."""

    id: str
    name: str | None = None


@frozen(kw_only=True)
class EventProject:
    """The project of an event."""

    id: str
    name: str | None = None
    slug: str | None = None
    """With the provider's full name (`github/acme/api`). Every method accepts this form."""


@frozen(kw_only=True)
class EventOrganization:
    """The organization of an event."""

    id: str
    name: str | None = None


@frozen(kw_only=True)
class EventTrigger:
    """The trigger of an event's pipeline."""

    type: TriggerType | None = None


@frozen(kw_only=True)
class EventPerson:
    """The author or the committer of a commit."""

    name: str | None = None
    email: str | None = None


@frozen(kw_only=True)
class EventCommit:
    """The commit of an event. All fields are None if the pipeline was started by hand or for a tag."""

    subject: str | None = None
    """The first line of the commit message. CircleCI may truncate it."""
    body: str | None = None
    """The rest of the commit message. CircleCI may truncate it."""
    author: EventPerson | None = None
    authored_at: datetime | None = None
    committer: EventPerson | None = None
    committed_at: datetime | None = None


@frozen(kw_only=True)
class EventVcs:
    """The revision of an event's pipeline. It has either a branch or a tag."""

    provider_name: str | None = None
    origin_repository_url: str | None = None
    """The repository of the code. It differs from the target for a pull request from a fork."""
    target_repository_url: str | None = None
    revision: str | None = None
    """The commit hash."""
    branch: str | None = None
    tag: str | None = None
    commit: EventCommit | None = None


@frozen(kw_only=True)
class EventPipeline(WithRevision):
    """The pipeline of an event."""

    id: str
    number: int | None = None
    created_at: datetime | None = None
    trigger: EventTrigger | None = None
    vcs: EventVcs | None = None
    """None for GitLab, GitHub App and Bitbucket Data Center; `trigger_parameters` has the revision instead."""
    trigger_parameters: Mapping[str, Any] | None = field(default=None, hash=False)
    """Data from the provider, by provider (`git`, `gitlab`, `github_app`, `circleci`). Its structure is not fixed."""


@frozen(kw_only=True)
class EventWorkflow:
    """The workflow of an event."""

    id: str
    name: str | None = None
    status: WorkflowStatus | None = None
    """None in the event of a job, because the workflow may still be running."""
    created_at: datetime | None = None
    stopped_at: datetime | None = None
    url: str | None = None
    """The workflow's page in CircleCI's web application."""


@frozen(kw_only=True)
class EventJob:
    """The job of an event."""

    id: str
    number: int | None = None
    name: str | None = None
    status: JobStatus | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None


@frozen(kw_only=True)
class WebhookEvent:
    """The payload of a webhook: a workflow or a job has completed, or a user tests the webhook.

    A part is None if the payload lacks it or its id. `raw` has the complete payload.
    """

    id: str
    """The same in each delivery of this event. Use it to detect duplicates."""
    type: WebhookEventType
    """`workflow-completed`, `job-completed`, `ping` (a test, without further parts), or a later addition."""
    happened_at: datetime | None = None
    webhook: EventWebhook | None = None
    project: EventProject | None = None
    organization: EventOrganization | None = None
    pipeline: EventPipeline | None = None
    workflow: EventWorkflow | None = None
    job: EventJob | None = None
    secret_name: str | None = None
    """The name of the signing secret, if the receiver has several with names. Not part of the payload."""
    raw: Mapping[str, Any] = field(factory=dict[str, Any], hash=False, repr=False)
    """The complete payload, including fields unknown to this version of the package."""
