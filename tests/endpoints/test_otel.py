"""OpenTelemetry exporters: secret headers and limits."""

from typing import Any

import pytest

from circleci_async import BadRequest, CircleCI, NotFound, Unprocessable
from circleci_async.models import Message, OtelExporter
from circleci_async.testing import FakeCircleCI, World
from tests.endpoints.examples import ID
from tests.endpoints.refusal import refusal
from tests.raw_server import answer, raw_server

ENDPOINT = "otel.example.com:4317"
SECRET = "a-very-secret-key"


async def test_invalid_headers_are_refused_without_showing_them() -> None:
    headers: Any = {"x-api-key": SECRET.encode()}
    message = await refusal(lambda c: c.otel.create_exporter(ID, endpoint=ENDPOINT, protocol="grpc", headers=headers))
    assert SECRET not in message


async def test_header_values_are_returned_masked() -> None:
    world = World()
    acme = world.organization("gh/acme").id
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        made = await circle.otel.create_exporter(
            acme, endpoint=ENDPOINT, protocol="grpc", headers={"x-api-key": SECRET}
        )
        assert made.headers == {"x-api-key": "xxxx"}
        assert await circle.otel.exporters(acme) == [made]
        assert hash(made) == hash(made)
        assert await circle.otel.delete_exporter(made.id) == Message()
        assert await circle.otel.exporters(acme) == []
        with pytest.raises(NotFound):
            await circle.otel.delete_exporter(made.id)


async def test_a_sixth_exporter_raises_unprocessable_and_is_not_retried() -> None:
    world = World()
    acme = world.organization("gh/acme").id
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        for _ in range(5):
            await circle.otel.create_exporter(acme, endpoint=ENDPOINT, protocol="grpc")
        with pytest.raises(Unprocessable, match="Internal server error"):
            await circle.otel.create_exporter(acme, endpoint=ENDPOINT, protocol="grpc")
        assert len(fake.requests) == 6, "a 422 is not retried"


async def test_only_the_id_of_an_exporter_is_required() -> None:
    async with raw_server(answer(200, [{"id": str(ID)}])) as server, CircleCI("t", host=server.url) as circle:
        assert await circle.otel.exporters(ID) == [OtelExporter(id=str(ID))]


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_any_success_confirms_a_deletion(status: int) -> None:
    async with raw_server(answer(status, "")) as server, CircleCI("t", host=server.url) as circle:
        assert await circle.otel.delete_exporter(ID) == Message()


async def test_a_header_value_in_an_error_response_is_redacted() -> None:
    said = answer(400, {"message": f"x-api-key: {SECRET} is no key"})
    async with raw_server(said) as server, CircleCI("t-o-k-e-n", host=server.url) as circle:
        with pytest.raises(BadRequest) as caught:
            await circle.otel.create_exporter(ID, endpoint="a:1", protocol="grpc", headers={"x-api-key": SECRET})
        assert caught.value.message == "x-api-key: [value] is no key"
        assert SECRET not in repr(caught.value) + str(caught.value) + caught.value.body
