"""Captured responses: which calls they come from, what they hold, and that they hold no secret."""

import asyncio
import pickle
from collections.abc import AsyncGenerator
from typing import Any

import pytest

import circleci_async as ca
from circleci_async import CircleCI, DecodeError, InvalidArgument, NotFound, RetryPolicy, TransportError
from circleci_async.core.credentials import Auth
from circleci_async.core.rate_limit_status import parse_status
from circleci_async.models import Artifact
from tests.fastclock import fast_clock
from tests.raw_server import Request, after, answer, cut, hang, hang_up, raw_server

from .test_secrets import SIGNATURE, TOKEN, echo, exposed

ME = {"id": "u-1", "login": "octo"}
QUICK = RetryPolicy(initial_delay=0.001, max_delay=0.001)
LIMITS = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "41", "X-RateLimit-Reset": "30"}


async def test_a_response_holds_what_the_server_sent() -> None:
    headers = {"X-Request-Id": "r-1", **LIMITS}
    async with raw_server(answer(200, ME, headers)) as server, CircleCI(TOKEN, host=server.url) as circle:
        with ca.capture_responses() as responses:
            await circle.users.me()
    (response,) = responses
    assert (response.method, response.url, response.status) == ("GET", f"{server.url}/api/v2/me", 200)
    assert response.headers["x-request-id"] == response.headers["X-Request-Id"] == "r-1"
    assert response.request_id == "r-1"
    assert response.rate_limit == ca.RateLimitStatus(limit=100, remaining=41, reset=30.0)
    assert response.attempts == 1
    assert 0 < response.seconds < 10
    assert response.body == b'{"id": "u-1", "login": "octo"}'
    assert response.json() == ME
    copied = pickle.loads(pickle.dumps(response))
    assert (copied, copied.headers["x-request-id"]) == (response, "r-1")


async def test_a_response_without_headers_states_nothing() -> None:
    async with raw_server(answer(200, "")) as server, CircleCI(TOKEN, host=server.url) as circle:
        with ca.capture_responses() as responses:
            assert await circle.request("DELETE", "/x") is None
    assert responses[-1].request_id is None
    assert responses[-1].rate_limit == ca.RateLimitStatus()
    assert responses[-1].json() is None


async def test_an_error_is_captured_with_its_body() -> None:
    async with (
        raw_server(answer(404, {"message": "no such thing"})) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        with ca.capture_responses() as responses, pytest.raises(NotFound):
            await circle.users.me()
    assert (responses[0].status, responses[0].json()) == (404, {"message": "no such thing"})


async def test_a_body_that_cannot_be_decoded_is_captured() -> None:
    async with raw_server(answer(200, "<html>")) as server, CircleCI(TOKEN, host=server.url) as circle:
        with ca.capture_responses() as responses, pytest.raises(DecodeError):
            await circle.users.me()
    assert responses[0].body == b"<html>"
    with pytest.raises(DecodeError, match="not JSON"):
        responses[0].json()


@fast_clock
async def test_a_retried_call_has_one_response_with_its_attempts_and_duration() -> None:
    retry = RetryPolicy(initial_delay=0.001)
    limited = answer(429, "", {"Retry-After": "30"})
    async with (
        raw_server(answer(503, {}), limited, answer(200, ME)) as server,
        CircleCI(TOKEN, host=server.url, retry=retry) as circle,
    ):
        with ca.capture_responses() as responses:
            await circle.users.me()
            await circle.users.me()
    assert [(response.status, response.attempts) for response in responses] == [(200, 3), (200, 1)]
    assert responses[0].seconds >= 30


async def test_a_call_without_a_response_adds_none() -> None:
    async with raw_server(hang_up) as server, CircleCI(TOKEN, host=server.url, retry=QUICK) as circle:
        with ca.capture_responses() as responses, pytest.raises(TransportError):
            await circle.users.me()
    assert list(responses) == []
    assert not responses


async def test_the_last_response_of_a_call_that_failed_later_is_kept() -> None:
    retry = RetryPolicy(attempts=2, initial_delay=0.001)
    async with raw_server(answer(503, {}), hang_up) as server, CircleCI(TOKEN, host=server.url, retry=retry) as circle:
        with ca.capture_responses() as responses, pytest.raises(TransportError):
            await circle.users.me()
    assert [(response.status, response.attempts) for response in responses] == [(503, 2)]


async def test_a_redirect_is_followed_and_its_target_captured() -> None:
    async with (
        raw_server(answer(302, "", {"Location": "/there"}), answer(200, {"a": 1})) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        with ca.capture_responses() as responses:
            await circle.request("GET", "/x")
    assert [(response.status, response.url) for response in responses] == [(200, f"{server.url}/there")]


async def test_each_page_of_a_list_is_a_response() -> None:
    pages = [answer(200, {"items": [{"n": n}], "next_page_token": token}) for n, token in ((1, "t"), (2, None))]
    async with raw_server(*pages) as server, CircleCI(TOKEN, host=server.url) as circle:
        with ca.capture_responses() as responses:
            assert await circle.paginate("/anything", query={"a": 1}).collect() == [{"n": 1}, {"n": 2}]
    assert [response.url.partition("?")[2] for response in responses] == ["a=1", "a=1&page-token=t"]


async def test_a_stream_is_captured_without_its_body() -> None:
    body = b"0123456789" * 10
    etag = {"ETag": '"v1"'}
    rest = answer(206, body[10:], {"Content-Range": "bytes 10-99/100", **etag})
    async with (
        raw_server(cut(body, 10, headers=etag), rest) as server,
        CircleCI(TOKEN, host=server.url, retry=QUICK) as circle,
    ):
        with ca.capture_responses() as responses:
            artifact = Artifact(path="a", node_index=0, url=f"{server.url}/a")
            async with circle.artifacts.open(artifact) as stream:
                assert b"".join([part async for part in stream]) == body
    assert [response.status for response in responses] == [200, 206]
    assert responses[0].body is None
    with pytest.raises(DecodeError, match="streamed"):
        responses[0].json()


# Which calls


async def test_the_tasks_that_the_block_starts_are_captured_and_others_are_not() -> None:
    go = asyncio.Event()

    async with raw_server(answer(200, ME)) as server, CircleCI(TOKEN, host=server.url) as circle:

        async def call(path: str) -> None:
            await go.wait()
            await circle.request("GET", path)

        before = asyncio.create_task(call("/before"))
        with ca.capture_responses() as responses:
            async with asyncio.TaskGroup() as group:
                group.create_task(call("/child"))
                group.create_task(call("/child"))
                go.set()
            await before
        await circle.request("GET", "/after")
    assert [response.url for response in responses] == [f"{server.url}/api/v2/child"] * 2


async def test_concurrent_tasks_do_not_share_their_captures() -> None:
    async with raw_server(after(0.01, answer(200, ME))) as server, CircleCI(TOKEN, host=server.url) as circle:

        async def call(number: int) -> list[str]:
            with ca.capture_responses() as responses:
                await circle.request("GET", f"/{number}")
                await circle.request("GET", f"/{number}")
            return [response.url.rpartition("/")[2] for response in responses]

        assert await asyncio.gather(*map(call, range(5))) == [[str(n)] * 2 for n in range(5)]


async def test_a_task_that_outlives_the_block_adds_nothing_afterwards() -> None:
    async with raw_server(after(0.02, answer(200, ME))) as server, CircleCI(TOKEN, host=server.url) as circle:
        with ca.capture_responses() as responses:
            call = asyncio.create_task(circle.users.me())
            await asyncio.sleep(0)
        await call
    assert list(responses) == []


async def test_nested_captures_each_receive_the_response() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(TOKEN, host=server.url) as circle:
        with ca.capture_responses() as outer:
            await circle.users.me()
            with ca.capture_responses() as inner:
                await circle.users.me()
            await circle.users.me()
    assert (len(outer), len(inner)) == (3, 1)
    assert outer[1] is inner[0]


async def test_several_clients_are_captured_in_one_block() -> None:
    async with (
        raw_server(answer(200, ME)) as one,
        raw_server(answer(200, ME)) as two,
        CircleCI("token-1", host=one.url) as first,
        CircleCI("token-2", host=two.url) as second,
    ):
        with ca.capture_responses() as responses:
            await first.with_options(timeout=5).users.me()
            await second.users.me()
    assert [response.url.removesuffix("/api/v2/me") for response in responses] == [one.url, two.url]


async def test_a_block_may_end_in_another_context() -> None:
    async def opened() -> AsyncGenerator[ca.ResponseCapture]:
        with ca.capture_responses() as responses:
            yield responses

    generator = opened()
    responses = await asyncio.create_task(anext(generator))
    await asyncio.create_task(generator.aclose())
    assert list(responses) == []


# Bounds


async def test_the_oldest_responses_are_dropped_beyond_the_bound() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(TOKEN, host=server.url) as circle:
        with ca.capture_responses(max_responses=3) as responses:
            for number in range(5):
                await circle.request("GET", f"/{number}")
    assert [response.url[-1] for response in responses] == ["2", "3", "4"]
    assert [response.url[-1] for response in responses[1:]] == ["3", "4"]
    assert (len(responses), responses.dropped, responses[-1].url[-1]) == (3, 2, "4")
    assert repr(responses) == "<ResponseCapture of 3 responses>"


async def test_a_hundred_responses_are_held_by_default() -> None:
    async with raw_server(answer(200, ME)) as server, CircleCI(TOKEN, host=server.url) as circle:
        with ca.capture_responses() as responses:
            for _ in range(103):
                await circle.users.me()
                for response in responses:
                    assert response.status == 200
    assert (len(responses), responses.dropped) == (100, 3)


@pytest.mark.parametrize("bound", [0, -1, True, 1.5, None])
def test_an_invalid_bound_is_rejected_by_name(bound: Any) -> None:
    with (
        pytest.raises(InvalidArgument, match=r"max_responses must be a positive integer, got"),
        ca.capture_responses(max_responses=bound),
    ):
        pass


# Secrets


@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
@pytest.mark.parametrize("status", [200, 401, 404])
async def test_no_captured_response_holds_the_token(auth: Auth, status: int) -> None:
    async with raw_server(echo(status)) as server, CircleCI(TOKEN, host=server.url, auth=auth) as circle:
        with ca.capture_responses() as responses:
            await asyncio.gather(circle.request("GET", f"/x?circle-token={TOKEN}"), return_exceptions=True)
    (response,) = responses
    assert b"[token]" in (response.body or b"")
    assert "[token]" in response.headers["X-Echo"]
    everything = f"{response} {response.url} {dict(response.headers)} {response.body!r} {response.json()}"
    assert not exposed(everything)
    assert "body" not in repr(response)


async def test_no_captured_response_holds_a_signature() -> None:
    async with raw_server(answer(200, b"x")) as storage:
        signed = f"{storage.url}/x?X-Amz-Signature={SIGNATURE}"
        async with (
            raw_server(answer(302, "", {"Location": signed})) as server,
            CircleCI(TOKEN, host=server.url) as circle,
        ):
            with ca.capture_responses() as responses:
                async with circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{server.url}/a")) as stream:
                    await anext(aiter(stream))
                with pytest.raises(ca.ApiError):
                    await circle.request("POST", "/x")
    assert [response.status for response in responses] == [200, 302]
    assert responses[1].headers["location"] == f"{storage.url}/x"
    assert SIGNATURE not in "".join(f"{response} {dict(response.headers)}" for response in responses)


async def test_a_cancelled_call_leaves_the_capture_usable() -> None:
    async with raw_server(hang, answer(200, ME)) as server, CircleCI(TOKEN, host=server.url) as circle:
        with ca.capture_responses() as responses:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await circle.users.me()
            await circle.users.me()
    assert [response.status for response in responses] == [200]


# The rate limit of the client


async def test_the_rate_limit_is_the_last_that_was_stated() -> None:
    behaviours = [
        answer(200, ME),
        answer(200, ME, LIMITS),
        answer(200, ME),
        answer(429, "", {"Retry-After": "0"}),
        answer(200, ME, {"RateLimit-Remaining": "7", "X-RateLimit-Remaining": "9", "RateLimit-Limit": "x"}),
    ]
    async with raw_server(*behaviours) as server, CircleCI(TOKEN, host=server.url, retry=QUICK) as circle:
        assert circle.rate_limit == ca.RateLimitStatus()
        seen = []
        for _ in range(4):
            await circle.users.me()
            seen.append(circle.rate_limit)
        assert circle.with_options(timeout=5).rate_limit == seen[-1]
    stated = ca.RateLimitStatus(limit=100, remaining=41, reset=30.0)
    assert [(status.limit, status.remaining, status.reset) for status in seen] == [
        (None, None, None),
        (stated.limit, stated.remaining, stated.reset),
        (stated.limit, stated.remaining, stated.reset),
        (None, 7, None),
    ]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, ca.RateLimitStatus()),
        ({"x-ratelimit-limit-second": "10", "X-RateLimit-Remaining-Second": "9"}, ca.RateLimitStatus(10, 9)),
        ({"RateLimit-Limit": "50", "X-RateLimit-Limit": "40", "RateLimit-Reset": "2"}, ca.RateLimitStatus(40, None, 2)),
        ({"X-RateLimit-Reset": "1767225600", "X-RateLimit-Remaining": "0.0"}, ca.RateLimitStatus(None, 0)),
        ({"RateLimit-Limit": "many", "RateLimit-Remaining": "-1", "RateLimit-Reset": "inf"}, ca.RateLimitStatus()),
        ({"My-RateLimit-Limit": "1", "RateLimit": "limit=1", "RateLimit-Policy": "1;w=1"}, ca.RateLimitStatus()),
    ],
)
def test_rate_limit_headers_of_several_kinds_are_parsed(headers: dict[str, str], status: ca.RateLimitStatus) -> None:
    assert parse_status(headers) == status


async def test_the_rate_limit_includes_the_limiters_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    circle = CircleCI("t")
    monkeypatch.setattr(type(circle._session.state.limiter), "rate", 12.5)
    assert circle.rate_limit == ca.RateLimitStatus(rate=12.5)


async def test_the_rate_limit_of_a_storage_is_not_the_apis() -> None:
    async with (
        raw_server(answer(200, b"x", LIMITS)) as storage,
        raw_server(answer(302, "", {"Location": f"{storage.url}/x"})) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        async with circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{server.url}/a")) as stream:
            await anext(aiter(stream))
        assert circle.rate_limit == ca.RateLimitStatus()


# Any list


async def test_any_list_is_paginated_as_dicts_with_keys_as_they_are() -> None:
    item = {"some-key": {"inner_key": 1}, "other_key": [None]}

    async def page(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        token = None if "page-token" in request.target else "t 1"
        return await answer(200, {"items": [item], "next_page_token": token})(request, writer)

    async with raw_server(page) as server, CircleCI(TOKEN, host=server.url) as circle:
        listed = circle.paginate("/anything/listed?a=1", query={"b": ["x", "y"]})
        assert server.requests == []
        assert [each async for each in listed] == [item, item]
        assert await listed.first() == item
        pages = [page async for page in listed.pages(start="t 1")]
        assert [page.next_page_token for page in pages] == [None]
    targets = [request.target for request in server.requests]
    assert targets[:2] == [
        "/api/v2/anything/listed?a=1&b=x&b=y",
        "/api/v2/anything/listed?a=1&b=x&b=y&page-token=t%201",
    ]


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("https://evil.example.com/x", None, "path must be a path below the API"),
        ("https://u:s3cret@x.org/me?token=s3cret", None, "path must be .* such as '/me', got 'https://x.org/me'$"),
        ("/me#x", None, "path must be .*, got '/me#x'$"),
        ("/a/../b", None, "path must not contain"),
        ("/x?page-token=t", None, r"pages\(start=\.\.\.\)"),
        ("/x", {"page-token": "t"}, r"pages\(start=\.\.\.\)"),
    ],
)
def test_paginate_rejects_an_invalid_path_or_query_before_anything_is_sent(path: str, query: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        CircleCI("t").paginate(path, query=query)


async def test_paginate_reports_an_item_that_is_not_an_object() -> None:
    async with (
        raw_server(answer(200, {"items": [1], "next_page_token": None})) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        with pytest.raises(DecodeError, match=r"\$\.items\[0\]"):
            await circle.paginate("/x").collect()
