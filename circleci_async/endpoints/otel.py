"""OpenTelemetry exporters (preview)."""

from collections.abc import Mapping

from ..config.redacted import Redacted
from ..core.arguments import check_word
from ..core.encoding import omit_none
from ..core.redaction import checked_value, redact_errors
from ..errors import InvalidArgument
from ..models.messages import Message
from ..models.otel import OtelExporter, OtelProtocol
from ..slug import segment
from .resource import Id, Resource, require, require_id

MAX_HEADERS = 5

MASK = "xxxx"
"""The value of each header in responses."""


class Otel(Resource):
    """OpenTelemetry exporters of an organization. A preview, which CircleCI may change without notice."""

    async def exporters(self, organization_id: Id) -> list[OtelExporter]:
        """Return the exporters of an organization.

        `GET /otel/exporters`

        `issues` of an exporter lists its problems. Raises `NotFound` if the token's user lacks permission, too.
        """
        return await self._session.request(
            list[OtelExporter],
            "GET",
            "/otel/exporters",
            query={"org-id": require_id("organization_id", organization_id)},
        )

    async def create_exporter(
        self,
        organization_id: Id,
        *,
        endpoint: str | None,
        protocol: OtelProtocol | str | None,
        insecure: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> OtelExporter:
        """Create an exporter, which sends an organization's telemetry to a collector.

        `POST /otel/exporters`

        `endpoint`: host and port, or a URL with the protocol `http`. `insecure`: without TLS. `headers`: at most 5, for
        example the collector's API key; the API never returns their values. An organization can have 5 exporters;
        creating more raises `Unprocessable` with the message "Internal server error.".
        """
        secrets = None if headers is None else {name: Redacted(value) for name, value in headers.items()}
        del headers  # a traceback that prints local variables must not print their values
        require("endpoint", endpoint)
        check_word("protocol", protocol, OtelProtocol, required=True)
        if secrets is not None and len(secrets) > MAX_HEADERS:
            raise InvalidArgument(f"headers must have at most {MAX_HEADERS} items, got {len(secrets)}")
        for name, value in (secrets or {}).items():
            checked_value(name, value)
            if value.reveal() == MASK:
                raise InvalidArgument(
                    f"headers must have their values: that of {name!r} is the mask that responses contain"
                )
        with redact_errors(*(secrets or {}).values()):
            return await self._session.request(
                OtelExporter,
                "POST",
                "/otel/exporters",
                json=omit_none(
                    org_id=require_id("organization_id", organization_id),
                    endpoint=endpoint,
                    protocol=protocol,
                    insecure=insecure,
                    headers=secrets,
                ),
            )

    async def delete_exporter(self, exporter_id: Id) -> Message:
        """Delete an exporter. The returned message is empty.

        `DELETE /otel/exporters/{otel_exporter_id}`
        """
        return await self._session.request(Message, "DELETE", f"/otel/exporters/{segment(exporter_id)}")
