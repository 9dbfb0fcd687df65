"""OpenTelemetry exporters."""

from typing import Any

import pytest

from circleci_async.testing import Organization, World

from .caller import Caller

ID = "00000000-0000-4000-8000-000000000000"
PATH = "/otel/exporters"


@pytest.fixture
def acme(world: World) -> Organization:
    return world.organization("gh/acme")


def exporter(organization: Organization, **other: Any) -> Any:
    return {"org_id": organization.id, "endpoint": "otel.example.com:4317", "protocol": "grpc", **other}


async def test_an_exporter_is_created_listed_and_deleted(api: Caller, acme: Organization, world: World) -> None:
    given = exporter(acme, insecure=True, headers={"x-api-key": "secret"})
    made = await api.post(PATH, given, status=201)

    assert made == {"id": made["id"], **given, "headers": {"x-api-key": "xxxx"}}
    assert await api.get(f"{PATH}?org-id={acme.id}") == [made]
    assert await api.get(f"{PATH}?org-id={world.organization('gh/other').id}") == []
    assert acme.exporters[made["id"]].headers == {"x-api-key": "secret"}

    assert await api.delete(f"{PATH}/{made['id']}", status=204) is None
    assert await api.get(f"{PATH}?org-id={acme.id}") == []
    await api.delete(f"{PATH}/{made['id']}", status=404)


async def test_issues_of_an_exporter_are_in_the_list_only(api: Caller, acme: Organization) -> None:
    made = await api.post(PATH, exporter(acme), status=201)

    assert made == {"id": made["id"], **exporter(acme), "insecure": False}
    acme.exporters[made["id"]].issues.append("connection refused")
    assert await api.get(f"{PATH}?org-id={acme.id}") == [{**made, "issues": ["connection refused"]}]


async def test_a_sixth_exporter_answers_422(api: Caller, acme: Organization) -> None:
    for _ in range(5):
        await api.post(PATH, exporter(acme), status=201)

    assert await api.post(PATH, exporter(acme), status=422) == {"message": "Internal server error."}


@pytest.mark.parametrize(
    "wrong",
    [
        {"protocol": "udp"},
        {"protocol": None},
        {"endpoint": ""},
        {"endpoint": 1},
        {"insecure": "no"},
        {"headers": []},
        {"headers": {"n": 1}},
        {"headers": dict.fromkeys("abcdef", "")},
        {"org_id": "acme"},
    ],
)
async def test_an_invalid_exporter_is_not_created(api: Caller, acme: Organization, wrong: Any) -> None:
    await api.post(PATH, exporter(acme, **wrong), status=400)

    assert acme.exporters == {}


async def test_a_missing_organization_answers_404(api: Caller, acme: Organization) -> None:
    await api.get(f"{PATH}?org-id={ID}", status=404)
    await api.post(PATH, exporter(acme, org_id=ID), status=404)
    await api.get(PATH, status=400)
    await api.get(f"{PATH}?org-id=gh%2Facme", status=400)
