"""Responses become models, or errors with faults and an address."""

import asyncio
import threading

import attrs
import pytest

from circleci_async import ApiError, DecodeError, NotFound, WorkflowStatus
from circleci_async.core.session import MAX_INLINE_BODY
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


@pytest.mark.parametrize(("size", "elsewhere"), [(MAX_INLINE_BODY + 1, True), (MAX_INLINE_BODY, False)])
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
