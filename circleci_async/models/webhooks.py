"""Outbound webhooks: addresses that CircleCI tells of what has happened."""

from datetime import datetime

from attrs import field, frozen

from .open_enum import OpenEnum

__all__ = ["Webhook", "WebhookEventType", "WebhookScope"]


class WebhookEventType(OpenEnum):
    """What CircleCI tells a webhook of."""

    JOB_COMPLETED = "job-completed"
    WORKFLOW_COMPLETED = "workflow-completed"
    PING = "ping"
    """A test. Any webhook may be sent one; it is not asked for."""


@frozen(kw_only=True)
class WebhookScope:
    """What a webhook watches."""

    id: str
    """The id of the project."""
    type: str | None = None
    """`project`; there is no other yet."""


@frozen(kw_only=True)
class Webhook:
    """An outbound webhook: `GET /webhook/{webhook-id}` and the list of a project's."""

    id: str
    name: str
    url: str
    """Where CircleCI delivers to."""
    events: tuple[WebhookEventType, ...] = ()
    scope: WebhookScope | None = None
    verify_tls: bool | None = None
    """Whether CircleCI checks the certificate of the address."""
    signing_secret: str | None = field(default=None, repr=False)
    """`****` if there is one, empty if there is none; the API never gives the secret itself."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
