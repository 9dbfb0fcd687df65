"""When a DELETE has succeeded: any 2xx, and a 404 after a response that was lost."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from circleci_async import ApiError, CircleCI, Gone, NotFound
from circleci_async.core.deletion import may_be_done
from circleci_async.errors import (
    CircleCIError,
    PermissionDenied,
    PoolTimeout,
    RateLimited,
    RequestTimeout,
    ServerError,
    TransportError,
)
from circleci_async.models import Message, OidcClaimSet, UrlOrbConfirmation
from tests.core.session.client import connect
from tests.fastclock import fast_clock
from tests.raw_server import Behaviour, answer, cut, hang, hang_up, raw, raw_server, reset

MISSING = answer(404, {"message": "not found"})
ID = "00000000-0000-0000-0000-000000000000"

DELETIONS: list[tuple[Callable[[CircleCI], Awaitable[Any]], Any]] = [
    (lambda circle: circle.webhooks.delete(ID), Message()),
    (lambda circle: circle.oidc.delete_org_claims(ID, ["audience"]), OidcClaimSet()),
    (lambda circle: circle.url_orb_allow_list.delete("gh/acme", ID), UrlOrbConfirmation()),
    (lambda circle: circle.request("DELETE", "/x"), None),
]
deletions = pytest.mark.parametrize(("delete", "confirmation"), DELETIONS, ids=["webhook", "claims", "orb", "request"])


@deletions
async def test_a_404_after_a_lost_response_is_a_success(
    delete: Callable[[CircleCI], Awaitable[Any]], confirmation: Any
) -> None:
    async with raw_server(hang_up, MISSING) as server, connect(server) as circle:
        assert await delete(circle) == confirmation
        assert [request.method for request in server.requests] == ["DELETE"] * 2


@pytest.mark.parametrize(
    "lost",
    [
        [hang_up],
        [reset],
        [hang],
        [raw(b"HTTP/1.1 200 OK\r\nContent-Le")],
        [raw(b"nonsense\r\n\r\n")],
        *([answer(status, "")] for status in (500, 502, 503, 504)),
        [hang_up, answer(429, "", {"Retry-After": "1"})],
        [answer(502, ""), answer(408, "")],
    ],
    ids=["closed", "reset", "timeout", "cut", "invalid", "500", "502", "503", "504", "then 429", "then 408"],
)
@fast_clock
async def test_a_response_is_lost_with_its_connection_in_a_timeout_and_by_a_gateway(lost: list[Behaviour]) -> None:
    async with raw_server(*lost, MISSING) as server, connect(server, timeout=5) as circle:
        assert await circle.webhooks.delete(ID) == Message()
        assert len(server.requests) == len(lost) + 1
        assert circle.stats.retries == len(lost)


async def test_a_404_after_a_reused_connection_was_lost_is_a_success() -> None:
    async with raw_server(answer(200, {}), hang_up, MISSING) as server, connect(server) as circle:
        await circle.request("GET", "/x")
        assert await circle.webhooks.delete(ID) == Message()
        assert (len(server.requests), server.connections, circle.stats.retries) == (3, 2, 0)


@pytest.mark.parametrize(
    "before", [[], [answer(429, "", {"Retry-After": "1"})], [answer(408, "")]], ids=["first", "429", "408"]
)
@fast_clock
async def test_a_404_without_a_lost_response_is_an_error(before: list[Behaviour]) -> None:
    async with raw_server(*before, MISSING) as server, connect(server) as circle:
        with pytest.raises(NotFound):
            await circle.webhooks.delete(ID)
        assert len(server.requests) == len(before) + 1


@pytest.mark.parametrize(("status", "kind"), [(410, Gone), (403, PermissionDenied), (400, ApiError)])
async def test_another_refusal_after_a_lost_response_is_an_error(status: int, kind: type[ApiError]) -> None:
    async with raw_server(hang_up, answer(status, "no")) as server, connect(server) as circle:
        with pytest.raises(kind):
            await circle.webhooks.delete(ID)


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_404_of_another_method_is_an_error(method: str) -> None:
    async with raw_server(hang_up, MISSING) as server, connect(server) as circle:
        with pytest.raises(NotFound):
            await circle.request(method, "/x")


BODIES: dict[str, bytes] = {
    "empty": b"",
    "text": b"Deleted.",
    "html": b"<p>Deleted.</p>",
    "list": b"[]",
    "number": b"5",
    "string": b'"gone"',
    "cut": b"{",
    "not UTF-8": b"\xff",
    "other types": b'{"message": [], "org_id": {}}',
    "NaN": b"NaN",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize(("delete", "confirmation"), DELETIONS[:3], ids=["webhook", "claims", "orb"])
async def test_every_2xx_is_a_success_whatever_its_body(
    delete: Callable[[CircleCI], Awaitable[Any]], confirmation: Any, body: bytes
) -> None:
    async with raw_server(answer(202, body)) as server, connect(server) as circle:
        assert await delete(circle) == confirmation
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 201, 204, 205, 226, 299])
async def test_every_2xx_is_a_success(status: int) -> None:
    async with raw_server(answer(status, "")) as server, connect(server) as circle:
        assert await circle.webhooks.delete(ID) == Message()


@pytest.mark.parametrize(("body", "result"), [("", None), ("Deleted.", None), ('{"n": [1]}', {"n": [1]}), ("5", 5)])
async def test_a_deletion_by_request_returns_its_json_if_there_is_any(body: str, result: Any) -> None:
    async with raw_server(answer(200, body)) as server, connect(server) as circle:
        assert await circle.request("DELETE", "/x") == result


@pytest.mark.parametrize(
    "response",
    [
        cut(b'{"message": "Deleted."}', after=5),
        answer(200, b"not gzip", {"Content-Encoding": "gzip"}),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxx"),
    ],
    ids=["cut", "not gzip", "chunk"],
)
async def test_a_2xx_with_an_incomplete_body_is_a_success_and_not_sent_again(response: Behaviour) -> None:
    async with raw_server(response) as server, connect(server) as circle:
        assert await circle.webhooks.delete(ID) == Message()
        assert len(server.requests) == 1


async def test_the_message_of_a_success_is_returned() -> None:
    async with raw_server(answer(200, {"message": "Webhook deleted."})) as server, connect(server) as circle:
        assert await circle.webhooks.delete(ID) == Message(message="Webhook deleted.")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
async def test_a_3xx_is_an_error_and_not_followed(status: int) -> None:
    async with raw_server(answer(status, "", {"Location": "/there"})) as server, connect(server) as circle:
        with pytest.raises(ApiError) as caught:
            await circle.webhooks.delete(ID)
        assert caught.value.status == status
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TransportError("lost"), True),
        (RequestTimeout("late"), True),
        (ServerError(502, "bad gateway"), True),
        (TransportError("refused", sent=False), False),
        (PoolTimeout("full", sent=False), False),
        (RateLimited(429, "slow down"), False),
        (ApiError(408, "no request"), False),
        (NotFound(404, "not found"), False),
    ],
    ids=repr,
)
def test_after_which_failures_a_request_may_be_done(error: CircleCIError, expected: bool) -> None:
    assert may_be_done(error) is expected
