"""Outbound webhooks: what CircleCI tells your service of."""

from collections.abc import Sequence
from typing import Any

from ..core.encoding import omit_none
from ..core.paging import Paged
from ..core.redaction import checked_value, unseen
from ..errors import InvalidArgument
from ..models.messages import Message
from ..models.webhooks import Webhook, WebhookEventType
from ..slug import segment
from .resource import Id, Resource, known


class Webhooks(Resource):
    """Outbound webhooks: what CircleCI tells your service of.

    A project has at most five. The API never gives a signing secret: `signing_secret` of an answer is `****`, or empty.
    """

    def list(self, scope_id: Id, *, scope_type: str = "project") -> Paged[Webhook]:
        """Iterate the webhooks of a project, given by its id.

        `GET /webhook`
        """
        return self._session.paged(
            Webhook, "/webhook", query={"scope-id": known("scope_id", scope_id), "scope-type": scope_type}
        )

    async def create(
        self,
        *,
        name: str,
        url: str,
        events: Sequence[WebhookEventType | str],
        scope_id: Id,
        scope_type: str = "project",
        signing_secret: str | None = None,
        verify_tls: bool | None = None,
    ) -> Webhook:
        """Create a webhook.

        `POST /webhook`

        `url` begins with `https://`; `scope_id` is the id of the project. With a `signing_secret` each delivery carries
        a signature that your service can check; without one it can't tell who delivers. The certificate of the address
        is checked unless `verify_tls` is False.
        """
        _check(url, events, signing_secret)
        with unseen(signing_secret):
            return await self._session.request(
                Webhook,
                "POST",
                "/webhook",
                json={
                    "name": name,
                    "url": url,
                    "events": [*events],
                    "scope": {"id": known("scope_id", scope_id), "type": scope_type},
                    # The specification requires both.
                    **_in_both_spellings(signing_secret=signing_secret or "", verify_tls=verify_tls is not False),
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
        """Change what is given of a webhook; its project can't be changed.

        `PUT /webhook/{webhook-id}`

        An empty `signing_secret` means none from now on.
        """
        _check(url, events, signing_secret)
        with unseen(signing_secret):
            return await self._session.request(
                Webhook,
                "PUT",
                f"/webhook/{segment(webhook_id)}",
                json={
                    **omit_none(name=name, url=url, events=None if events is None else [*events]),
                    **_in_both_spellings(signing_secret=signing_secret, verify_tls=verify_tls),
                },
            )

    async def delete(self, webhook_id: Id) -> Message:
        """Delete a webhook.

        `DELETE /webhook/{webhook-id}`
        """
        return await self._session.request(Message, "DELETE", f"/webhook/{segment(webhook_id)}")


def _check(url: str | None, events: Sequence[WebhookEventType | str] | None, signing_secret: str | None) -> None:
    if signing_secret is not None:
        checked_value("signing_secret", signing_secret)
    if url is not None and not url.lower().startswith("https://"):  # not shown: such addresses often hold a secret
        raise InvalidArgument("url: give an address that begins with https://, the only kind that CircleCI delivers to")
    if isinstance(events, str):
        raise InvalidArgument(f"events={str(events)!r}: give a list, such as [{str(events)!r}]")
    if events is not None and not events:
        raise InvalidArgument(
            f"events={events!r}: give at least one, such as {str(WebhookEventType.WORKFLOW_COMPLETED)!r}"
        )


def _in_both_spellings(**fields: Any) -> dict[str, Any]:
    """Give each field under both its names: the specification hyphenates, but only underscores were seen to be read.

    A name that is not read is ignored without a word, and the webhook would be left without its secret.
    """
    given = omit_none(**fields)
    return {**given, **{name.replace("_", "-"): value for name, value in given.items()}}
