"""Reading the output of a step: from its storage without the token, otherwise from the API, complete and once."""

import asyncio
import gzip
import json
import traceback
import zlib
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.logs.messages import MAX_MESSAGE
from circleci_async.logs.reading import PIECE
from circleci_async.models import JobStep, StepAction, StepStatus
from circleci_async.testing import FakeCircleCI, World
from tests.downloads.file_server import in_sequence, served
from tests.leftovers import check_nothing_in_use, check_nothing_is_left
from tests.raw_server import Behaviour, RawServer, answer, cut, hang, raw_server

from .server import (
    BUILD,
    PROJECT,
    SIGNATURE,
    TOKEN,
    action,
    build,
    credentials,
    sent,
    serving,
    stored,
    stored_bytes,
)

ONE = build([action(101, output_url="/s?signed")])
PLAIN = f"{BUILD}/output/101/0"
MANY = [f"line {number} of many\r\n" for number in range(20_000)]
SHOWN = "".join(MANY).replace("\r", "")


async def text_of(builds: Any, files: dict[str, Behaviour], **options: Any) -> str:
    async with serving(builds if isinstance(builds, list) else [builds], files, **options) as (_, circle):
        return await circle.jobs.output(PROJECT, 42, 101).text()


def bounded_client(server: RawServer, bound: int) -> ca.CircleCI:
    return ca.CircleCI(TOKEN, host=server.url, max_response_bytes=bound)


async def test_output_is_read_as_text_lines_messages_or_tail() -> None:
    async with serving([ONE], {"/s": stored("\x1b[1mone\x1b[0m\r\ntw", "o\r\n", "10 %\rthree")}) as (_, circle):
        output = circle.jobs.output(PROJECT, 42, 101)
        assert await output.text() == "one\ntwo\nthree"
        assert await output.text(ansi=True) == "\x1b[1mone\x1b[0m\r\ntwo\r\n10 %\rthree"
        assert [line async for line in output.lines()] == ["one", "two", "three"]
        assert [line async for line in output.lines(ansi=True)] == ["\x1b[1mone\x1b[0m", "two", "10 %\rthree"]
        assert [message.text async for message in output.messages()] == [
            "\x1b[1mone\x1b[0m\r\ntw",
            "o\r\n",
            "10 %\rthree",
        ]
        assert await output.tail(2) == "two\nthree"
        assert await output.tail(1, ansi=True) == "10 %\rthree"
        assert await output.tail() == await output.tail(None) == await output.tail(3) == "one\ntwo\nthree"


async def test_the_tail_has_no_final_newline() -> None:
    async with serving([ONE], {"/s": stored("one\ntwo\n\nthree\n")}) as (_, circle):
        output = circle.jobs.output(PROJECT, 42, 101)
        assert await output.tail(2) == "\nthree"
        assert await output.text() == "one\ntwo\n\nthree\n"


async def test_a_message_has_its_stream_and_time() -> None:
    async with serving([ONE], {"/s": stored("Oh!")}) as (_, circle):
        (message,) = [each async for each in circle.jobs.output(PROJECT, 42, 101).messages()]
        assert message.type == "out"
        assert message.time is not None
        assert message.time.isoformat() == "2026-11-24T12:00:01+00:00"


async def test_nothing_is_sent_before_a_read_and_each_read_requests_again() -> None:
    async with serving([ONE], {"/s": in_sequence(stored("a"), stored("ab"))}) as (server, circle):
        output = circle.jobs.output(PROJECT, 42, 101)
        assert server.requests == []
        assert [await output.text(), await output.text()] == ["a", "ab"]


@pytest.mark.parametrize("trusted", [False, True])
async def test_the_token_is_never_sent_to_the_storage(trusted: bool) -> None:
    async with raw_server(stored("a")) as storage:
        body = build([action(101, output_url=f"{storage.url}/out?{SIGNATURE}&x=%2B+%2f")])
        hosts = [storage.host] if trusted else []
        async with serving([body], artifact_hosts=hosts) as (server, circle):
            assert await circle.jobs.output(PROJECT, 42, 101).text() == "a"
            assert credentials(storage.requests) == set()
            assert [request.target for request in storage.requests] == [f"/out?{SIGNATURE}&x=%2B+%2f"]
            assert credentials(server.requests) == {"circle-token"}


async def test_the_output_of_the_given_node_is_read() -> None:
    body = build([action(101, 0, output_url="/0?signed"), action(101, 1, output_url="/1?signed")])
    async with serving([body], {"/0": stored("zero"), "/1": stored("one")}) as (server, circle):
        assert await circle.jobs.output(PROJECT, 42, 101).text() == "zero"
        assert await circle.jobs.output(PROJECT, 42, 101, node=1).text() == "one"
        (step,) = await circle.jobs.steps(PROJECT, 42).collect()
        asked = len(server.requests)
        assert await circle.jobs.output(PROJECT, 42, step, 1).text() == "one"
        assert [request.path for request in server.requests[asked:]] == ["/1"]  # the step contains the URL


async def test_a_step_without_number_can_be_given_as_a_step() -> None:
    body = build([action(101, output_url="/a?signed")], [action(None, output_url="/b?signed")])
    async with serving([body], {"/b": stored("b")}) as (_, circle):
        _, step = await circle.jobs.steps(PROJECT, 42).collect()
        assert step.number is None
        assert await circle.jobs.output(PROJECT, 42, step).text() == "b"


async def test_a_step_without_output_is_not_requested() -> None:
    async with serving([build([action(101, has_output=False)])]) as (server, circle):
        output = circle.jobs.output(PROJECT, 42, 101)
        assert await output.text() == ""
        assert await output.tail() == ""
        assert [line async for line in output.lines()] == []
        assert {request.path for request in server.requests} == {BUILD}


async def test_an_unfinished_step_without_output_is_listed_again() -> None:
    early = build([action(101, status="running", end_time=None, has_output=False)], lifecycle="running")
    async with serving([early, ONE], {"/s": stored("late")}) as (_, circle):
        (step,) = await circle.jobs.steps(PROJECT, 42).collect()
        assert await circle.jobs.output(PROJECT, 42, step).text() == "late"


@pytest.mark.parametrize(("step", "node", "missing"), [(7, 0, "no step 7"), (101, 1, "no node 1 in step 101")])
async def test_a_missing_step_or_node_is_not_found(step: int, node: int, missing: str) -> None:
    async with serving([ONE]) as (_, circle):
        with pytest.raises(ca.NotFound, match=f"job 42 has {missing}") as caught:
            await circle.jobs.output(PROJECT, 42, step, node).text()
        assert "jobs.steps" in str(caught.value.hint)
        assert caught.value.url.endswith(BUILD)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": -1}, "step must be a step of `jobs.steps`, or its number, got -1"),
        ({"step": None}, "step must be .*, got None"),
        ({"step": True}, "step must be .*, got True"),
        ({"step": "make"}, "step must be .*, got 'make'"),
        ({"node": -1}, "node must be the index of a parallel run, 0 or more, got -1"),
        ({"node": None}, "node must be .*, got None"),
    ],
)
async def test_invalid_arguments_are_refused_at_once(arguments: Any, message: str) -> None:
    async with ca.CircleCI("", host="http://localhost:1") as circle:
        with pytest.raises(ca.InvalidArgument, match=message):
            circle.jobs.output(PROJECT, 42, **{"step": 101, **arguments})


async def test_a_node_without_the_given_step_is_refused_at_once() -> None:
    async with serving([ONE]) as (_, circle):
        (step,) = await circle.jobs.steps(PROJECT, 42).collect()
        with pytest.raises(ca.InvalidArgument, match=r"node must be one of \[0\], where step 'step 101' ran, got 2"):
            circle.jobs.output(PROJECT, 42, step, 2)


@pytest.mark.parametrize("tail", [0, -1, True, "200", 2.5])
async def test_an_invalid_number_of_lines_is_refused(tail: Any) -> None:
    async with ca.CircleCI("", host="http://localhost:1") as circle:
        with pytest.raises(ca.InvalidArgument, match="lines must be a positive number of lines, or None for all"):
            await circle.jobs.output(PROJECT, 42, 101).tail(tail)


# Failures of the storage


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_an_expired_url_is_renewed(status: int) -> None:
    fresh = build([action(99, output_url="/other?signed")], [action(101, output_url="/fresh?signed")])
    files = {"/s": answer(status, "<Error>Request has expired</Error>"), "/fresh": stored("fresh")}
    async with serving([ONE, fresh], files) as (server, circle):
        assert await circle.jobs.output(PROJECT, 42, 101).text() == "fresh"
        assert [request.path for request in server.requests] == [BUILD, "/s", BUILD, "/fresh"]
        assert credentials(sent(server, "/s")) == credentials(sent(server, "/fresh")) == set()


async def test_an_expired_url_of_a_kept_step_is_renewed() -> None:
    world = World()
    job = world.project(PROJECT).pipeline().workflow().job("test")
    job.step("make", output="all done\n")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        (step,) = await circle.jobs.steps(PROJECT, job.number).collect()
        fake.fail("/action-output/*", origin="storage", expired=True, times=1)
        assert await circle.jobs.output(PROJECT, job.number, step).text() == "all done\n"
        assert [(each.origin, each.status) for each in fake.requests] == [
            ("api", 200),
            ("storage", 403),
            ("api", 200),
            ("storage", 200),
        ]


@pytest.mark.parametrize("url", [None, "", "/s?signed"], ids=repr)
async def test_output_without_a_working_url_is_read_from_the_api(url: str | None) -> None:
    files = {"/s": answer(403, "<Error/>"), PLAIN: answer(200, "plain\r\ntext", {"Content-Type": "text/plain"})}
    async with serving([build([action(101, output_url=url)])], files) as (server, circle):
        assert await circle.jobs.output(PROJECT, 42, 101).text() == "plain\ntext"
        last = server.requests[-1]
        assert last.target == f"{PLAIN}?file=true"
        assert last.headers["circle-token"] == TOKEN
        assert credentials(sent(server, "/s")) == set()


@pytest.mark.parametrize(
    "broken",
    [answer(500, "oops"), cut(stored_bytes("abc"), 5), answer(301, "")],
    ids=["500", "cut", "nowhere"],
)
async def test_output_is_read_from_the_api_if_the_storage_fails(broken: Behaviour) -> None:
    async with raw_server(broken) as storage:
        body = build([action(101, output_url=f"{storage.url}/s?{SIGNATURE}")])
        assert await text_of(body, {PLAIN: answer(200, "plain")}) == "plain"


@pytest.mark.parametrize("url", ["http://localhost:1/s?X-Amz-Signature=5ignatur3", "ftp://example.com/s", "s", "//"])
async def test_output_is_read_from_the_api_if_the_storage_is_unreachable(url: str) -> None:
    assert await text_of(build([action(101, output_url=url)]), {PLAIN: answer(200, "plain")}) == "plain"


async def test_a_redirect_from_the_api_to_a_storage_drops_the_token() -> None:
    async with raw_server(answer(200, "plain")) as storage:
        moved = answer(302, "", {"Location": f"{storage.url}/moved?{SIGNATURE}"})
        async with serving([build([action(101)])], {PLAIN: moved}) as (_, circle):
            assert await circle.jobs.output(PROJECT, 42, 101).text() == "plain"
            assert credentials(storage.requests) == set()


async def test_an_error_of_both_sources_names_both_and_no_signature() -> None:
    async with serving([ONE], {"/s": answer(403, "<Error>Request has expired</Error>")}) as (_, circle):
        with pytest.raises(ca.NotFound) as caught:
            await circle.jobs.output(PROJECT, 42, 101).text()
        shown = "".join(traceback.format_exception(caught.value))
        assert "output/101/0" in str(caught.value)
        assert "the storage failed before: 403" in shown
        assert "5ignatur3" not in shown
        assert TOKEN not in shown


async def test_output_without_url_and_number_is_an_error() -> None:
    async with serving([build([action(None)])]) as (_, circle):
        (step,) = await circle.jobs.steps(PROJECT, 42).collect()
        with pytest.raises(ca.DownloadError, match=r"'step None' of job 42.*neither its URL nor"):
            await circle.jobs.output(PROJECT, 42, step).text()


async def test_the_error_of_the_storage_is_raised_without_a_number() -> None:
    body = build([action(None, output_url="/s?signed")])
    async with serving([body], {"/s": answer(403, "<Error/>")}) as (_, circle):
        (step,) = await circle.jobs.steps(PROJECT, 42).collect()
        with pytest.raises(ca.PermissionDenied):
            await circle.jobs.output(PROJECT, 42, step).text()


# Malformed output


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'[{"message":"a"},{"messag', "$[1]: expected"),
        (b"<html>Sorry</html>", "$[0]: expected [, got '<html>Sorry</html>'"),
        (gzip.compress(b"[]", mtime=0)[:-9], "truncated gzip data"),
        (b"\x1f\x8b\x08broken.........", "invalid gzip data"),
    ],
)
async def test_malformed_output_is_an_error_with_the_url_without_signature(body: bytes, message: str) -> None:
    async with serving([ONE], {"/s": answer(200, body), PLAIN: answer(200, "plain")}) as (server, circle):
        with pytest.raises(ca.DecodeError) as caught:
            await circle.jobs.output(PROJECT, 42, 101).text()
        assert message in str(caught.value)
        assert str(caught.value).startswith(f"the output of a step to GET {server.url}/s cannot be decoded: ")
        assert "5ignatur3" not in "".join(traceback.format_exception(caught.value))
        assert PLAIN not in [request.path for request in server.requests]
        check_nothing_in_use(circle)


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
async def test_gzip_is_decompressed(headers: dict[str, str]) -> None:
    packed = gzip.compress(stored_bytes(*MANY))
    assert await text_of(ONE, {"/s": answer(200, packed, headers)}) == SHOWN


async def test_highly_compressed_gzip_is_decompressed_in_small_pieces() -> None:
    zeros = zlib.compressobj(wbits=31)
    packed = zeros.compress(b'[{"message":"' + b"0" * 30_000_000 + b'"}]') + zeros.flush()
    assert len(packed) < 40_000
    async with serving([ONE], {"/s": answer(200, packed)}) as (_, circle):
        sizes = [len(message.text) async for message in circle.jobs.output(PROJECT, 42, 101).messages()]
        assert sum(sizes) == 30_000_000
        assert max(sizes) < 200_000


async def test_other_tasks_run_while_gzip_is_decompressed() -> None:
    packed = gzip.compress(b"[" + b" " * 10_000_000 + b"]")
    async with serving([ONE], {"/s": answer(200, packed)}) as (_, circle):
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.create_task(count())
        assert await circle.jobs.output(PROJECT, 42, 101).text() == ""
        counting.cancel()
        assert turns > 10_000_000 / PIECE


@pytest.mark.parametrize("ansi", [False, True])
@pytest.mark.parametrize(("bound", "is_refused"), [(10_000, False), (9_999, True)])
async def test_the_whole_text_is_bounded(ansi: bool, bound: int, is_refused: bool) -> None:
    files = {"/s": stored(*["x" * 999 + "\n"] * 10)}
    async with serving([ONE], files) as (server, _), bounded_client(server, bound) as circle:
        log = circle.jobs.output(PROJECT, 42, 101)
        assert len(await log.tail(1, ansi=ansi)) == 999
        assert len([line async for line in log.lines(ansi=ansi)]) == 10
        for read in (log.text, partial(log.tail, None)):
            if is_refused:
                with pytest.raises(ca.ResponseTooLarge, match="max_response_bytes=9999: iterate its `lines`"):
                    await read(ansi=ansi)
            else:
                assert len(await read(ansi=ansi)) >= 9_999


@pytest.mark.parametrize("resumable", [{}, {"etag": None}, {"ranges": False}], ids=str)
async def test_interrupted_output_is_resumed_and_yielded_once(resumable: dict[str, Any]) -> None:
    whole = stored_bytes(*MANY)
    third = len(whole) // 3
    files = {"/s": in_sequence(served(whole, cut=third, **resumable), served(whole, **resumable))}
    async with serving([ONE], files) as (server, circle):
        assert [line async for line in circle.jobs.output(PROJECT, 42, 101).lines()] == SHOWN.splitlines()
        ranges = [request.headers.get("range") for request in sent(server, "/s")]
        assert ranges == [None, None if "etag" in resumable else f"bytes={third}-"]


async def test_output_that_stays_incomplete_continues_as_plain_text() -> None:
    whole = stored_bytes(*MANY)
    files = {"/s": served(whole, cut=len(whole) // 3, etag=None), PLAIN: answer(200, "".join(MANY))}
    async with serving([ONE], files) as (server, circle):
        assert [line async for line in circle.jobs.output(PROJECT, 42, 101).lines()] == SHOWN.splitlines()
        assert server.requests[-1].path == PLAIN


async def test_interrupted_plain_text_is_yielded_once() -> None:
    whole = "".join(MANY).encode()
    files = {PLAIN: in_sequence(served(whole, cut=100_000, etag=None), served(whole, etag=None))}
    assert await text_of(build([action(101)]), files) == SHOWN


# On the embedded CircleCI, and leaving early


async def test_a_long_log_is_read_in_small_pieces() -> None:
    world = World()
    job = world.project(PROJECT).pipeline().workflow().job("test")
    size = 3_200_000
    job.step("make", size=size, output="the end\n")
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        output = circle.jobs.output(PROJECT, job.number, 0)
        count = 0
        async with aclosing(output.lines()) as lines:
            async for line in lines:
                assert line == "the end" or line.startswith(f"{count:012d} ..")
                count += 1
        assert count == size // 64 + 1
        assert await output.tail(2) == f"{count - 2:012d} {'.' * 50}\nthe end"
        assert max([len(each.text) async for each in output.messages()]) <= 2 * MAX_MESSAGE


async def test_the_embedded_circleci_returns_output_without_url_as_text() -> None:
    world = World()
    job = world.project(PROJECT).pipeline().workflow().job("test")
    job.step("make", output=[("out", "é\r\n"), ("err", "😀")], url=False)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        assert await circle.jobs.output(PROJECT, job.number, 0).text() == "é\n😀"
        assert {request.origin for request in fake.requests} == {"api"}


async def test_leaving_early_leaves_nothing_open() -> None:
    async with serving([ONE], {"/s": served(stored_bytes(*MANY))}, concurrency=1) as (server, circle):
        for _ in range(3):
            async with aclosing(circle.jobs.output(PROJECT, 42, 101).lines()) as lines:
                assert await anext(lines) == "line 0 of many"
            check_nothing_in_use(circle)
        reading = asyncio.ensure_future(circle.jobs.output(PROJECT, 42, 101).text())
        while len(server.requests) < 7:
            await asyncio.sleep(0.001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await check_nothing_is_left(circle)


async def test_a_read_is_cancelled_at_once_while_the_storage_hangs() -> None:
    async with serving([ONE], {"/s": hang}) as (server, circle):
        reading = asyncio.ensure_future(circle.jobs.output(PROJECT, 42, 101).tail())
        while not sent(server, "/s"):
            await asyncio.sleep(0.001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await check_nothing_is_left(circle)


def test_the_repr_names_the_step_without_its_url() -> None:
    step = JobStep(
        name="make",
        number=101,
        status=StepStatus.SUCCESS,
        exit_code=0,
        started_at=None,
        ended_at=None,
        actions=(
            StepAction(
                node=0, name="make", status=StepStatus.SUCCESS, failed=False, output_url=f"https://s3/?{SIGNATURE}"
            ),
        ),
    )
    jobs = ca.CircleCI("", host="https://ci.example.com").jobs
    assert repr(jobs.output(PROJECT, 42, step)) == "<StepLog of step 'make', node 0, of job 42>"
    assert json.loads(ca.to_json(step))["actions"][0]["output_url"].endswith(SIGNATURE)
