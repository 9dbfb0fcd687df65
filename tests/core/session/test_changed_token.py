"""A token that changed while a request with the old one was in flight: the request is sent once more."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from circleci_async import AuthenticationError, CircleCI, RetryPolicy
from circleci_async.core.credentials import Auth
from circleci_async.models import Artifact
from tests.raw_server import Behaviour, RawServer, Request, answer, raw_server

from .client import ME

ONCE = RetryPolicy(attempts=1)
REFUSED = {"message": "Invalid token provided."}


def accepting(*tokens: str, and_then: Callable[[], object] | None = None) -> Behaviour:
    """Accept these tokens and refuse all others; `and_then` is called before each refusal."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        if request.headers.get("circle-token") in tokens:
            return await answer(200, ME)(request, writer)
        if and_then is not None:
            and_then()
        return await answer(401, REFUSED)(request, writer)

    return behave


def sent(server: RawServer) -> list[str | None]:
    return [request.headers.get("circle-token") for request in server.requests]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_401_is_retried_once_with_the_changed_token(method: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    async with raw_server(accepting("new", and_then=lambda: file.write_text("new"))) as server:
        async with CircleCI(file.read_text, host=server.url, retry=ONCE) as circle:
            assert await circle.request(method, "/me", json={"a": 1} if method == "POST" else None) == ME
            assert (circle.stats.requests, circle.stats.retries) == (2, 0)
        assert sent(server) == ["old", "new"]
        assert server.requests[0].body == server.requests[1].body
        expected = 2 if method == "POST" else 1  # each POST opens a connection
        assert server.connections == expected, "the body of the 401 was read, and its connection reused"


async def test_a_401_is_retried_only_once() -> None:
    tokens = iter(range(100))
    async with raw_server(answer(401, REFUSED)) as server:
        async with CircleCI(lambda: f"token-{next(tokens)}", host=server.url) as circle:
            with pytest.raises(AuthenticationError, match="Invalid token provided"):
                await circle.users.me()
        assert len(server.requests) == 2


@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
@pytest.mark.parametrize("kind", ["text", "same", "none by then", "fails by then"])
async def test_a_401_with_an_unchanged_token_is_raised_at_once(kind: str, auth: Auth) -> None:
    asked: list[int] = []

    def token() -> str | None:
        asked.append(1)
        if len(asked) > 1 and kind == "fails by then":
            raise LookupError
        return "the-token" if len(asked) == 1 or kind == "same" else None

    async with raw_server(answer(401, REFUSED)) as server:
        async with CircleCI("the-token" if kind == "text" else token, host=server.url, auth=auth) as circle:
            with pytest.raises(AuthenticationError, match="Invalid token provided"):
                await circle.users.me()
        assert len(server.requests) == 1
        await server.all_closed()


async def test_a_call_waiting_for_an_async_token_function_can_be_cancelled() -> None:
    renewing = asyncio.Event()

    async def token() -> str:
        if not server.requests:
            return "old"
        renewing.set()
        await asyncio.Event().wait()
        return "new"

    async with raw_server(accepting("new")) as server, CircleCI(token, host=server.url) as circle:
        call = asyncio.create_task(circle.users.me())
        await renewing.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert circle.stats.in_flight == 0
        await circle.aclose()
        await server.all_closed()


async def test_many_calls_with_an_old_token_all_succeed() -> None:
    tokens = ["old"]
    async with raw_server(accepting("new", and_then=lambda: tokens.append("new"))) as server:
        async with CircleCI(lambda: tokens[-1], host=server.url, concurrency=8) as circle:
            users = await asyncio.gather(*(circle.users.me() for _ in range(20)))
        assert [user.login for user in users] == ["octo"] * 20
        assert sent(server).count("old") <= 8
        assert sent(server).count("new") == 20


async def test_a_401_of_a_stream_or_redirect_target_is_retried_once() -> None:
    tokens = ["old"]

    async def files(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        if request.path == "/a":
            return await answer(302, "", {"Location": "/b"})(request, writer)
        return await accepting("new", and_then=lambda: tokens.append("new"))(request, writer)

    async with raw_server(files) as server, CircleCI(lambda: tokens[-1], host=server.url, retry=ONCE) as circle:
        async with circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{server.url}/a")) as stream:
            assert b"".join([part async for part in stream])
        assert [request.path for request in server.requests] == ["/a", "/b", "/b"]


async def test_an_anonymous_401_is_raised_at_once() -> None:
    """A 401 of the storage does not concern the token, which it does not receive."""
    tokens = iter(range(100))
    async with (
        raw_server(answer(401, REFUSED)) as storage,
        raw_server(answer(302, "", {"Location": f"{storage.url}/b"})) as server,
        CircleCI(lambda: f"token-{next(tokens)}", host=server.url, artifact_hosts=[], retry=ONCE) as circle,
    ):
        with pytest.raises(AuthenticationError):
            async with circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{server.url}/a")):
                pass
        assert sent(storage) == [None]
