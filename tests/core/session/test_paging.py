"""Lists with page tokens, over real sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from circleci_async import CircleCI, CircleCIError, DecodeError, PagingError
from tests.core.session.client import connect, limited
from tests.fastclock import fast_clock
from tests.raw_server import (
    Behaviour,
    Request,
    answer,
    raw_server,
    reset,
)


def page(token: Any, *names: str) -> Behaviour:
    items = [{"path": name, "node_index": 0, "url": "https://x/y"} for name in names]
    return answer(200, {"items": items, **({} if token is ... else {"next_page_token": token})})


async def paths(circle: CircleCI) -> list[str]:
    return [artifact.path async for artifact in circle.artifacts.list("gh/a/b", 1)]


@pytest.mark.parametrize("last", [None, ..., ""])
async def test_an_iteration_ends_on_a_null_absent_or_empty_token(last: Any) -> None:
    async with raw_server(page("t", "a", "b"), page(last, "c")) as server, connect(server) as circle:
        assert await paths(circle) == ["a", "b", "c"]
        assert [request.target.partition("?")[2] for request in server.requests] == ["", "page-token=t"]


async def test_a_page_token_is_sent_unchanged() -> None:
    async with raw_server(page("a b+c/%2F&é=", "a"), page(None, "b")) as server, connect(server) as circle:
        await paths(circle)
        assert server.requests[1].target.endswith("?page-token=a%20b%2Bc%2F%252F%26%C3%A9%3D")


async def test_an_empty_page_with_a_token_is_not_the_end() -> None:
    async with raw_server(page("t"), page("u"), page(None, "a")) as server, connect(server) as circle:
        assert await paths(circle) == ["a"]


async def test_a_repeated_token_is_an_error() -> None:
    async with raw_server(page("t", "a"), page("u", "b"), page("t", "c")) as server, connect(server) as circle:
        found: list[str] = []
        with pytest.raises(PagingError) as caught:
            async for artifact in circle.artifacts.list("gh/a/b", 1):
                found.append(artifact.path)
        assert found == ["a", "b", "c"]
        assert caught.value.page_token == "t"
        assert len(server.requests) == 3


@fast_clock
async def test_a_429_during_an_iteration_neither_loses_nor_repeats_items() -> None:
    busy = limited({"Retry-After": "9"})
    async with raw_server(page("t", "a"), busy, page("u", "b"), reset, page(None, "c")) as server:
        async with connect(server) as circle:
            assert await paths(circle) == ["a", "b", "c"]
        queries = [request.target.partition("?")[2] for request in server.requests]
        assert queries == ["", "page-token=t", "page-token=t", "page-token=u", "page-token=u"]


async def test_an_error_during_an_iteration_carries_the_page_token() -> None:
    down = answer(404, {})
    async with raw_server(page("t", "a"), down, page("u", "b"), page(None, "c")) as server, connect(server) as circle:
        listing = circle.artifacts.list("gh/a/b", 1)
        found: list[str] = []
        with pytest.raises(CircleCIError) as caught:
            async for artifact in listing:
                found.append(artifact.path)
        async for rest in listing.pages(start=caught.value.page_token):
            found += [artifact.path for artifact in rest.items]
        assert found == ["a", "b", "c"]


async def test_the_session_fills_in_a_decode_error_of_any_page() -> None:
    async with raw_server(page("t", "a"), answer(200, {"items": [{"path": 1}]})) as server, connect(server) as circle:
        with pytest.raises(DecodeError) as caught:
            await paths(circle)
        assert caught.value.page_token == "t"
        assert caught.value.url == f"{server.url}/api/v2/project/gh/a/b/1/artifacts?page-token=t"
        assert all(fault.startswith("$.items[0].") for fault in caught.value.faults)


Call = Callable[[CircleCI], Awaitable[object]]


@pytest.mark.parametrize(
    ("call", "requests"),
    [
        (lambda circle: circle.artifacts.list("gh/a/b", 1).first(), 1),
        (lambda circle: circle.artifacts.list("gh/a/b", 1).collect(limit=2), 1),
        (lambda circle: circle.artifacts.list("gh/a/b", 1).collect(limit=0), 0),
        (lambda circle: circle.artifacts.list("gh/a/b", 1).collect(limit=3), 2),
    ],
    ids=["first", "limit of a page", "limit 0", "limit beyond a page"],
)
async def test_no_unneeded_page_is_requested(call: Call, requests: int) -> None:
    async with raw_server(page("t", "a", "b"), page(None, "c")) as server, connect(server) as circle:
        await call(circle)
        assert len(server.requests) == requests


async def test_endless_empty_pages_with_new_tokens_end() -> None:
    async def empty(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        return await page(f"token-{len(server.requests)}")(request, writer)

    async with raw_server(empty) as server, connect(server) as circle:
        with pytest.raises(PagingError, match="101 empty pages in a row") as caught:
            await circle.pipelines.list("gh/acme/api").first()
        assert len(server.requests) == 101
        assert caught.value.page_token == "token-101"
