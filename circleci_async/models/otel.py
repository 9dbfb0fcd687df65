"""OpenTelemetry exporters (preview)."""

from collections.abc import Mapping

from attrs import field, frozen

from .open_enum import OpenEnum

__all__ = ["OtelExporter", "OtelProtocol"]


class OtelProtocol(OpenEnum):
    """How telemetry is sent to a collector."""

    GRPC = "grpc"
    HTTP = "http"


@frozen(kw_only=True)
class OtelExporter:
    """Where an organization's telemetry goes: `GET /otel/exporters`."""

    id: str
    org_id: str | None = None
    endpoint: str | None = None
    """Host and port, or a URL."""
    protocol: OtelProtocol | None = None
    insecure: bool | None = None
    """Whether it is sent without TLS."""
    headers: Mapping[str, str] | None = field(default=None, hash=False)
    """What is sent along; the values come back as `xxxx`."""
    issues: tuple[str, ...] = ()
    """What keeps it from working; only the list tells."""
