"""OpenTelemetry exporters (preview)."""

from collections.abc import Mapping

from attrs import field, frozen

from .open_enum import OpenEnum

__all__ = ["OtelExporter", "OtelProtocol"]


class OtelProtocol(OpenEnum):
    """The protocol of an exporter."""

    GRPC = "grpc"
    HTTP = "http"


@frozen(kw_only=True)
class OtelExporter:
    """An exporter of an organization's telemetry: `GET /otel/exporters`."""

    id: str
    org_id: str | None = None
    endpoint: str | None = None
    """Host and port, or a URL."""
    protocol: OtelProtocol | None = None
    insecure: bool | None = None
    """Whether telemetry is sent without TLS."""
    headers: Mapping[str, str] | None = field(default=None, hash=False)
    """The headers of its requests, with the values masked as `xxxx`."""
    issues: tuple[str, ...] = ()
    """Problems of the exporter. Only the list of exporters has them."""
