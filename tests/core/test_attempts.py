"""What a hook for metrics receives after each attempt."""

import asyncio
import functools
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from circleci_async import (
    ApiError,
    Attempt,
    CircleCI,
    InvalidArgument,
    NotCreated,
    NotFound,
    RateLimited,
    RequestTimeout,
    ResponseTooLarge,
    RetryPolicy,
    ServerError,
    TransportError,
)
from circleci_async.core.attempt import AttemptOutcome
from circleci_async.core.credentials import Auth
from circleci_async.models import Artifact
from tests.fastclock import fast_clock
from tests.raw_server import Behaviour, RawServer, after, answer, cut, hang, hang_up, raw_server

ME = {"id": "u-1", "login": "octo"}
QUICK = RetryPolicy(initial_delay=0.001, max_delay=0.001)
TOKEN = "CCIPAT_s3cret"


def observed(server: RawServer, hook: Callable[[Attempt], object], **options: Any) -> CircleCI:
    return CircleCI(TOKEN, host=server.url, retry=options.pop("retry", QUICK), on_attempt=hook, **options)


async def test_a_hook_receives_the_request_and_its_outcome() -> None:
    attempts: list[Attempt] = []
    async with raw_server(answer(200, {"items": [], "next_page_token": None})) as server:
        async with observed(server, attempts.append) as circle:
            await circle.pipelines.list("gh/acme/api", branch="main").collect()
        (attempt,) = attempts
    assert (attempt.method, attempt.number, attempt.status, attempt.error) == ("GET", 1, 200, None)
    assert attempt.route == "/project/{project-slug}/pipeline"
    assert attempt.url == f"{server.url}/api/v2/project/gh/acme/api/pipeline?branch=main"
    assert (attempt.sent, attempt.received) == (0, circle.stats.received)
    assert attempt.received > 0
    assert attempt.seconds >= 0
    assert attempt.outcome == "success"
    assert attempt.retry_after is None
    with pytest.raises(AttributeError):
        attempt.status = 500  # type: ignore[misc]  # it is frozen


@fast_clock
async def test_each_attempt_is_reported_with_its_wait_and_duration() -> None:
    attempts: list[Attempt] = []
    steps = [after(3, answer(503, {}, {"Retry-After": "50"})), cut(b"{}", 1), answer(429, {}, {"Retry-After": "70"})]
    async with (
        raw_server(*steps, after(7, answer(200, ME))) as server,
        observed(server, attempts.append) as circle,
    ):
        await circle.users.me()
        stats = circle.stats()
    assert [attempt.number for attempt in attempts] == [1, 2, 3, 4]
    assert [attempt.status for attempt in attempts] == [503, 200, 429, 200]
    assert [type(attempt.error) for attempt in attempts] == [ServerError, TransportError, RateLimited, type(None)]
    assert [attempt.retry_after for attempt in attempts] == [50, None, 70, None]
    assert [attempt.waited for attempt in attempts] == pytest.approx([0, 50, 0, 70], abs=1)
    assert [attempt.seconds for attempt in attempts] == pytest.approx([3, 0, 0, 7], abs=1)
    assert {attempt.route for attempt in attempts} == {"/me"}
    assert (stats.requests, stats.retries, stats.rate_limited) == (4, 3, 1)
    assert stats.waited == pytest.approx(120, abs=2)


@fast_clock
async def test_waiting_for_the_limiter_is_separate_from_the_attempt() -> None:
    attempts: list[Attempt] = []
    async with (
        raw_server(after(10, answer(200, ME))) as server,
        observed(server, attempts.append, concurrency=1) as circle,
    ):
        await asyncio.gather(circle.users.me(), circle.users.me())
    assert [attempt.waited for attempt in attempts] == pytest.approx([0, 10], abs=1)
    assert [attempt.seconds for attempt in attempts] == pytest.approx([10, 10], abs=1)


@pytest.mark.parametrize(
    ("behaviour", "status", "error", "outcome"),
    [
        (answer(404, {"message": "No."}), 404, NotFound, "client_error"),
        (answer(408, ""), 408, ApiError, "client_error"),
        (answer(429, ""), 429, RateLimited, "rate_limited"),
        (answer(503, ""), 503, ServerError, "server_error"),
        (answer(302, "", {"Location": "ftp://x/"}), 302, Exception, "client_error"),
        (answer(200, "x" * 2_000), 200, ResponseTooLarge, "connection_error"),
        (cut(b'{"id": "u", "login": "x"}', 5), 200, TransportError, "connection_error"),
        (hang_up, None, TransportError, "connection_error"),
    ],
    ids=["404", "408", "429", "503", "odd redirect", "too large", "cut", "hang up"],
)
async def test_a_failed_attempt_is_reported_with_its_error(
    behaviour: Behaviour, status: int | None, error: type[Exception], outcome: str
) -> None:
    attempts: list[Attempt] = []
    async with (
        raw_server(behaviour) as server,
        observed(server, attempts.append, retry=RetryPolicy(attempts=1), max_response_bytes=1_000) as circle,
    ):
        with pytest.raises(error) as caught:
            await circle.users.me()
    (attempt,) = attempts
    assert (attempt.status, attempt.error, attempt.outcome) == (status, caught.value, outcome)


async def test_a_refused_connection_is_a_connection_error() -> None:
    attempts: list[Attempt] = []
    async with raw_server(hang) as server:
        pass
    async with observed(server, attempts.append, retry=RetryPolicy(attempts=1)) as circle:
        with pytest.raises(TransportError):
            await circle.users.me()
    assert [attempt.outcome for attempt in attempts] == ["connection_error"]


async def test_an_error_of_the_token_function_has_an_outcome() -> None:
    attempts: list[Attempt] = []

    def fails() -> str:
        raise LookupError("no token")

    async with raw_server(hang) as server, CircleCI(fails, host=server.url, on_attempt=attempts.append) as circle:
        with pytest.raises(LookupError):
            await circle.users.me()
    assert [attempt.outcome for attempt in attempts] == ["error"]


async def test_a_deletion_that_an_earlier_attempt_did_is_a_success() -> None:
    attempts: list[Attempt] = []
    async with raw_server(answer(502, ""), answer(404, "")) as server, observed(server, attempts.append) as circle:
        await circle.contexts.delete("5034460f-c7c4-4c43-9457-de07e2029e7b")
    assert [(attempt.status, attempt.outcome) for attempt in attempts] == [(502, "server_error"), (404, "success")]


async def test_a_run_that_created_nothing_is_a_client_error() -> None:
    attempts: list[Attempt] = []
    async with raw_server(answer(200, {"message": "skipped"})) as server, observed(server, attempts.append) as circle:
        with pytest.raises(NotCreated):
            await circle.pipelines.run("gh/acme/api")
    assert [attempt.outcome for attempt in attempts] == ["client_error"]


def test_every_outcome_is_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "guide" / "observability.md"
    [line] = [each for each in page.read_text("utf-8").splitlines() if each.startswith("- `outcome` is ")]
    assert re.findall(r"`(\w+)`", line)[1:] == list(get_args(AttemptOutcome))


async def test_a_cancelled_attempt_is_reported() -> None:
    attempts: list[Attempt] = []
    async with raw_server(hang) as server, observed(server, attempts.append) as circle:
        call = asyncio.create_task(circle.users.me())
        while not server.requests:
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert [type(attempt.error) for attempt in attempts] == [asyncio.CancelledError]
    assert [attempt.outcome for attempt in attempts] == ["cancelled"]


@fast_clock
async def test_an_attempt_ended_by_timeout_or_deadline_is_reported() -> None:
    attempts: list[Attempt] = []
    async with raw_server(hang) as server:
        retry = RetryPolicy(attempts=2, initial_delay=0, deadline=90)
        async with observed(server, attempts.append, timeout=60, retry=retry) as circle:
            with pytest.raises(RequestTimeout):
                await circle.users.me()
    assert [type(attempt.error) for attempt in attempts] == [RequestTimeout, asyncio.CancelledError]
    assert [attempt.outcome for attempt in attempts] == ["timeout", "timeout"]
    assert [attempt.seconds for attempt in attempts] == pytest.approx([60, 30], abs=2)


async def test_a_request_never_admitted_is_not_an_attempt() -> None:
    attempts: list[Attempt] = []
    async with raw_server(answer(429, {}, {"Retry-After": "1000"})) as server:
        async with observed(server, attempts.append) as circle:
            for _ in range(2):
                with pytest.raises(RateLimited):
                    await circle.users.me()
        assert len(server.requests) == 1
    assert [attempt.status for attempt in attempts] == [429]


async def test_redirects_and_a_token_retry_belong_to_one_attempt() -> None:
    attempts: list[Attempt] = []
    tokens = iter(range(100))
    steps = [answer(302, "", {"Location": "/api/v2/there"}), answer(401, {}), answer(200, ME)]
    async with (
        raw_server(*steps) as server,
        CircleCI(lambda: f"t-{next(tokens)}", host=server.url, on_attempt=attempts.append) as circle,
    ):
        await circle.users.me()
        assert circle.stats.requests == 3
    assert [(attempt.status, attempt.url) for attempt in attempts] == [(200, f"{server.url}/api/v2/me")]


async def test_sent_bytes_are_counted() -> None:
    attempts: list[Attempt] = []
    async with raw_server(answer(200, {})) as server, observed(server, attempts.append) as circle:
        await circle.request("POST", "/x", json={"a": "\u00e4"})
        (request,) = server.requests
        assert [attempt.sent for attempt in attempts] == [len(request.body)] == [circle.stats.sent]
        assert attempts[0].route is None


async def test_a_download_is_reported_once_per_response(tmp_path: Path) -> None:
    attempts: list[Attempt] = []
    body = b"x" * 1000
    steps = [
        cut(body, 400, headers={"ETag": '"e"'}),
        answer(206, body[400:], {"Content-Range": "bytes 400-999/1000", "ETag": '"e"'}),
    ]
    async with raw_server(*steps) as server, observed(server, attempts.append) as circle:
        artifact = Artifact(path="a", node_index=0, url=f"{server.url}/a?X-Amz-Signature=5ignature")
        await circle.artifacts.download(artifact, tmp_path)
    assert [(attempt.number, attempt.status, attempt.received) for attempt in attempts] == [
        (1, 200, 400),
        (2, 206, 600),
    ]
    assert [type(attempt.error) for attempt in attempts] == [TransportError, type(None)]
    assert {(attempt.route, attempt.url) for attempt in attempts} == {(None, f"{server.url}/a")}


@fast_clock
async def test_reading_a_stream_belongs_to_its_attempt() -> None:
    attempts: list[Attempt] = []
    async with (
        raw_server(answer(200, b"12345")) as server,
        observed(server, attempts.append) as circle,
        circle.artifacts.open(Artifact(path="a", node_index=0, url=f"{server.url}/a")) as stream,
    ):
        await asyncio.sleep(30)
        assert attempts == []
        assert b"".join([part async for part in stream]) == b"12345"
    (attempt,) = attempts
    assert attempt.seconds == pytest.approx(30, abs=1)


@pytest.mark.parametrize("auth", ["circle-token", "bearer", "basic"])
@pytest.mark.parametrize("status", [200, 404])
async def test_a_hook_never_receives_the_token(auth: Auth, status: int) -> None:
    attempts: list[Attempt] = []
    async with (
        raw_server(answer(status, {**ME, "message": f"no {TOKEN}"})) as server,
        observed(server, attempts.append, auth=auth, retry=RetryPolicy(attempts=1)) as circle,
    ):
        for path in (f"/me?circle-token={TOKEN}", f"/user/{TOKEN}"):
            await asyncio.gather(circle.request("GET", path), return_exceptions=True)
    assert len(attempts) == 2
    assert TOKEN not in "".join(f"{attempt!r} {attempt.error}" for attempt in attempts)


async def test_an_error_of_a_hook_is_logged_and_does_not_affect_the_call(caplog: pytest.LogCaptureFixture) -> None:
    def hook(attempt: Attempt) -> None:
        raise LookupError("no such counter")

    async with raw_server(answer(500, {}), answer(200, ME)) as server, observed(server, hook) as circle:
        assert (await circle.users.me()).login == "octo"
        assert circle.stats.retries == 1
    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in failures] == ["on_attempt failed after GET /api/v2/me"] * 2
    assert all(record.exc_info and isinstance(record.exc_info[1], LookupError) for record in failures)


async def test_with_options_replaces_or_keeps_the_hook() -> None:
    first: list[Attempt] = []
    second: list[Attempt] = []
    async with raw_server(answer(200, ME)) as server, observed(server, first.append) as circle:
        await circle.with_options(timeout=5).users.me()
        await circle.with_options(on_attempt=second.append).users.me()
        assert (len(first), len(second)) == (1, 1)
        await circle.users.me()
        assert (len(first), len(second)) == (2, 1)


async def async_hook(attempt: Attempt) -> None: ...


class AsyncHook:
    async def __call__(self, attempt: Attempt) -> None: ...


@pytest.mark.parametrize(
    "hook", [async_hook, functools.partial(async_hook), AsyncHook()], ids=["def", "partial", "class"]
)
def test_an_async_hook_is_rejected(hook: Any) -> None:
    with pytest.raises(InvalidArgument, match="on_attempt must be a plain function"):
        CircleCI("t", on_attempt=hook)
    with pytest.raises(InvalidArgument, match="on_attempt must be a plain function"):
        CircleCI("t").with_options(on_attempt=hook)


def test_a_hook_that_is_not_callable_is_rejected() -> None:
    with pytest.raises(InvalidArgument, match="on_attempt must be a function that takes an Attempt, got 'x'"):
        CircleCI("t", on_attempt="x")  # type: ignore[arg-type]  # this is the point
