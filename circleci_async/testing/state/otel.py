"""OpenTelemetry exporters of an organization."""

from collections.abc import Mapping

from attrs import define, field


@define(eq=False)
class OtelExporter:
    """An exporter; the API masks the values of its `headers`.

    `issues.append("connection refused")` makes the API report an issue.
    """

    id: str
    endpoint: str
    protocol: str
    insecure: bool
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    issues: list[str] = field(factory=list[str])
