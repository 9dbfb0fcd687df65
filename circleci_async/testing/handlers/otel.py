"""OpenTelemetry exporters (preview)."""

from typing import Any, cast

from ..server.calls import Call, Json, Refusal, valid_uuid
from ..server.routing import Routes
from ..state.accounts import Organization
from ..state.otel import OtelExporter

ROUTES = Routes()

_PROTOCOLS = ("grpc", "http")
_MOST_EXPORTERS = _MOST_HEADERS = 5


@ROUTES.get("/otel/exporters", public=False)
def exporters(call: Call) -> list[Json]:
    """Answer GET /otel/exporters."""
    organization = _organization(call, "org-id", call.query.get("org-id"))
    return [
        {**_body(organization, each), **({"issues": list(each.issues)} if each.issues else {})}
        for each in organization.exporters.values()
    ]


@ROUTES.post("/otel/exporters", status=201)
def create(call: Call) -> Json:
    """Answer POST /otel/exporters."""
    body = call.body(
        {"org_id": str, "endpoint": str, "protocol": str, "insecure": bool, "headers": dict},
        required=("org_id", "endpoint", "protocol"),
    )
    organization = _organization(call, "org_id", body["org_id"])
    headers = cast(dict[str, Any], body.get("headers", {}))
    if body["protocol"] not in _PROTOCOLS:
        raise Refusal(400, f"protocol: expected one of {', '.join(_PROTOCOLS)}.")
    if not body["endpoint"]:
        raise Refusal(400, "endpoint: expected a host and a port.")
    if len(headers) > _MOST_HEADERS or not all(isinstance(value, str) for value in headers.values()):
        raise Refusal(400, f"headers: expected at most {_MOST_HEADERS}, with strings for values.")
    if len(organization.exporters) >= _MOST_EXPORTERS:
        raise Refusal(422, "Internal server error.")  # the real API's words for one too many
    exporter = OtelExporter(
        call.world.new_id(), body["endpoint"], body["protocol"], body.get("insecure", False), headers
    )
    organization.exporters[exporter.id] = exporter
    return _body(organization, exporter)


@ROUTES.delete("/otel/exporters/{exporter}", status=204)
def delete(call: Call) -> None:
    """Answer DELETE /otel/exporters/{otel_exporter_id}."""
    id = call.uuid("exporter")
    for organization in call.world.organizations.values():
        if organization.exporters.pop(id, None) is not None:
            return
    raise Refusal(404, "Exporter not found")


def _organization(call: Call, name: str, value: str | None) -> Organization:
    organization = call.world.organization_by_id(valid_uuid(name, value))
    if organization is None:
        raise Refusal(404, "Organization not found")
    return organization


def _body(organization: Organization, exporter: OtelExporter) -> Json:
    masked = {"headers": dict.fromkeys(exporter.headers, "xxxx")} if exporter.headers else {}
    return {
        "id": exporter.id,
        "org_id": organization.id,
        "endpoint": exporter.endpoint,
        "protocol": exporter.protocol,
        "insecure": exporter.insecure,
        **masked,
    }
