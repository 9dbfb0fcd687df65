"""Outbound webhooks, which CircleCI notifies of completed workflows and jobs."""

from datetime import datetime

from attrs import field, frozen

from .open_enum import OpenEnum

__all__ = ["Webhook", "WebhookEventType", "WebhookScope"]


class WebhookEventType(OpenEnum):
    """The type of a webhook event."""

    JOB_COMPLETED = "job-completed"
    WORKFLOW_COMPLETED = "workflow-completed"
    PING = "ping"
    """A test. Every webhook can receive it, without subscribing."""


@frozen(kw_only=True)
class WebhookScope:
    """The scope of a webhook."""

    id: str
    """The id of the project."""
    type: str | None = None
    """Always `project` so far."""


@frozen(kw_only=True)
class Webhook:
    """An outbound webhook: `GET /webhook/{webhook-id}` and the list of a project's."""

    id: str
    name: str
    url: str
    """The destination of deliveries."""
    events: tuple[WebhookEventType, ...] = ()
    scope: WebhookScope | None = None
    verify_tls: bool | None = None
    """Whether CircleCI verifies the certificate of the URL."""
    signing_secret: str | None = field(default=None, repr=False)
    """`****`, or empty without a secret. The API never returns the secret itself."""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def scope_id(self) -> str | None:
        """The id of the project: the argument of `webhooks.create`."""
        return None if self.scope is None else self.scope.id
