"""Environment variables: masked values, and secrets in errors and logs."""

import asyncio
import json
import logging
import pickle
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.testing import FakeCircleCI, World
from tests.raw_server import Behaviour, Request, answer, raw_server, reset

P = "gh/acme/api"
SECRET = 'line "one"\n\u00e9\U0001f511 \\ line two' + "-s3cr3t" * 100

CALLS: dict[str, Callable[[ca.CircleCI], Awaitable[object]]] = {
    "project": lambda circle: circle.environment_variables.set(P, "KEY", SECRET),
    "context": lambda circle: circle.contexts.set_variable("c-1", "KEY", SECRET),
}


async def test_a_value_is_sent_unchanged_and_returned_masked() -> None:
    project = (world := World()).project(P)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        made = await circle.environment_variables.set(P, "KEY", SECRET)
        assert made == await circle.environment_variables.get(P, "KEY")
        assert [made] == await circle.environment_variables.list(P).collect()
    assert project.environment_variables["KEY"].value == SECRET
    assert made.value == "xxxxcr3t"


async def test_an_unmasked_value_is_not_in_the_repr() -> None:
    body = {"name": "KEY", "value": SECRET}
    async with raw_server(answer(201, body)) as server, ca.CircleCI("t", host=server.url) as circle:
        made = await circle.environment_variables.set(P, "KEY", SECRET)
    assert made.value == SECRET
    assert "s3cr3t" not in repr(made)


@pytest.mark.parametrize("separator", ["-", "_"])
async def test_responses_are_decoded_with_hyphens_and_underscores(separator: str) -> None:
    body = {"name": "A", "value": "xxxx1234", f"created{separator}at": "2026-05-04T10:00:00.042Z"}
    async with raw_server(answer(200, body)) as server, ca.CircleCI("t", host=server.url) as circle:
        created_at = (await circle.environment_variables.get(P, "A")).created_at
    assert created_at == datetime(2026, 5, 4, 10, 0, 0, 42_000, tzinfo=UTC)


@pytest.mark.parametrize("missing", [{}, {"created_at": None}], ids=repr)
async def test_created_at_of_a_variable_is_optional(missing: dict[str, Any]) -> None:
    page = {"items": [{"name": "A", "value": "xxxx"} | missing], "next_page_token": None}
    async with raw_server(answer(200, page)) as server, ca.CircleCI("t", host=server.url) as circle:
        assert (await circle.environment_variables.list(P).collect())[0].created_at is None


async def test_setting_a_variable_is_not_retried_after_a_connection_error() -> None:
    async with raw_server(reset) as server, ca.CircleCI("t", host=server.url) as circle:
        with pytest.raises(ca.TransportError):
            await circle.environment_variables.set(P, "KEY", SECRET)
        assert len(server.requests) == 1


def echo(status: int, write: Callable[[str], str]) -> Behaviour:
    """Send the received value back."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool | None:
        value = json.loads(request.body)["value"]
        return await answer(status, write(value))(request, writer)

    return behave


ECHOES: dict[str, tuple[int, Callable[[str], str]]] = {
    "a message": (400, lambda value: json.dumps({"message": f"value is wrong: {value}"})),
    "a message that is not all ASCII": (
        422,
        lambda value: json.dumps({"message": f"wrong: {value}"}, ensure_ascii=False),
    ),
    "the body": (400, lambda value: json.dumps({"message": "no", "received": {"value": value}})),
    "plain text": (403, lambda value: f"no such thing: {value}"),
    "a retried error": (500, lambda value: json.dumps({"error": value})),
    "a success in plain text": (200, lambda value: f"ok, {value}"),
    "a success of the wrong kind": (200, lambda value: json.dumps([value])),
    "a field of the wrong kind": (200, lambda value: json.dumps({"name": [value], "variable": [value]})),
}


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its causes and its contexts."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ECHOES)
async def test_a_value_in_an_error_response_is_redacted_from_errors_and_logs(
    kind: str, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    status, write = ECHOES[kind]
    retry = ca.RetryPolicy(attempts=2, initial_delay=0.001, max_delay=0.001)
    async with (
        raw_server(echo(status, write)) as server,
        ca.CircleCI("token", host=server.url, retry=retry) as circle,
    ):
        with pytest.raises(ca.DecodeError if status == 200 else ca.ApiError) as caught:
            await CALLS[call](circle)
        assert len(server.requests) == (2 if status == 500 and call == "context" else 1)
    for error in chain(caught.value):
        assert "s3cr3t" not in f"{error} {error!r} {vars(error)}"
    assert b"s3cr3t" not in pickle.dumps(caught.value)
    assert "[value]" in vars(caught.value)["body"]
    assert "s3cr3t" not in caplog.text


async def test_a_value_too_short_to_be_secret_is_not_redacted() -> None:
    refused = answer(400, {"message": "tests fail"})
    async with raw_server(refused) as server, ca.CircleCI("token", host=server.url) as circle:
        with pytest.raises(ca.BadRequest, match="tests fail"):
            await circle.environment_variables.set(P, "KEY", "test")


@pytest.mark.parametrize(
    "written",
    [
        rb'{"message": "bad: wJalr\/K7M<D&G"}',
        rb'{"message": "bad: wJalr/K7M\u003cD\u0026G"}',
        b"<html><h1>bad: wJalr/K7M&lt;D&amp;G</h1></html>",
        b"bad: wJalr/K7M<D&G",
        b'{"message": "bad: wJalr\\u002fK7M\\u003cD\\u0026G"}',
    ],
    ids=["escaped slashes", "escaped for HTML", "HTML", "text", "all escaped"],
)
async def test_a_value_is_redacted_in_every_escaped_form(written: bytes) -> None:
    async with raw_server(answer(400, written)) as server, ca.CircleCI("token", host=server.url) as circle:
        with pytest.raises(ca.BadRequest) as caught:
            await circle.environment_variables.set(P, "KEY", "wJalr/K7M<D&G")
    assert "[value]" in caught.value.message
    assert "K7M" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("shown", [5, 100, 600])
async def test_a_value_that_is_cut_with_the_end_of_a_long_body_is_redacted(shown: int) -> None:
    value = "".join(f"s3cr3t-{number}" for number in range(100))
    body = "n" * (65_536 - shown) + value + "n" * 10_000
    async with raw_server(answer(400, body)) as server, ca.CircleCI("token", host=server.url) as circle:
        with pytest.raises(ca.BadRequest) as caught:
            await circle.environment_variables.set(P, "KEY", value)
    assert caught.value.body == "n" * (65_536 - shown) + "[value]"
    assert "s3cr3t" not in f"{caught.value} {caught.value!r}"
