"""CircleCI: options, token, raw requests, closing."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest

from circleci_async import (
    CircleCI,
    CircleCIError,
    ConfigurationError,
    InvalidArgument,
    OrgSlug,
    RequestTimeout,
    RetryPolicy,
    ServerError,
)
from circleci_async.models import Artifact, ReportingWindow
from tests.fastclock import fast_clock
from tests.raw_server import Request, after, answer, hang, raw_server

ME = {"id": "u-1", "login": "octo"}
GROUPS = ["artifacts", "insights", "jobs", "pipelines", "projects", "users", "workflows"]


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout must be .*, got 0"),
        ({"timeout": -1}, "timeout must be .*, got -1"),
        ({"timeout": float("nan")}, "timeout must be .*, got nan"),
        ({"timeout": float("inf")}, "timeout must be .*, got inf"),
        ({"concurrency": 0}, "concurrency must be .*, got 0"),
        ({"concurrency": True}, "concurrency must be .*, got True"),
        ({"concurrency": 2.0}, "concurrency must be .*, got 2.0"),
    ],
    ids=str,
)
def test_invalid_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        CircleCI("t", **options)


def test_an_unused_client_needs_no_event_loop_and_no_close() -> None:
    circle = CircleCI("t")
    assert circle.host == "https://circleci.com"
    assert circle.token_source == "the token argument"
    del circle


def test_the_repr_shows_host_and_token_source_but_not_the_token() -> None:
    assert repr(CircleCI("s3cret")) == "<CircleCI https://circleci.com, token: the token argument>"
    assert repr(CircleCI("s3cret", host="https://ci.example.com").users) == "<Users of https://ci.example.com>"


def test_resources_are_created_once() -> None:
    circle = CircleCI("t")
    for name in GROUPS:
        assert getattr(circle, name) is getattr(circle, name)


async def test_with_options_shares_connections_limiter_and_stats() -> None:
    async with raw_server(after(0.02, answer(200, ME))) as server:
        async with CircleCI("t", host=server.url, concurrency=2) as circle:
            other = circle.with_options(timeout=5)
            await asyncio.gather(*(client.users.me() for client in (circle, other) * 10))
            assert server.max_in_flight == 2
            assert server.open_connections == 2
            assert circle.stats is other.stats
            assert circle.stats.requests == 20
            assert (other.host, other.token_source) == (circle.host, circle.token_source)
            assert other.users is not circle.users
            async with other:
                pass
            assert (await circle.users.me()).login == "octo", "closing a derived client must not close the client"
        with pytest.raises(ConfigurationError, match="closed"):
            await other.users.me()


@fast_clock
async def test_with_options_replaces_only_the_given_options() -> None:
    async with (
        raw_server(hang) as server,
        CircleCI("t", host=server.url, timeout=50, retry=RetryPolicy(attempts=1)) as circle,
    ):
        loop = asyncio.get_running_loop()
        for client, seconds in ((circle, 50), (circle.with_options(timeout=3), 3)):
            began = loop.time()
            with pytest.raises(RequestTimeout):
                await client.users.me()
            assert loop.time() - began == pytest.approx(seconds, abs=1.5)
        assert len(server.requests) == 2
        two = circle.with_options(timeout=3).with_options(retry=RetryPolicy(attempts=2, initial_delay=0.001))
        began = loop.time()
        with pytest.raises(RequestTimeout):
            await two.users.me()
        assert loop.time() - began == pytest.approx(6, abs=1.5)
        assert len(server.requests) == 4


def test_with_options_validates_its_options() -> None:
    with pytest.raises(InvalidArgument, match=r"timeout must be .*, got 0"):
        CircleCI("t").with_options(timeout=0)


async def test_derived_clients_share_middlewares_rate_limit_and_user_agent() -> None:
    seen: list[str] = []

    async def record(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        seen.append(request.headers["User-Agent"].partition(" ")[0])
        return await handler(request)

    headers = {"RateLimit-Limit": "10", "RateLimit-Remaining": "9"}
    async with (
        raw_server(answer(200, ME, headers)) as server,
        CircleCI("t", host=server.url, middlewares=[record], user_agent="my-bot/1.2") as circle,
    ):
        other = circle.with_options(timeout=5)
        await other.users.me()
        assert (circle.rate_limit.limit, circle.rate_limit.remaining) == (10, 9)
        assert circle.rate_limit == other.rate_limit
    assert seen == ["my-bot/1.2"]


# Closing


async def test_a_closed_client_refuses_calls_and_can_be_closed_again() -> None:
    async with raw_server(answer(200, ME)) as server:
        circle = CircleCI("t", host=server.url)
        await circle.users.me()
        await circle.aclose()
        await circle.aclose()
        await server.all_closed()
        with pytest.raises(ConfigurationError, match="the client is closed"):
            await circle.users.me()
        assert len(server.requests) == 1


async def test_closing_a_client_ends_running_calls() -> None:
    async with raw_server(hang) as server:
        async with CircleCI("t", host=server.url, retry=RetryPolicy(initial_delay=0.001)) as circle:
            calls = [asyncio.create_task(circle.users.me()) for _ in range(5)]
            while len(server.requests) < 5:
                await asyncio.sleep(0.001)
        results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
        assert [type(result) for result in results] == [ConfigurationError] * 5
        await server.all_closed()


async def test_closing_a_client_ends_an_open_stream() -> None:
    async def begin(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\n12345")
        await asyncio.Event().wait()

    async with raw_server(begin) as server:
        circle = CircleCI("t", host=server.url, retry=RetryPolicy(initial_delay=0.001))
        async with circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{server.url}/a")) as stream:
            parts = aiter(stream)
            assert await anext(parts) == b"12345"
            await circle.aclose()
            with pytest.raises(ConfigurationError, match="the client is closed"):
                await anext(parts)
        await server.all_closed()


# The token


async def test_a_token_function_is_called_before_each_request_and_retry() -> None:
    tokens = iter(["one", " two\n", "three"])
    async with raw_server(answer(500, {}), answer(200, ME), answer(200, ME)) as server:
        async with CircleCI(lambda: next(tokens), host=server.url, retry=RetryPolicy(initial_delay=0.001)) as circle:
            await circle.users.me()
            await circle.users.me()
        assert [request.headers["circle-token"] for request in server.requests] == ["one", "two", "three"]


async def test_a_token_function_can_be_async() -> None:
    async def token() -> str:
        await asyncio.sleep(0)
        return "fresh"

    async with raw_server(answer(200, ME)) as server, CircleCI(token, host=server.url, auth="bearer") as circle:
        await circle.users.me()
        assert server.requests[0].headers["authorization"] == "Bearer fresh"


@pytest.mark.parametrize("blank", ["", " \n", None])
@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
async def test_a_blank_token_from_a_function_is_never_sent(blank: str | None, auth: Any) -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(lambda: blank, host=server.url, auth=auth) as circle:
        await circle.users.me()
        assert not {"circle-token", "authorization"} & set(server.requests[0].headers)


@pytest.mark.parametrize("blank", ["", "  "])
async def test_a_blank_token_overrides_the_environment(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLE_TOKEN", "from-the-environment")
    async with raw_server(answer(200, ME)) as server, CircleCI(blank, host=server.url) as circle:
        await circle.users.me()
        assert not {"circle-token", "authorization"} & set(server.requests[0].headers)


async def test_requests_without_a_token_are_anonymous() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(host=server.url) as circle:
        await circle.users.me()
        assert "circle-token" not in server.requests[0].headers


async def test_the_token_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(answer(200, ME)) as server:
        monkeypatch.setenv("CIRCLE_TOKEN", "from-the-environment")
        monkeypatch.setenv("CIRCLE_HOST", server.url)
        async with CircleCI() as circle:
            await circle.users.me()
        assert server.requests[0].headers["circle-token"] == "from-the-environment"


async def test_an_exception_of_a_token_function_propagates_and_nothing_is_sent() -> None:
    def token() -> str:
        raise LookupError("the vault is sealed")

    async with raw_server(answer(200, ME)) as server, CircleCI(token, host=server.url, concurrency=1) as circle:
        for _ in range(3):  # each call must release its permit
            with pytest.raises(LookupError, match="sealed"):
                await circle.users.me()
        assert server.requests == []


@pytest.mark.parametrize("wrong", [5, b"s3cret", ["s3cret"], "s3cret with spaces", "s3cr\u00e9t"], ids=repr)
async def test_an_invalid_token_from_a_function_is_refused_without_showing_it(wrong: Any) -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(lambda: wrong, host=server.url) as circle:
        with pytest.raises(ConfigurationError, match="the token f") as caught:
            await circle.users.me()
        assert "s3cr" not in str(caught.value)
        assert server.requests == []


# Raw requests


async def sent(call: Callable[[CircleCI], Any]) -> tuple[str, str, bytes, dict[str, str]]:
    async with raw_server(answer(200, {"a": 1})) as server, CircleCI("t", host=server.url) as circle:
        assert await call(circle) == {"a": 1}
        (request,) = server.requests
        return request.method, request.target, request.body, request.headers


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/anything/new", "/api/v2/anything/new"),
        ("/api/v1.1/me", "/api/v1.1/me"),
        ("/api/v3/x", "/api/v3/x"),
        ("/apiary", "/api/v2/apiary"),
        ("/x/a%2Fb", "/api/v2/x/a%2Fb"),
        ("/x y/\u00e4", "/api/v2/x%20y/%C3%A4"),
        ("/x;v=1/a+b,c:d@e", "/api/v2/x;v=1/a+b,c:d@e"),
        ("/x/", "/api/v2/x/"),
        ("/", "/api/v2/"),
    ],
)
async def test_paths_are_relative_to_the_api_and_arrive_unchanged(path: str, target: str) -> None:
    method, arrived, body, _ = await sent(lambda circle: circle.request("get", path))
    assert (method, arrived, body) == ("GET", target, b"")


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example.com/x",
        "https://evil.example.com",
        "/x#y",
        "/a/../b",
        "/./a",
        "/a/..",
        "/x\r\ny",
        "/x\ty",
        "/\x00",
    ],
)
async def test_paths_that_leave_the_api_are_refused(path: str) -> None:
    async with CircleCI("t") as circle:
        with pytest.raises(InvalidArgument, match="path must "):
            await circle.request("GET", path)
        assert circle.stats.requests == 0


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("me", None, "/api/v2/me"),
        ("/x?a=b&c=", None, "/api/v2/x?a=b&c="),
        ("/x?a=1&a=2&b=old", {"b": "new"}, "/api/v2/x?a=1&a=2&b=new"),
        ("/api/v1.1/me?x=%2F", None, "/api/v1.1/me?x=%2F"),
        ("/x?next=https://a.b", None, "/api/v2/x?next=https%3A%2F%2Fa.b"),
    ],
)
async def test_a_path_can_lack_its_slash_and_contain_a_query(
    path: str, query: dict[str, str] | None, target: str
) -> None:
    async with raw_server(answer(200, {})) as server, CircleCI("t", host=server.url) as circle:
        await circle.request("GET", path, query=query)
        assert [request.target for request in server.requests] == [target]


@pytest.mark.parametrize(
    ("options", "name"),
    [({"token": 5}, "token"), ({"token": b"x"}, "token"), ({"host": 5}, "host"), ({"timeout": None}, "timeout")],
    ids=str,
)
def test_options_of_a_wrong_type_are_refused_by_name(options: dict[str, Any], name: str) -> None:
    with pytest.raises(CircleCIError, match=name):
        CircleCI(**options)


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\n", "G\u00cbT", "123"])
async def test_invalid_methods_are_refused(method: str) -> None:
    async with CircleCI("t") as circle:
        with pytest.raises(InvalidArgument, match="method must be "):
            await circle.request(method, "/x")
        assert circle.stats.requests == 0


@pytest.mark.parametrize(
    ("query", "arrives"),
    [
        ({}, ""),
        ({"a": None}, ""),
        ({"a": ""}, "?a="),
        ({"branch": "feature/a b+c&d=e%2F\u00e9~"}, "?branch=feature%2Fa%20b%2Bc%26d%3De%252F%C3%A9~"),
        ({"na me&": "x"}, "?na%20me%26=x"),
        ({"n": 0, "yes": True, "no": False}, "?n=0&yes=true&no=false"),
        ({"names": ["a", "b c"], "none": []}, "?names=a&names=b%20c"),
        ({"names": ("a",)}, "?names=a"),
        ({"window": ReportingWindow.LAST_7_DAYS}, "?window=last-7-days"),
        ({"org": OrgSlug("gh", "acme")}, "?org=gh%2Facme"),
        ({"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}, "?at=2026-01-02T03%3A04%3A05Z"),
        ({"at": datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=5)))}, "?at=2026-01-01T22%3A00%3A00Z"),
    ],
    ids=str,
)
async def test_query_parameters_are_encoded(query: dict[str, Any], arrives: str) -> None:
    _, target, _, _ = await sent(lambda circle: circle.request("GET", "/x", query=query))
    assert target == f"/api/v2/x{arrives}"


async def test_path_and_query_with_special_characters_are_encoded_separately() -> None:
    _, target, _, _ = await sent(lambda circle: circle.request("GET", "/\u00e4", query={"a": "b/c+d%2F&e"}))
    path, _, query = target.partition("?")
    assert path == "/api/v2/%C3%A4"
    from urllib.parse import parse_qs

    assert parse_qs(query) == {"a": ["b/c+d%2F&e"]}


@pytest.mark.parametrize(
    ("query", "message"),
    [({"at": datetime(2026, 1, 2)}, "at must have a time zone"), ({"branch": "half \udc80"}, "valid Unicode")],  # noqa: DTZ001
    ids=["naive date", "half a character"],
)
async def test_invalid_query_parameters_are_refused(query: dict[str, Any], message: str) -> None:
    async with CircleCI("t") as circle:
        with pytest.raises(InvalidArgument, match=message):
            await circle.request("GET", "/x", query=query)
        assert circle.stats.requests == 0


@pytest.mark.parametrize(
    "body",
    [{}, [], {"a": [1, None, True, "\u00e9\u2028"]}, 0, False, "", MappingProxyType({"a": MappingProxyType({"b": 1})})],
    ids=repr,
)
async def test_a_json_body_arrives_unchanged(body: Any) -> None:
    method, _, arrived, headers = await sent(lambda circle: circle.request("POST", "/x", json=body))
    assert method == "POST"
    assert json.loads(arrived) == (body if not isinstance(body, MappingProxyType) else {"a": {"b": 1}})
    assert headers["content-type"] == "application/json"


async def test_without_json_no_body_is_sent() -> None:
    _, _, body, headers = await sent(lambda circle: circle.request("POST", "/x"))
    assert body == b""
    assert "json" not in headers.get("content-type", "")
    assert headers["accept"] == "application/json"


@pytest.mark.parametrize("body", [object(), {"a": {1, 2}}, {"n": float("nan")}], ids=["object", "set", "nan"])
async def test_bodies_that_are_not_json_are_refused(body: Any) -> None:
    async with CircleCI("t") as circle:
        with pytest.raises(InvalidArgument, match="json"):
            await circle.request("POST", "/x", json=body)
        assert circle.stats.requests == 0


async def test_raw_requests_are_retried_like_other_calls() -> None:
    async with raw_server(answer(500, {}), answer(200, [1])) as server:
        async with CircleCI("t", host=server.url, retry=RetryPolicy(initial_delay=0.001)) as circle:
            assert await circle.request("GET", "/x") == [1]
            with pytest.raises(ServerError):
                server.behaviours = [answer(500, {})]
                await circle.request("POST", "/x")
        assert [request.method for request in server.requests] == ["GET", "GET", "POST"]


async def test_a_head_request_returns_without_a_body() -> None:
    async with raw_server(answer(200, {"a": 1})) as server, CircleCI("t", host=server.url, timeout=5) as circle:
        assert await circle.request("HEAD", "/x") is None


async def test_the_path_of_the_host_is_kept() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI("t", host=f"{server.url}/ci/") as circle:
        await circle.users.me()
        await circle.request("GET", "/api/v1.1/me")
        assert [request.target for request in server.requests] == ["/ci/api/v2/me", "/ci/api/v1.1/me"]
