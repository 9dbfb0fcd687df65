"""Events: what CircleCI delivers to an outbound webhook.

The shapes are those of the documentation and of deliveries that were seen. Only what identifies a thing is required,
since CircleCI says of these payloads that they may grow, and a bot must not fail on the day that they do.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from attrs import field, frozen

from .jobs import JobStatus
from .pipelines import TriggerType
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
    """As the provider's full name has it (`github/acme/api`); every call takes it as it is."""


@frozen(kw_only=True)
class EventOrganization:
    """The organization of an event."""

    id: str
    name: str | None = None


@frozen(kw_only=True)
class EventTrigger:
    """How the pipeline of an event came to be."""

    type: TriggerType | None = None


@frozen(kw_only=True)
class EventPerson:
    """The author or the committer of a commit, as the commit has them."""

    name: str | None = None
    email: str | None = None


@frozen(kw_only=True)
class EventCommit:
    """The commit of an event. All is None where the pipeline was started by hand or for a tag."""

    subject: str | None = None
    """The first line of the commit message; a long one may be cut."""
    body: str | None = None
    """The rest of the commit message; a long one may be cut."""
    author: EventPerson | None = None
    authored_at: datetime | None = None
    committer: EventPerson | None = None
    committed_at: datetime | None = None


@frozen(kw_only=True)
class EventVcs:
    """The revision that the pipeline of an event runs for. It has a branch or a tag, never both."""

    provider_name: str | None = None
    origin_repository_url: str | None = None
    """The repository that the code comes from; it differs from the target for a pull request of a fork."""
    target_repository_url: str | None = None
    revision: str | None = None
    """The commit's hash."""
    branch: str | None = None
    tag: str | None = None
    commit: EventCommit | None = None


@frozen(kw_only=True)
class EventPipeline:
    """The pipeline of an event."""

    id: str
    number: int | None = None
    created_at: datetime | None = None
    trigger: EventTrigger | None = None
    vcs: EventVcs | None = None
    """None for GitLab, GitHub App and Bitbucket Data Center; `trigger_parameters` tells the revision then."""
    trigger_parameters: Mapping[str, Any] | None = field(default=None, hash=False)
    """What the provider sent along, by provider (`git`, `gitlab`, `github_app`, `circleci`); its shape is not fixed."""

    @property
    def branch(self) -> str | None:
        """The branch, wherever the event has it."""
        return (self.vcs and self.vcs.branch) or self._git("branch")

    @property
    def tag(self) -> str | None:
        """The tag, wherever the event has it."""
        return (self.vcs and self.vcs.tag) or self._git("tag")

    @property
    def revision(self) -> str | None:
        """The commit's hash, wherever the event has it."""
        return (self.vcs and self.vcs.revision) or self._git("checkout_sha")

    def _git(self, name: str) -> str | None:
        """Return what the trigger parameters say of git; they have an empty text for what there is not."""
        git: object = (self.trigger_parameters or {}).get("git")
        value = cast(dict[str, object], git).get(name) if isinstance(git, dict) else None
        return value if isinstance(value, str) and value else None


@frozen(kw_only=True)
class EventWorkflow:
    """The workflow of an event."""

    id: str
    name: str | None = None
    status: WorkflowStatus | None = None
    """None in an event of a job, since the workflow may go on."""
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
    """What CircleCI tells a webhook: that a workflow or a job has ended, or that somebody tests the webhook.

    A part is None where the event has none, or has one without an id; `raw` has all that arrived.
    """

    id: str
    """The same each time that this event is delivered: duplicates are recognised by it."""
    type: WebhookEventType
    """A workflow or a job has completed, a ping (a test, which has no more than a webhook), or something new."""
    happened_at: datetime | None = None
    webhook: EventWebhook | None = None
    project: EventProject | None = None
    organization: EventOrganization | None = None
    pipeline: EventPipeline | None = None
    workflow: EventWorkflow | None = None
    job: EventJob | None = None
    raw: Mapping[str, Any] = field(factory=dict[str, Any], hash=False, repr=False)
    """The whole payload as it arrived, with what this version of the package does not know."""
