"""Where an organization's telemetry is sent."""

from collections.abc import Mapping

from attrs import define, field


@define(eq=False)
class OtelExporter:
    """An exporter; the API masks the values of its `headers`.

    Say with `issues.append("connection refused")` that it does not work, and why.
    """

    id: str
    endpoint: str
    protocol: str
    insecure: bool
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    issues: list[str] = field(factory=list[str])
