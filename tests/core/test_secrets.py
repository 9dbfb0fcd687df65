"""No failure shows the token in a repr, log, error, traceback or pickle."""

import asyncio
import gc
import logging
import pickle
import traceback
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from circleci_async import CircleCI, CircleCIError, ConfigurationError, Paged, RetryPolicy, capture_responses
from circleci_async.core.credentials import Auth
from circleci_async.models import Artifact
from tests.frames import chain
from tests.raw_server import Behaviour, Request, answer, cut, hang, hang_up, raw, raw_server, reset

TOKEN = "CCIPAT_s3cretS3cretS3cret"
BASIC = b64encode(f"{TOKEN}:".encode()).decode()
NEEDLES = (TOKEN, BASIC, BASIC.rstrip("="), b64encode(TOKEN.encode()).decode().rstrip("="))
SIGNATURE = "5ignatur3"

Call = Callable[[CircleCI], Awaitable[object]]


def exposed(text: str | bytes) -> list[str]:
    """Return the secrets that a text contains."""
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    return [needle for needle in NEEDLES if needle in text]


def check_error(error: BaseException) -> None:
    for one in chain(error):
        assert not exposed(str(one) + repr(one) + repr(one.args) + repr(vars(one)))
        shown = traceback.TracebackException.from_exception(one, capture_locals=True)
        assert not exposed("".join(shown.format()))
    if isinstance(error, CircleCIError):
        assert not exposed(pickle.dumps(error))


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    for record in caplog.records:
        assert not exposed(caplog.handler.format(record) + repr(vars(record)))


@pytest.fixture(autouse=True)
def every_level(caplog: pytest.LogCaptureFixture) -> None:
    for name in (None, "circleci_async", "aiohttp", "aiohttp.client", "asyncio", "backoff"):
        caplog.set_level(logging.DEBUG, name)


def echo(status: int, *, kind: str = "json") -> Behaviour:
    """Answer with the received credentials."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        got = f"{TOKEN} {BASIC}"
        content: Any = {"message": f"no such token: {got}", "id": got} if kind == "json" else f"<title>{got}</title>"
        return await answer(status, content, {"X-Echo": got, "X-Request-Id": "r"})(request, writer)

    return behave


async def send_back(request: Request, writer: asyncio.StreamWriter) -> None:
    """Send the request back, which is not an HTTP response."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    writer.write(f"{request.headers.get('circle-token') or TOKEN} {BASIC}\r\n{lines}\r\n".encode())
    await writer.drain()


async def stall(request: Request, writer: asyncio.StreamWriter) -> None:
    """Begin a response, and never complete it."""
    writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{")
    await asyncio.Event().wait()


FAILURES: dict[str, Behaviour] = {
    **{
        f"{status} in {kind}": echo(status, kind=kind)
        for status in (400, 401, 403, 404, 500)
        for kind in ("json", "html")
    },
    "429": answer(429, "Rate limited."),
    "429 for a day": answer(429, "Rate limited.", {"Retry-After": "86400"}),
    "redirect for ever": answer(302, "", {"Location": "/again"}),
    "redirect to nowhere": answer(302, "", {"Location": f"ftp://{TOKEN}@x/"}),
    "not json": echo(200, kind="html"),
    "wrong json": echo(200),
    "reset": reset,
    "hang up": hang_up,
    "cut": cut(b'{"id": "u", "login": "x"}', 5),
    "no http": send_back,
    "a header that is none": raw(f"HTTP/1.1 200 OK\r\n{TOKEN} {BASIC}\r\n\r\n".encode()),
    "a header too long": raw(f"HTTP/1.1 200 OK\r\nX: {TOKEN * 1000}\r\n\r\n".encode()),
    "hang": hang,
    "stall": stall,
}
CALLS: dict[str, Call] = {
    "get": lambda circle: circle.users.me(),
    "post": lambda circle: circle.pipelines.trigger("gh/acme/api", branch="main"),
    "list": lambda circle: circle.jobs.tests("gh/acme/api", 1).collect(),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(("auth", "call"), [("circle-token", "get"), ("bearer", "post"), ("basic", "list")])
async def test_no_failure_shows_the_token(
    auth: Auth, call: str, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    retry = RetryPolicy(attempts=2, initial_delay=0.001, max_delay=0.001)
    timeout = 0.1 if failure in {"hang", "stall"} else 10
    async with raw_server(FAILURES[failure]) as server:
        async with CircleCI(TOKEN, host=server.url, auth=auth, retry=retry, timeout=timeout) as circle:
            with pytest.raises(CircleCIError) as caught:
                await CALLS[call](circle)
        assert server.requests
    check_error(caught.value)
    check_log(caplog)


@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
@pytest.mark.parametrize("failure", ["hang", "stall", "429", "500 in json"])
async def test_a_call_cancelled_by_the_callers_timeout_does_not_show_the_token(
    auth: Auth, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    retry = RetryPolicy(initial_delay=60, max_delay=60)
    async with (
        raw_server(FAILURES[failure]) as server,
        CircleCI(TOKEN, host=server.url, auth=auth, retry=retry) as circle,
    ):
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await asyncio.gather(*(circle.users.me() for _ in range(3)))
    check_error(caught.value)
    assert any(isinstance(error, asyncio.CancelledError) for error in chain(caught.value))
    check_log(caplog)


async def test_the_deadline_error_does_not_show_the_token() -> None:
    async with (
        raw_server(hang) as server,
        CircleCI(TOKEN, host=server.url, retry=RetryPolicy(deadline=0.05)) as circle,
    ):
        with pytest.raises(CircleCIError) as caught:
            await circle.users.me()
    check_error(caught.value)


async def test_a_refused_connection_does_not_show_the_token() -> None:
    async with raw_server(hang) as server:
        pass
    async with CircleCI(TOKEN, host=server.url, retry=RetryPolicy(attempts=1)) as circle:
        with pytest.raises(CircleCIError) as caught:
            await circle.users.me()
    check_error(caught.value)


async def test_the_error_of_a_client_in_another_loop_does_not_show_the_token() -> None:
    circle = CircleCI(TOKEN, host="http://localhost:1", retry=RetryPolicy(attempts=1))

    def elsewhere() -> None:
        with asyncio.Runner() as runner:
            with pytest.raises(CircleCIError) as caught:
                runner.run(circle.request("GET", "/x"))
            check_error(caught.value)

    await asyncio.to_thread(elsewhere)
    with pytest.raises(CircleCIError) as caught:
        await circle.request("GET", "/x")
    check_error(caught.value)
    await circle.aclose()


@pytest.mark.parametrize("value", [f"{TOKEN} \n x", f"{TOKEN}\u00e9", TOKEN.encode()], ids=["space", "accent", "bytes"])
async def test_an_invalid_token_of_a_token_function_is_not_shown(value: Any) -> None:
    answers = iter([value])
    del value
    async with CircleCI(lambda: next(answers), host="http://localhost:1") as circle:
        with pytest.raises(ConfigurationError) as caught:
            await circle.users.me()
    check_error(caught.value)


async def test_an_old_token_in_a_response_is_still_redacted() -> None:
    tokens = iter([TOKEN, "another-token"])
    released = asyncio.Event()

    async def late(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        await released.wait()
        return await echo(401)(request, writer)

    async with raw_server(late, answer(200, {})) as server, CircleCI(lambda: next(tokens), host=server.url) as circle:
        first = asyncio.create_task(circle.users.me())
        while not server.requests:
            await asyncio.sleep(0.001)
        await circle.request("GET", "/x")
        released.set()
        with pytest.raises(CircleCIError, match=r"no such token: \[token\] \[token\]") as caught:
            await first
    check_error(caught.value)


async def test_error_bodies_are_kept_without_the_token() -> None:
    async with raw_server(echo(401)) as server, CircleCI(TOKEN, host=server.url) as circle:
        with pytest.raises(CircleCIError) as caught:
            await circle.users.me()
        assert vars(caught.value)["body"] == '{"message": "no such token: [token] [token]", "id": "[token] [token]"}'


async def test_no_object_of_a_client_shows_the_token_in_its_repr() -> None:
    async with raw_server(answer(200, {})) as server, CircleCI(TOKEN, host=server.url) as circle:
        await circle.request("GET", "/x")
        listing: Paged[Any] = circle.pipelines.list("gh/acme/api")
        others = [circle.users, circle.artifacts, circle.insights, circle.with_options(timeout=1), listing]
        seen: dict[int, object] = {}
        waiting: list[object] = [circle, *others]
        while waiting:
            thing = waiting.pop()
            if id(thing) in seen or not type(thing).__module__.startswith("circleci_async"):
                continue
            seen[id(thing)] = thing
            waiting += gc.get_referents(thing)
            waiting += gc.get_referents(getattr(thing, "__dict__", {}))
        names = {type(thing).__name__ for thing in seen.values()}
        assert {"CircleCI", "Session", "ClientState", "Transport", "Settings", "Limiter"} <= names
        assert not [thing for thing in seen.values() if exposed(repr(thing) + str(thing))]


@pytest.mark.parametrize("status", [400, 403, 404, 500])
async def test_a_signature_appears_in_no_message_and_no_log(status: int, caplog: pytest.LogCaptureFixture) -> None:
    retry = RetryPolicy(attempts=2, initial_delay=0.001)
    quoting = f"<Error><Message>no {SIGNATURE}</Message><Provided>{SIGNATURE}</Provided></Error>"
    async with raw_server(answer(status, quoting)) as storage:
        signed = f"{storage.url}/x?X-Amz-Signature={SIGNATURE}"
        async with (
            raw_server(answer(302, "", {"Location": signed})) as server,
            CircleCI(TOKEN, host=server.url, retry=retry) as circle,
        ):
            with capture_responses() as responses, pytest.raises(CircleCIError) as caught:
                await circle.request("GET", "/x")
            with pytest.raises(CircleCIError) as second:
                async with circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{server.url}/a")) as stream:
                    await anext(aiter(stream))
            with pytest.raises(CircleCIError) as third:
                await circle.request("POST", "/x")
        assert storage.requests[0].target.endswith(SIGNATURE)
        [captured] = responses
        assert captured.body == b"<Error><Message>no [query]</Message><Provided>[query]</Provided></Error>"
    for error in (caught.value, second.value, third.value):
        assert SIGNATURE not in str(error) + repr(error) + repr(vars(error))
    assert SIGNATURE not in caplog.text
