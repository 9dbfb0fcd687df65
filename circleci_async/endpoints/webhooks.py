"""Outbound webhooks: HTTP requests that CircleCI sends when a workflow or a job completes."""

from collections.abc import Sequence
from typing import Any

from ..config.redacted import Redacted
from ..core.arguments import check_word, check_words
from ..core.encoding import omit_none
from ..core.paging import Paged
from ..core.redaction import checked_value, redact_errors
from ..errors import InvalidArgument
from ..models.messages import Message
from ..models.webhooks import Webhook, WebhookEventType
from ..slug import segment
from .resource import Id, Resource, require_id

MASK = "****"
"""The signing secret in responses."""

_SCOPES = ("project",)
_EVENTS = (WebhookEventType.WORKFLOW_COMPLETED, WebhookEventType.JOB_COMPLETED)  # a ping needs no subscription


class Webhooks(Resource):
    """Outbound webhooks: HTTP requests that CircleCI sends when a workflow or a job completes.

    A project can have five. The API masks signing secrets: `signing_secret` is `****`, or empty without a secret.
    """

    def list(self, scope_id: Id | None, *, scope_type: str = "project") -> Paged[Webhook]:
        """Iterate over the webhooks of a project. `scope_id` is the id of the project.

        `GET /webhook`
        """
        check_word("scope_type", scope_type, _SCOPES, required=True)
        return self._session.paged(
            Webhook, "/webhook", query={"scope-id": require_id("scope_id", scope_id), "scope-type": scope_type}
        )

    async def create(
        self,
        *,
        name: str,
        url: str,
        events: Sequence[WebhookEventType | str],
        scope_id: Id | None,
        scope_type: str = "project",
        signing_secret: str | None = None,
        verify_tls: bool | None = None,
    ) -> Webhook:
        """Create a webhook.

        `POST /webhook`

        `url` must start with `https://`. `scope_id`: the id of the project. `signing_secret`: the key of the signature
        in each delivery; without it, a service cannot verify the sender. CircleCI checks the certificate of the URL
        unless `verify_tls` is False.
        """
        address, secret = Redacted(url), None if signing_secret is None else Redacted(signing_secret)
        del url, signing_secret  # a traceback that prints local variables must not print them
        check_word("scope_type", scope_type, _SCOPES, required=True)
        _check(address, events, secret)
        with redact_errors(secret):
            return await self._session.request(
                Webhook,
                "POST",
                "/webhook",
                json={
                    "name": name,
                    "url": address,
                    "events": [*events],
                    "scope": {"id": require_id("scope_id", scope_id), "type": scope_type},
                    # Both are required.
                    **_both_spellings(signing_secret=secret or "", verify_tls=verify_tls is not False),
                },
            )

    async def get(self, webhook_id: Id) -> Webhook:
        """Return a webhook.

        `GET /webhook/{webhook-id}`
        """
        return await self._session.request(Webhook, "GET", f"/webhook/{segment(webhook_id)}")

    async def update(
        self,
        webhook_id: Id,
        *,
        name: str | None = None,
        url: str | None = None,
        events: Sequence[WebhookEventType | str] | None = None,
        signing_secret: str | None = None,
        verify_tls: bool | None = None,
    ) -> Webhook:
        """Update a webhook. Omitted fields stay unchanged; the project cannot be changed.

        `PUT /webhook/{webhook-id}`

        An empty `signing_secret` removes the secret.
        """
        address = None if url is None else Redacted(url)
        secret = None if signing_secret is None else Redacted(signing_secret)
        del url, signing_secret  # a traceback that prints local variables must not print them
        _check(address, events, secret)
        with redact_errors(secret):
            return await self._session.request(
                Webhook,
                "PUT",
                f"/webhook/{segment(webhook_id)}",
                json={
                    **omit_none(name=name, url=address, events=None if events is None else [*events]),
                    **_both_spellings(signing_secret=secret, verify_tls=verify_tls),
                },
            )

    async def delete(self, webhook_id: Id) -> Message:
        """Delete a webhook.

        `DELETE /webhook/{webhook-id}`
        """
        return await self._session.request(Message, "DELETE", f"/webhook/{segment(webhook_id)}")


def _check(
    url: Redacted[str] | None,
    events: Sequence[WebhookEventType | str] | None,
    signing_secret: Redacted[str] | None,
) -> None:
    if signing_secret is not None:
        checked_value("signing_secret", signing_secret)
        if signing_secret.reveal() == MASK:
            raise InvalidArgument("signing_secret must be the secret: it is the mask that responses contain")
    # the URL is not shown, since it often contains a secret
    if url is not None and not url.reveal().lower().startswith("https://"):
        raise InvalidArgument("url must start with https://")
    if isinstance(events, str):
        raise InvalidArgument(f"events must be a list such as [{str(events)!r}], got {str(events)!r}")
    if events is not None and not events:
        raise InvalidArgument(
            f"events must have at least one item, such as {str(WebhookEventType.WORKFLOW_COMPLETED)!r}, got {events!r}"
        )
    check_words("events", events, _EVENTS)


def _both_spellings(**fields: Any) -> dict[str, Any]:
    """Return each field under both of its names: hyphenated as documented, and with underscores as the API reads it.

    The API ignores unknown names, so that the webhook could end up without its secret.
    """
    given = omit_none(**fields)
    return {**given, **{name.replace("_", "-"): value for name, value in given.items()}}
