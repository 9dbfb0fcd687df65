"""Request bodies, and `NotCreated` for a success that created nothing."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from circleci_async import ApiError, InvalidArgument, NotCreated
from circleci_async.models import Actor, Message, PipelineCreated, PipelineTrigger, TriggerType
from tests.core.session.client import connect
from tests.raw_server import answer, raw_server

AT = datetime(2026, 5, 4, 10, tzinfo=UTC)
ID = UUID("5034460f-c7c4-4c43-9457-de07e2029e7b")


class Word(StrEnum):
    A = "a"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({"id": ID}, {"id": str(ID)}),
        ({"at": AT}, {"at": "2026-05-04T10:00:00Z"}),
        ({"word": Word.A, "list": ("x", Word.A)}, {"word": "a", "list": ["x", "a"]}),
        ({"map": MappingProxyType({"a-b": None})}, {"map": {"a-b": None}}),
        ({"actor": Actor(login="octo")}, {"actor": {"login": "octo"}}),
        (
            {"trigger": PipelineTrigger(type=TriggerType.API, received_at=AT, actor=Actor())},
            {"trigger": {"type": "api", "received_at": "2026-05-04T10:00:00Z", "actor": {}}},
        ),
    ],
    ids=["UUID", "date", "enum", "mapping", "model", "model in a model"],
)
async def test_a_request_body_may_contain_dates_ids_and_models(given: Any, written: Any) -> None:
    async with raw_server(answer(200, {"message": "x"})) as server, connect(server) as circle:
        await circle._session.request(Message, "POST", "/x", json=given)
        assert json.loads(server.requests[0].body) == written


@pytest.mark.parametrize(
    ("given", "said"),
    [({"at": AT.replace(tzinfo=None)}, "time zone"), ({"x": object()}, "object is not supported"), ({"x": {1}}, "set")],
    ids=["naive date", "object", "set"],
)
async def test_a_body_that_is_not_json_is_rejected_before_sending(given: Any, said: str) -> None:
    async with raw_server(answer(200, {})) as server, connect(server) as circle:
        with pytest.raises(InvalidArgument, match=said):
            await circle._session.request(Message, "POST", "/x", json=given)
        assert server.requests == []


async def test_a_success_that_created_nothing_is_an_error_with_the_reason() -> None:
    said = answer(200, {"message": "The commit asks to be skipped."})
    async with raw_server(said) as server, connect(server) as circle:
        with pytest.raises(NotCreated) as caught:
            await circle._session.request(PipelineCreated, "POST", "/x", json={}, expect_status=201)
        error = caught.value
        assert isinstance(error, ApiError)
        assert (error.status, error.message) == (200, "The commit asks to be skipped.")
        assert (error.method, error.url) == ("POST", f"{server.url}/api/v2/x")
        assert str(error).startswith("200 OK: The commit asks to be skipped. (POST ")
        assert len(server.requests) == 1, "asking again would not help"
        assert circle.stats.retries == 0


async def test_the_expected_status_is_a_success() -> None:
    async with raw_server(answer(201, {"message": "Made."})) as server, connect(server) as circle:
        assert (await circle._session.request(Message, "POST", "/x", expect_status=201)).message == "Made."


async def test_another_success_that_created_something_is_accepted() -> None:
    made = {"id": "p-1", "number": 7, "state": "pending", "created_at": "2026-05-04T10:00:00Z"}
    async with raw_server(answer(200, made)) as server, connect(server) as circle:
        created = await circle._session.request(PipelineCreated, "POST", "/x", json={}, expect_status=201)
        assert (created.id, created.number) == ("p-1", 7)


@pytest.mark.parametrize("wrong", [{"a"}, object(), (x for x in "a")], ids=["set", "object", "generator"])
async def test_an_unsupported_query_value_is_rejected(wrong: Any) -> None:
    async with raw_server(answer(200, {})) as server, connect(server) as circle:
        with pytest.raises(InvalidArgument, match="branches must be "):
            await circle._session.request_json("GET", "/x", query={"branches": wrong})
        assert server.requests == []
