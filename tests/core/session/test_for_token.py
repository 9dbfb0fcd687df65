"""`circle.for_token`: a client with another token shares the connections, and nothing else."""

import asyncio
import gc
import weakref
from typing import Any

import aiohttp
import pytest

from circleci_async import (
    ApiError,
    Attempt,
    CircleCI,
    ConfigurationError,
    InvalidArgument,
    RateLimited,
    RetryPolicy,
    capture_responses,
)
from circleci_async.models import Artifact
from circleci_async.testing import FakeCircleCI, World
from tests.fastclock import fast_clock
from tests.leftovers import check_nothing_in_use, tasks_of_the_package
from tests.raw_server import Request, answer, hang, raw_server

from .client import ME

PARENT, CHILD = "parent-token-1111", "child-token-2222"
CLOSED = "the client is closed"


def echo_token(request: Request) -> bytes:
    """Return the token that a request was sent with, as an error."""
    return f'{{"message": "{PARENT} {CHILD} {request.headers.get("circle-token")}"}}'.encode()


async def test_the_connection_is_shared_and_each_request_has_its_own_token() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(PARENT, host=server.url) as circle:
        child = circle.for_token(CHILD)
        for each in (circle, child, circle, child.for_token("third"), circle.for_token("")):
            await each.users.me()
        tokens = [request.headers.get("circle-token") for request in server.requests]
        assert tokens == [PARENT, CHILD, PARENT, "third", None]
        assert server.connections == 1


@pytest.mark.parametrize("kind", ["text", "function", "async function"])
async def test_every_kind_of_token_is_accepted(kind: str) -> None:
    async def awaited() -> str:
        return CHILD

    tokens: dict[str, Any] = {
        "text": f" {CHILD}\n",
        "function": lambda: CHILD,
        "async function": awaited,
    }
    async with raw_server(answer(200, ME)) as server, CircleCI(PARENT, host=server.url, auth="bearer") as circle:
        await circle.for_token(tokens[kind]).users.me()
        assert server.requests[0].headers["authorization"] == f"Bearer {CHILD}"


def test_the_source_of_the_token_is_shown_but_not_the_token() -> None:
    circle = CircleCI(PARENT, host="https://ci.example.com", artifact_hosts=["cdn.example.com"])
    child = circle.for_token(CHILD)
    assert repr(child) == "<CircleCI https://ci.example.com, token: the token argument>"
    assert circle.for_token("").token_source == "the token argument is blank"
    assert child._settings.artifact_hosts == ("cdn.example.com",)


@pytest.mark.parametrize(
    ("token", "kind", "message"),
    [
        (None, InvalidArgument, "token must be a token, or a function that returns one, got None"),
        (7, ConfigurationError, "the token argument must be a string or a function, got int"),
        ("two words", ConfigurationError, "the token argument is invalid"),
    ],
)
def test_an_invalid_token_is_refused(token: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message.replace("the token argument is", "the token from the token argument is")):
        CircleCI(PARENT).for_token(token)


def test_a_token_is_not_sent_without_encryption() -> None:
    with pytest.raises(ConfigurationError, match="is not https, so the token"):
        CircleCI("", host="http://ci.example.com").for_token(CHILD)


async def test_each_client_redacts_its_own_token_only() -> None:
    async def refuse(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        return await answer(400, echo_token(request).decode())(request, writer)

    async with raw_server(refuse) as server, CircleCI(PARENT, host=server.url) as circle:
        child = circle.for_token(CHILD)
        for client, own, other in ((circle, PARENT, CHILD), (child, CHILD, PARENT)):
            with capture_responses() as responses, pytest.raises(ApiError) as caught:
                await client.users.me()
            assert caught.value.message == f"{PARENT} {CHILD} {own}".replace(own, "[token]")
            body = responses[0].body or b""
            assert (own.encode() in body, other.encode() in body) == (
                False,
                True,
            )  # the server's own text: this client never had that token


@fast_clock
async def test_a_pause_and_the_counters_are_not_shared() -> None:
    seen: dict[str, int] = {}

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        token = request.headers["circle-token"]
        seen[token] = seen.get(token, 0) + 1
        limited = {"Retry-After": "60", "RateLimit-Limit": "7", "RateLimit-Remaining": "0"}
        response = answer(429, "", limited) if token == CHILD else answer(200, ME)
        return await response(request, writer)

    async with raw_server(behave) as server, CircleCI(PARENT, host=server.url, concurrency=1) as circle:
        child = circle.for_token(CHILD, retry=RetryPolicy(attempts=2, max_wait=100))
        refused = asyncio.create_task(child.users.me())
        await asyncio.sleep(10)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await circle.users.me()
        assert loop.time() - began < 1  # the pause of the child holds neither this call nor the permit
        with pytest.raises(RateLimited):
            await refused
        assert (circle.stats.rate_limited, child.stats.rate_limited) == (0, 2)
        assert (circle.rate_limit.limit, child.rate_limit.limit) == (None, 7)


async def test_options_are_those_of_the_parent_unless_given() -> None:
    seen: list[Attempt] = []
    async with raw_server(answer(500, ""), answer(200, ME)) as server:
        policy = RetryPolicy(attempts=1)
        async with CircleCI(PARENT, host=server.url, retry=policy, on_attempt=seen.append) as circle:
            with pytest.raises(ApiError):
                await circle.for_token(CHILD).users.me()
            await circle.for_token(CHILD, retry=RetryPolicy(initial_delay=0), timeout=5).users.me()
            assert [each.status for each in seen] == [500, 200]
            own: list[Attempt] = []
            await circle.for_token(CHILD, on_attempt=own.append).users.me()
            assert (len(seen), len(own)) == (2, 1)


async def test_closing_the_child_ends_its_calls_only() -> None:
    async with raw_server(answer(200, ME), hang, answer(200, ME)) as server:
        async with CircleCI(PARENT, host=server.url) as circle:
            await circle.users.me()
            async with circle.for_token(CHILD) as child:
                running = asyncio.create_task(child.users.me())
                while len(server.requests) < 2:
                    await asyncio.sleep(0.001)
            with pytest.raises(ConfigurationError, match=CLOSED):
                await running
            for closed in (child, child.with_options(timeout=1), child.for_token("third")):
                with pytest.raises(ConfigurationError, match=CLOSED):
                    await closed.users.me()
            await circle.users.me()
            assert not circle._session.state.transport._http.closed  # type: ignore[union-attr]
            check_nothing_in_use(circle)
        await server.all_closed()


@pytest.mark.parametrize("generation", [1, 2])
async def test_closing_the_parent_ends_the_child(generation: int) -> None:
    async with raw_server(hang) as server:
        circle = CircleCI(PARENT, host=server.url)
        child = circle.for_token(CHILD)
        if generation == 2:
            child = child.for_token("third")
        running = asyncio.create_task(child.users.me())
        while not server.requests:
            await asyncio.sleep(0.001)
        await circle.aclose()
        with pytest.raises(ConfigurationError, match=CLOSED):
            await running
        with pytest.raises(ConfigurationError, match=CLOSED):
            await child.users.me()
        await child.aclose()
        await server.all_closed()
        assert tasks_of_the_package() == []
        assert child.stats.in_flight == 0


async def test_closing_the_parent_drains_the_calls_and_streams_of_the_child() -> None:
    released = asyncio.Event()

    async def late(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        await released.wait()
        return await answer(200, ME)(request, writer)

    async with raw_server(late) as server:
        circle = CircleCI(PARENT, host=server.url)
        child = circle.for_token(CHILD)
        running = asyncio.create_task(child.users.me())
        while not server.requests:
            await asyncio.sleep(0.001)
        closing = asyncio.create_task(circle.aclose(drain=60))
        await asyncio.sleep(0)
        with pytest.raises(ConfigurationError, match=CLOSED):
            await child.users.me()
        released.set()
        assert (await running).login == "octo"
        await closing
        await server.all_closed()


async def test_an_open_stream_of_the_child_is_closed_with_the_parent() -> None:
    async with raw_server(answer(200, b"abc", {"Content-Length": "10"})) as server:
        circle = CircleCI(PARENT, host=server.url, artifact_hosts=[server.host])
        child = circle.for_token(CHILD)
        async with child.artifacts.open(Artifact(path="a", node_index=0, url=f"{server.url}/a")) as stream:
            assert await anext(aiter(stream)) == b"abc"
            await circle.aclose()
            await server.all_closed()
            assert child.stats.in_flight == 0


@fast_clock
async def test_waits_of_the_child_end_with_the_parent() -> None:
    world = World()
    pipeline = world.project("gh/acme/api").pipeline()
    pipeline.workflow("build", status="running")
    async with FakeCircleCI(world) as fake:
        circle = fake.client()
        child = circle.for_token(fake.token)
        waits = [asyncio.create_task(each.pipelines.wait(pipeline.id)) for each in (circle, child)]
        await asyncio.sleep(5)
        polled = [each.path for each in fake.requests]
        assert polled.count(f"/api/v2/pipeline/{pipeline.id}") == 2  # each polls for itself
        await circle.aclose()
        for wait in waits:
            with pytest.raises(ConfigurationError, match="the client was closed while waiting"):
                await wait
        assert tasks_of_the_package() == []


async def test_a_child_that_is_not_closed_is_collected() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(PARENT, host=server.url) as circle:
        child = circle.for_token(CHILD)
        await child.users.me()
        state = weakref.ref(child._session.state.lifetime)
        del child
        gc.collect()
        assert state() is None
        await circle.users.me()


async def test_a_session_of_the_caller_is_shared_too() -> None:
    async with raw_server(answer(200, ME)) as server, aiohttp.ClientSession() as http:
        async with CircleCI(PARENT, host=server.url, http=http, user_agent="bot/1") as circle:
            async with circle.for_token(CHILD) as child:
                await child.users.me()
            await circle.users.me()
        assert not http.closed
        assert [request.headers["circle-token"] for request in server.requests] == [CHILD, PARENT]
        assert all(request.headers["user-agent"].startswith("bot/1 ") for request in server.requests)
        assert server.connections == 1


async def test_the_child_belongs_to_the_event_loop_of_the_parent() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(PARENT, host=server.url) as circle:
        await circle.users.me()
        child = circle.for_token(CHILD)

        def elsewhere() -> None:
            with pytest.raises(ConfigurationError, match="belongs to another event loop"):
                asyncio.run(child.users.me())

        await asyncio.to_thread(elsewhere)
        await child.users.me()
