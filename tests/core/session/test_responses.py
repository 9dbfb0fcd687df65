"""Responses become models, or errors with faults and an address."""

import asyncio
import threading
import traceback

import attrs
import pytest

from circleci_async import ApiError, DecodeError, NotFound
from circleci_async.core.json_parts import MAX_AT_ONCE
from circleci_async.models import WorkflowStatus
from tests.core.session.client import ME, connect
from tests.raw_server import (
    answer,
    cut,
    raw_server,
)


@pytest.mark.parametrize(
    "body", ["<html><title>Hello</title></html>", '{"id": "u-1", "log', '{"id": NaN}', b"\xff\xfe"]
)
async def test_invalid_json_is_a_decode_error_with_the_address(body: str | bytes) -> None:
    async with raw_server(answer(200, body)) as server, connect(server) as circle:
        for call in (circle.users.me(), circle.request("GET", "/me"), circle.pipelines.list("gh/a/b").collect()):
            with pytest.raises(DecodeError, match="not JSON") as caught:
                await call
            assert caught.value.method == "GET"
            assert caught.value.url.startswith(f"{server.url}/api/v2/")
            assert caught.value.body == (body if isinstance(body, str) else "\ufffd\ufffd")
        assert len(server.requests) == 3, "asking again would not help"


async def test_an_empty_body_is_none_for_request_and_an_error_for_a_model() -> None:
    async with raw_server(answer(204, b"")) as server, connect(server) as circle:
        assert await circle.request("DELETE", "/x") is None
        with pytest.raises(DecodeError, match="empty"):
            await circle.users.me()


async def test_an_unexpected_null_names_the_field_and_the_address() -> None:
    async with raw_server(answer(200, {"id": None, "login": None})) as server, connect(server) as circle:
        with pytest.raises(DecodeError) as caught:
            await circle.users.me()
        assert {fault.partition(":")[0] for fault in caught.value.faults} == {"$.id", "$.login"}
        assert f"GET {server.url}/api/v2/me" in str(caught.value)


async def test_unknown_fields_are_ignored_and_unknown_enum_values_survive() -> None:
    workflow = {"id": "w", "name": "build", "created_at": "2026-01-01T00:00:00Z", "status": "levitating", "aura": 7}
    async with raw_server(answer(200, workflow)) as server, connect(server) as circle:
        found = await circle.workflows.get("w")
        assert isinstance(found.status, WorkflowStatus)
        assert found.status.value == "levitating"


@pytest.mark.parametrize("status", [200, 201, 202, 203, 299])
async def test_any_2xx_is_a_success(status: int) -> None:
    async with raw_server(answer(status, ME)) as server, connect(server) as circle:
        assert (await circle.users.me()).id == "u-1"


@attrs.frozen(kw_only=True)
class ThreadRecord:
    """Records the thread in which it is created."""

    text: str
    thread: int = attrs.field(factory=threading.get_ident)


@pytest.mark.parametrize(("size", "elsewhere"), [(MAX_AT_ONCE + 1, True), (MAX_AT_ONCE, False)])
async def test_a_large_body_is_decoded_off_the_event_loop(size: int, elsewhere: bool) -> None:
    frame = len('{"text":""}')
    async with raw_server(answer(200, '{"text":"' + "x" * (size - frame) + '"}')) as server, connect(server) as circle:
        record = await circle._session.request(ThreadRecord, "GET", "/x")
        assert len(record.text) == size - frame
        assert (record.thread != threading.get_ident()) is elsewhere
        assert circle.stats.received == size


async def test_a_large_list_is_decoded_without_blocking_the_event_loop() -> None:
    items = [{"path": f"p/{n}", "node_index": 0, "url": "https://x/y"} for n in range(60_000)]
    async with raw_server(answer(200, {"items": items})) as server, connect(server) as circle:
        fetching = asyncio.create_task(circle.artifacts.list("gh/a/b", 1).collect())
        while circle.stats.received == 0:
            await asyncio.sleep(0.001)
        ticks = 0
        while not fetching.done():
            await asyncio.sleep(0.001)
            ticks += 1
        assert len(await fetching) == 60_000
        assert ticks > 3


async def test_a_body_of_many_faults_is_a_short_error() -> None:
    items = [{"login": n} for n in range(20_000)]
    async with raw_server(answer(200, items)) as server, connect(server) as circle:
        with pytest.raises(DecodeError, match=r"GET http.*/me/collaborations .*\$\[0\]\.name: required") as caught:
            await circle.users.collaborations()
        assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize("call", ["model", "json"])
async def test_an_error_keeps_only_the_start_of_a_large_body(call: str) -> None:
    body = {"model": [{"login": "x" * 1_000}] * 2_000, "json": "x" * 2_000_000}[call]
    async with raw_server(answer(200, body)) as server, connect(server) as circle:
        with pytest.raises(DecodeError) as caught:
            await (circle.users.collaborations() if call == "model" else circle.users.me())
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    values = [value for frame in frames for value in frame.f_locals.values() if value is not body]
    sizes = [len(value) for value in values if isinstance(value, str | bytes | list | dict)]
    assert max(sizes) < 1_000
    assert len(caught.value.body) == 65_536
    assert caught.value.__context__ is None


@attrs.frozen(kw_only=True)
class Numbered:
    number: int


@pytest.mark.parametrize("shift", range(4))
async def test_no_part_of_a_token_is_left_where_a_fault_is_clipped(shift: int) -> None:
    """A fault shows the first 80 characters of a value."""
    value = "x" * (80 - len("the-token") + shift) + "the-token"
    async with raw_server(answer(200, {"number": value})) as server, connect(server) as circle:
        with pytest.raises(DecodeError, match="expected an integer, got 'xxx") as caught:
            await circle._session.request(Numbered, "GET", "/x")
        assert "the-t" not in str(caught.value)
    async with raw_server(answer(200, value)) as server, connect(server) as circle:
        with pytest.raises(DecodeError) as caught:
            await circle.users.me()
        assert "the-t" not in str(caught.value)
        assert "the-t" not in caught.value.body


async def test_an_error_with_an_incomplete_body_keeps_its_status() -> None:
    async with raw_server(cut(b'{"message": "no such thing"}', 10, status=404)) as server, connect(server) as circle:
        with pytest.raises(NotFound, match="404 Not Found"):
            await circle.users.me()
        assert len(server.requests) == 1


async def test_a_byte_order_mark_does_not_hide_the_message() -> None:
    async with raw_server(answer(400, b'\xef\xbb\xbf{"message": "odd"}')) as server, connect(server) as circle:
        with pytest.raises(ApiError) as caught:
            await circle.users.me()
        assert caught.value.message == "odd"
