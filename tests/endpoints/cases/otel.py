"""What the calls of `circle.otel` send."""

from circleci_async import OtelProtocol
from tests.endpoints.case import ID, ID_2, Case

EXPORTERS = "/api/v2/otel/exporters"
HEADERS = {"x-api-key": "s3cret \u00e9", "x_y": "1", "c": "", "d": "2", "e": "3"}

CASES = [
    Case("otel.exporters", lambda c: c.otel.exporters(ID), f"{EXPORTERS}?org-id={ID}"),
    Case(
        "otel.create_exporter",
        lambda c: c.otel.create_exporter(str(ID), endpoint="otel.example.com:4317", protocol="grpc"),
        EXPORTERS,
        {"org_id": str(ID), "endpoint": "otel.example.com:4317", "protocol": "grpc"},
    ),
    Case(
        "otel.create_exporter",
        lambda c: c.otel.create_exporter(
            ID, endpoint="http://otel/v1", protocol=OtelProtocol.HTTP, insecure=False, headers=HEADERS
        ),
        EXPORTERS,
        {
            "org_id": str(ID),
            "endpoint": "http://otel/v1",
            "protocol": "http",
            "insecure": False,
            "headers": HEADERS,
        },
    ),
    Case("otel.delete_exporter", lambda c: c.otel.delete_exporter(ID_2), f"{EXPORTERS}/{ID_2}"),
]
