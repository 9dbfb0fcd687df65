"""OpenTelemetry exporters (preview)."""

from collections.abc import Mapping

from ..core.encoding import omit_none
from ..core.redaction import checked_value, unseen
from ..errors import InvalidArgument
from ..models.messages import Message
from ..models.otel import OtelExporter, OtelProtocol
from ..slug import segment
from .resource import Id, Resource, known

_MOST_HEADERS = 5


class Otel(Resource):
    """OpenTelemetry exporters, to which an organization's telemetry goes. A preview: it may change without notice."""

    async def exporters(self, organization_id: Id) -> list[OtelExporter]:
        """Return the exporters of an organization, all at once.

        `GET /otel/exporters`

        Raises `NotFound` also if the token's user lacks the right. What keeps an exporter from working stands in its
        `issues`.
        """
        return await self._session.request(
            list[OtelExporter], "GET", "/otel/exporters", query={"org-id": known("organization_id", organization_id)}
        )

    async def create_exporter(
        self,
        organization_id: Id,
        *,
        endpoint: str,
        protocol: OtelProtocol | str,
        insecure: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> OtelExporter:
        """Send an organization's telemetry to a collector as well (201).

        `POST /otel/exporters`

        `endpoint`: host and port; a URL will do with `http`. `insecure`: without TLS. `headers`: at most 5, such as the
        collector's key; no call gives their values back. An organization has at most 5 exporters; a sixth is answered
        with a 422, "Internal server error.".
        """
        if headers is not None and len(headers) > _MOST_HEADERS:
            raise InvalidArgument(f"headers: {len(headers)} are given, and {_MOST_HEADERS} at most would be right")
        for name, value in (headers or {}).items():
            checked_value(name, value)
        with unseen(*(headers or {}).values()):
            return await self._session.request(
                OtelExporter,
                "POST",
                "/otel/exporters",
                json=omit_none(
                    org_id=known("organization_id", organization_id),
                    endpoint=endpoint,
                    protocol=protocol,
                    insecure=insecure,
                    headers=headers,
                ),
            )

    async def delete_exporter(self, exporter_id: Id) -> Message:
        """Delete an exporter; the answer has no words (204).

        `DELETE /otel/exporters/{otel_exporter_id}`
        """
        return await self._session.request(Message, "DELETE", f"/otel/exporters/{segment(exporter_id)}")
