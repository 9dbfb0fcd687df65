"""Pooled connections, and connections that the server closes without announcing it."""

import asyncio

import aiohttp
import pytest

from circleci_async import CircleCI, RetryPolicy, TransportError
from tests.core.session.client import ME, QUICK, SAFE, UNSAFE, connect
from tests.raw_server import Behaviour, Request, answer, hang_up, raw_server

ONCE = RetryPolicy(attempts=1)


def and_closed(behaviour: Behaviour) -> Behaviour:
    """Answer, and close the connection without `Connection: close`."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await behaviour(request, writer)

    return behave


@pytest.mark.parametrize("method", SAFE + UNSAFE)
async def test_a_reused_connection_that_the_server_closed_uses_no_attempt(method: str) -> None:
    async with raw_server(and_closed(answer(200, ME))) as server, connect(server, ONCE) as circle:
        for _ in range(30):
            assert await circle.request(method, "/me") == ME
        assert len(server.requests) == 30


@pytest.mark.parametrize("method", UNSAFE)
async def test_a_post_that_is_lost_on_a_new_connection_is_sent_once(method: str) -> None:
    async with raw_server(answer(200, ME), hang_up) as server, connect(server) as circle:
        await circle.request("GET", "/me")
        with pytest.raises(TransportError):
            await circle.request(method, "/me", json={})
        assert [request.method for request in server.requests] == ["GET", method]


async def test_a_loss_on_a_reused_connection_is_resent_only_once() -> None:
    async with raw_server(answer(200, ME), hang_up) as server, connect(server, ONCE) as circle:
        await circle.request("GET", "/me")
        with pytest.raises(TransportError):
            await circle.request("GET", "/me")
        assert len(server.requests) == 3  # on the pooled connection, and once on a new one


async def test_posts_do_not_use_pooled_connections() -> None:
    async with raw_server(answer(200, ME)) as server, connect(server) as circle:
        await circle.request("GET", "/me")
        await circle.request("POST", "/me")
        await circle.request("GET", "/me")
        assert server.open_connections == 1


@pytest.mark.parametrize("attempts", [1, 3])
async def test_with_a_caller_session_a_lost_request_is_retried_by_policy(attempts: int) -> None:
    seen: list[str] = []

    async def own(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        seen.append(request.method)
        return await handler(request)

    policy = RetryPolicy(attempts=attempts, initial_delay=0, max_delay=0)
    async with raw_server(hang_up) as server, aiohttp.ClientSession(middlewares=(own,)) as http:
        async with CircleCI("t", host=server.url, http=http, retry=policy) as circle:
            with pytest.raises(TransportError):
                await circle.users.me()
        assert len(server.requests) == attempts
        assert seen == ["GET"] * attempts, "the session's own middlewares still run"


async def test_a_request_without_a_body_has_no_content_type() -> None:
    async with (
        raw_server(answer(202, {"message": "Accepted.", "workflow_id": "w-2"})) as server,
        connect(server, QUICK) as circle,
    ):
        await circle.workflows.cancel("w-1")
        await circle.workflows.rerun("w-1", from_failed=True)
        assert [request.headers.get("content-type") for request in server.requests] == [None, "application/json"]


async def test_a_lost_request_is_resent_once_although_all_pooled_connections_are_closed() -> None:
    losing = False

    async def answer_or_lose(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        if losing:
            return None
        await asyncio.sleep(0.02)  # so that all eight need a connection of their own
        return await answer(200, ME)(request, writer)

    async with raw_server(answer_or_lose) as server, connect(server, ONCE) as circle:
        await asyncio.gather(*(circle.users.me() for _ in range(8)))
        assert server.open_connections == 8
        losing = True
        with pytest.raises(TransportError):
            await circle.users.me()
        assert len(server.requests) == 10
