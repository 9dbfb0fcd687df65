"""aiohttp client middlewares of the caller: each runs for every request, and none sees the token."""

import asyncio
import traceback
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from circleci_async import CircleCI, InvalidArgument, NotFound, RetryPolicy, TransportError, __version__
from circleci_async.core.credentials import Auth
from circleci_async.models import Artifact
from tests.frames import chain
from tests.raw_server import answer, hang, hang_up, raw_server, reset

from .test_secrets import TOKEN, check_error, exposed

ME = {"id": "u-1", "login": "octo"}
ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(initial_delay=0.001, max_delay=0.001)

Handler = aiohttp.ClientHandlerType


class Recorder:
    """A middleware that records what it can see of each request, before and after it is sent."""

    def __init__(self, name: str = "", order: list[str] | None = None) -> None:
        self.name = name
        self.order = order if order is not None else []
        self.seen: list[str] = []
        self.statuses: list[int] = []
        self.errors: list[BaseException] = []

    async def __call__(self, request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        self.order.append(self.name)
        self.seen.append(f"{request.method} {request.url} {dict(request.headers)}")
        try:
            response = await handler(request)
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            self.seen.append(f"{dict(request.headers)} {request.request_info}")
        self.seen.append(str(dict(response.request_info.headers)))
        self.statuses.append(response.status)
        return response


async def read_artifact(circle: CircleCI, url: str) -> bytes:
    async with circle.artifacts.open(Artifact(path="a", node_index=0, url=url)) as stream:
        return b"".join([part async for part in stream])


async def test_middlewares_run_for_every_request_outermost_first() -> None:
    order: list[str] = []
    first, second = Recorder("first", order), Recorder("second", order)
    async with (
        raw_server(answer(503, {}), answer(200, ME)) as server,
        CircleCI(TOKEN, host=server.url, retry=QUICK, middlewares=(first, second)) as circle,
    ):
        await circle.users.me()
        await circle.request("POST", "/x", json={})
        await circle.with_options(timeout=5).users.me()
    assert order == ["first", "second"] * 4
    assert first.statuses == [503, 200, 200, 200]


async def test_middlewares_may_be_any_iterable() -> None:
    recorder = Recorder()
    async with (
        raw_server(answer(200, ME)) as server,
        CircleCI("", host=server.url, middlewares=iter([recorder])) as circle,
    ):
        await circle.users.me()
        await circle.users.me()
    assert recorder.statuses == [200, 200]


@pytest.mark.parametrize("middlewares", [3, [None], ["trace"], "trace"])
def test_an_invalid_middleware_is_rejected_by_name(middlewares: Any) -> None:
    with pytest.raises(InvalidArgument, match="middlewares must be"):
        CircleCI("t", middlewares=middlewares)


async def test_session_middlewares_run_outside_of_the_clients() -> None:
    order: list[str] = []
    async with raw_server(answer(200, ME)) as server:
        async with aiohttp.ClientSession(middlewares=(Recorder("session", order),)) as http:
            async with CircleCI(TOKEN, host=server.url, http=http, middlewares=(Recorder("client", order),)) as circle:
                await circle.users.me()
            async with http.get(server.url):
                pass
        assert "circle-token" not in server.requests[1].headers
    assert order == ["session", "client", "session"]


@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
@pytest.mark.parametrize("own_session", [False, True], ids=["client's session", "own session"])
@pytest.mark.parametrize("changing", [False, True], ids=["token", "token function"])
async def test_no_middleware_sees_the_token(auth: Auth, own_session: bool, changing: bool) -> None:
    recorder = Recorder()
    session_recorder = Recorder()
    async with raw_server(answer(200, ME)) as server, aiohttp.ClientSession(middlewares=(session_recorder,)) as http:
        token = (lambda: TOKEN) if changing else TOKEN
        options: dict[str, Any] = {"http": http} if own_session else {}
        async with CircleCI(token, host=server.url, auth=auth, middlewares=(recorder,), **options) as circle:
            await circle.users.me()
            await circle.request("POST", "/x", json={})
        assert all(exposed(str(request.headers)) for request in server.requests)
    assert recorder.statuses == [200, 200]
    assert len(session_recorder.statuses) == (2 if own_session else 0)
    assert not exposed("".join(recorder.seen + session_recorder.seen))


@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
@pytest.mark.parametrize("behaviour", [hang_up, reset, hang], ids=["hang up", "reset", "timeout"])
async def test_no_failure_shows_the_token_to_a_middleware(auth: Auth, behaviour: Any) -> None:
    recorder = Recorder()
    async with (
        raw_server(behaviour) as server,
        CircleCI(TOKEN, host=server.url, auth=auth, retry=ONCE, timeout=0.1, middlewares=(recorder,)) as circle,
    ):
        with pytest.raises(TransportError) as caught:
            await circle.users.me()
    check_error(caught.value)
    assert len(recorder.errors) == 1
    for error in chain(recorder.errors[0]):
        check_error(error)
        printed = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert not exposed(printed)


async def test_a_token_is_chosen_by_the_final_url() -> None:
    async with raw_server(answer(200, ME)) as elsewhere, raw_server(answer(200, ME)) as server:

        async def divert(request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
            request.url = request.url.with_port(int(elsewhere.url.rpartition(":")[2]))
            return await handler(request)

        async with CircleCI(TOKEN, host=server.url, middlewares=(divert,)) as circle:
            assert (await circle.users.me()).login == "octo"
        assert server.requests == []
        assert not exposed(str(elsewhere.requests[0].headers))


async def test_each_hop_of_an_artifact_runs_the_middlewares_and_the_storage_gets_no_token() -> None:
    recorder = Recorder()
    async with raw_server(answer(200, b"bytes")) as storage:
        moved = answer(302, "", {"Location": f"{storage.url}/signed"})
        async with raw_server(moved) as server, CircleCI(TOKEN, host=server.url, middlewares=(recorder,)) as circle:
            data = await read_artifact(circle, f"{server.url}/a")
        assert data == b"bytes"
        assert exposed(str(server.requests[0].headers))
        assert not exposed(str(storage.requests[0].headers))
    assert recorder.statuses == [302, 200]


async def test_an_anonymous_client_sends_no_token() -> None:
    async with raw_server(answer(200, ME)) as server:
        async with CircleCI("", host=server.url, middlewares=(Recorder(),)) as circle:
            await circle.users.me()
        assert {"circle-token", "authorization"} & set(server.requests[0].headers) == set()


async def test_a_header_of_a_middleware_is_sent() -> None:
    async def add(request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        request.headers["X-Request-Id"] = "r-1"
        return await handler(request)

    async with raw_server(answer(200, ME)) as server, CircleCI(TOKEN, host=server.url, middlewares=(add,)) as circle:
        await circle.users.me()
        assert server.requests[0].headers["x-request-id"] == "r-1"
        assert server.requests[0].headers["circle-token"] == TOKEN


async def test_a_middleware_may_send_a_request_twice() -> None:
    async def twice(request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        response = await handler(request)
        if response.status == 503:
            response.close()
            response = await handler(request)
        return response

    async with raw_server(answer(503, {}), answer(200, ME)) as server:
        async with CircleCI(TOKEN, host=server.url, retry=ONCE, middlewares=(twice,)) as circle:
            assert (await circle.users.me()).login == "octo"
        assert [request.headers["circle-token"] for request in server.requests] == [TOKEN, TOKEN]


async def test_an_error_of_a_middleware_reaches_the_caller_without_a_retry() -> None:
    async def broken(request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        await handler(request)
        raise LookupError("no such span")

    async with raw_server(answer(200, ME)) as server, CircleCI(TOKEN, host=server.url, middlewares=(broken,)) as circle:
        with pytest.raises(LookupError, match="no such span") as caught:
            await circle.users.me()
        assert len(server.requests) == 1
        assert circle.stats.in_flight == 0
    check_error(caught.value)


async def test_an_http_error_of_a_middleware_is_translated_and_retried() -> None:
    failures = [aiohttp.ClientConnectionError("proxy is restarting")]

    async def flaky(request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        if failures:
            raise failures.pop()
        return await handler(request)

    async with (
        raw_server(answer(200, ME)) as server,
        CircleCI(TOKEN, host=server.url, retry=QUICK, middlewares=(flaky,)) as circle,
    ):
        assert (await circle.users.me()).login == "octo"
        assert circle.stats.retries == 1


async def test_an_error_of_the_token_function_reaches_the_caller_as_it_is() -> None:
    def fetch() -> str:
        raise LookupError("the vault is sealed")

    async with raw_server(answer(200, ME)) as server, CircleCI(fetch, host=server.url) as circle:
        with pytest.raises(LookupError, match="the vault is sealed") as caught:
            await circle.users.me()
        assert server.requests == []
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert frames[-1] == "fetch"


async def test_a_token_that_has_changed_is_still_noticed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")

    async def rotate(request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        response = await handler(request)
        file.write_text("new")
        return response

    async with raw_server(answer(401, {}), answer(200, ME)) as server:
        async with CircleCI(file.read_text, host=server.url, retry=ONCE, middlewares=(rotate,)) as circle:
            await circle.users.me()
        assert [request.headers["circle-token"] for request in server.requests] == ["old", "new"]


async def test_a_cancelled_call_shows_no_token_to_a_middleware() -> None:
    recorder = Recorder()
    async with raw_server(hang) as server, CircleCI(TOKEN, host=server.url, middlewares=(recorder,)) as circle:
        call = asyncio.create_task(circle.users.me())
        while not server.requests:
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    (error,) = recorder.errors
    check_error(error)


async def test_an_authorization_header_of_the_callers_session_is_replaced_for_trusted_origins_only() -> None:
    headers = {"Authorization": "Basic bXk6cHc="}
    async with raw_server(answer(200, ME)) as server, aiohttp.ClientSession(headers=headers) as http:
        async with CircleCI(TOKEN, host=server.url, auth="bearer", http=http) as circle:
            await circle.users.me()
        assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
        async with http.get(server.url):
            pass
        assert server.requests[1].headers["authorization"] == "Basic bXk6cHc="


# User-Agent


@pytest.mark.parametrize(
    ("user_agent", "session_header", "sent"),
    [
        (None, None, f"circleci-async/{__version__}"),
        ("my-bot/1.2", None, f"my-bot/1.2 circleci-async/{__version__}"),
        (None, "own/3", "own/3"),
        ("my-bot/1.2", "own/3", f"my-bot/1.2 circleci-async/{__version__}"),
    ],
)
async def test_the_user_agent_is_put_before_the_packages_own(
    user_agent: str | None, session_header: str | None, sent: str
) -> None:
    headers = {"user-agent": session_header} if session_header else {}
    async with raw_server(answer(200, ME)) as server, aiohttp.ClientSession(headers=headers) as http:
        own: dict[str, Any] = {"http": http} if session_header else {}
        async with CircleCI("", host=server.url, user_agent=user_agent, **own) as circle:
            await circle.users.me()
            await circle.request("POST", "/x", json={})
        assert [request.headers["user-agent"] for request in server.requests] == [sent, sent]


@pytest.mark.parametrize("user_agent", ["", " ", "a\nb", "a\r", "bot/\u00e9", 7])
def test_an_invalid_user_agent_is_rejected_by_name(user_agent: Any) -> None:
    with pytest.raises(InvalidArgument, match="user_agent must be"):
        CircleCI("t", user_agent=user_agent)


# Headers of one request


async def test_extra_headers_are_sent() -> None:
    async with raw_server(answer(200, {"a": 1})) as server, CircleCI(TOKEN, host=server.url) as circle:
        await circle.request("GET", "/x", headers={"X-Trace": "1", "accept": "text/plain", "User-Agent": "mine"})
        sent = server.requests[0].headers
    assert (sent["x-trace"], sent["accept"], sent["user-agent"]) == ("1", "text/plain", "mine")
    assert sent["circle-token"] == TOKEN


@pytest.mark.parametrize("name", ["Authorization", "authorization", "Circle-Token", "CIRCLE-TOKEN"])
async def test_a_header_that_carries_the_token_is_refused(name: str) -> None:
    async with raw_server(answer(200, {})) as server, CircleCI(TOKEN, host=server.url) as circle:
        with pytest.raises(InvalidArgument, match=f"headers must not contain {name!r}") as caught:
            await circle.request("GET", "/x", headers={name: "s3cret"})
        assert "s3cret" not in str(caught.value)
        assert server.requests == []


@pytest.mark.parametrize(
    "headers", [{"X-A": "a\nb"}, {"X A": "1"}, {"": "1"}, {"X-A": 1}, {"X-A\r\n": "1"}, {"X-A:": "1"}, {"X": "\u20ac"}]
)
async def test_an_invalid_header_is_rejected_before_anything_is_sent(headers: Any) -> None:
    async with raw_server(answer(200, {})) as server, CircleCI(TOKEN, host=server.url) as circle:
        with pytest.raises(InvalidArgument, match="headers must be"):
            await circle.request("GET", "/x", headers=headers)
        assert server.requests == []


async def test_extra_headers_are_not_sent_to_another_origin() -> None:
    async with raw_server(answer(200, {"a": 1})) as other:
        async with (
            raw_server(answer(302, "", {"Location": f"{other.url}/x"})) as server,
            CircleCI(TOKEN, host=server.url) as circle,
        ):
            assert await circle.request("GET", "/x", headers={"X-Secret": "s"}) == {"a": 1}
            assert server.requests[0].headers["x-secret"] == "s"
        assert "x-secret" not in other.requests[0].headers
        assert other.requests[0].headers["accept"] == "application/json"


# Deprecation


async def test_a_deprecated_operation_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    headers = {
        "Deprecation": "@1767225600",
        "Sunset": f"Wed, 01 Jul 2026 00:00:00 GMT {TOKEN}",
        "Link": '<https://circleci.com/docs/x>; rel="deprecation"',
    }
    job = {"number": 1, "name": "a"}
    async with raw_server(answer(200, ME, headers)) as server, CircleCI(TOKEN, host=server.url) as circle:
        await circle.users.me()
        await circle.with_options(timeout=5).users.me()
        for number in (1, 2):
            await circle.request("GET", f"/project/gh/acme/api/job/{number}", json=job)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 2
    assert warnings[0].startswith("GET /me is deprecated")
    assert "@1767225600" in warnings[0]
    assert "Wed, 01 Jul 2026" in warnings[0]
    assert "https://circleci.com/docs/x" in warnings[0]
    assert warnings[1].startswith("GET /project/{project-slug}/job/{job-number} is deprecated")
    assert not exposed(caplog.text)


async def test_a_sunset_alone_is_logged_too_even_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    headers = {"Sunset": "Wed, 01 Jul 2026 00:00:00 GMT"}
    async with raw_server(answer(404, {}, headers)) as server, CircleCI(TOKEN, host=server.url) as circle:
        with pytest.raises(NotFound):
            await circle.users.me()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("GET /me is deprecated")


async def test_the_headers_of_a_storage_deprecate_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        raw_server(answer(200, b"x", {"Deprecation": "true"})) as storage,
        raw_server(answer(302, "", {"Location": f"{storage.url}/x"})) as server,
        CircleCI(TOKEN, host=server.url) as circle,
    ):
        await read_artifact(circle, f"{server.url}/a")
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
