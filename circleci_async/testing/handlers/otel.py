"""OpenTelemetry exporters (preview)."""

from typing import Any, cast

from ..server.calls import Call
from ..server.routing import Routes
from ..server.validation import HttpError, find, is_strings, one_of, without_none
from ..state.organizations import Organization
from ..state.otel import OtelExporter
from ..state.types import Json

ROUTES = Routes()

_PROTOCOLS = ("grpc", "http")
_MAX_EXPORTERS = _MAX_HEADERS = 5


@ROUTES.get("/otel/exporters", public=False)
def exporters(call: Call) -> list[Json]:
    """Answer GET /otel/exporters."""
    organization = call.organization_with_id("org-id", call.query.get("org-id"))
    return [
        {**_body(organization, each), **without_none(issues=list(each.issues) or None)}
        for each in organization.exporters.values()
    ]


@ROUTES.post("/otel/exporters", status=201)
def create(call: Call) -> Json:
    """Answer POST /otel/exporters."""
    body = call.body(
        {"org_id": str, "endpoint": str, "protocol": str, "insecure": bool, "headers": dict},
        required=("org_id", "endpoint", "protocol"),
    )
    organization = call.organization_with_id("org_id", body["org_id"])
    headers = cast(dict[str, Any], body.get("headers", {}))
    one_of("protocol", body["protocol"], _PROTOCOLS)
    if not body["endpoint"]:
        raise HttpError(400, "endpoint: expected a host and a port.")
    if len(headers) > _MAX_HEADERS or not is_strings(headers.values()):
        raise HttpError(400, f"headers: expected at most {_MAX_HEADERS}, with strings as values.")
    if len(organization.exporters) >= _MAX_EXPORTERS:
        raise HttpError(422, "Internal server error.")  # as the real API answers
    exporter = OtelExporter(
        call.world.new_id(), body["endpoint"], body["protocol"], body.get("insecure", False), headers
    )
    organization.exporters[exporter.id] = exporter
    return _body(organization, exporter)


@ROUTES.delete("/otel/exporters/{exporter}", status=204)
def delete(call: Call) -> None:
    """Answer DELETE /otel/exporters/{otel_exporter_id}."""
    id = call.uuid("exporter")
    exporters = [organization.exporters for organization in call.world.organizations.values()]
    find(exporters, id, "Exporter")
    for each in exporters:
        each.pop(id, None)


def _body(organization: Organization, exporter: OtelExporter) -> Json:
    return without_none(
        id=exporter.id,
        org_id=organization.id,
        endpoint=exporter.endpoint,
        protocol=exporter.protocol,
        insecure=exporter.insecure,
        headers=dict.fromkeys(exporter.headers, "xxxx") or None,
    )
