"""The last lines of each failed step of a job."""

import asyncio
import traceback
from typing import Any

import pytest

import circleci_async as ca
from circleci_async.logs.failed_output import OUTPUTS_AT_ONCE
from circleci_async.models import StepOutput, StepStatus
from circleci_async.testing import FakeCircleCI, World
from tests.leftovers import check_nothing_is_left
from tests.raw_server import after, answer, hang

from .server import BUILD, FAILED, PROJECT, action, build, sent, serving, stored

TIMED_OUT: dict[str, Any] = {"status": "timedout", "timedout": True, "failed": None, "exit_code": None}


async def test_one_node_is_read_alone() -> None:
    world = World()
    job = world.project(PROJECT).pipeline().workflow().job("test", status="failed", parallelism=2)
    for node in (0, 1):
        job.step("pytest", output=f"node {node}\n", exit_code=1, node=node)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        outputs = await circle.jobs.failed_output(PROJECT, job.number, node=1)
        assert [(each.node, each.text) for each in outputs] == [(1, "node 1")]
        assert await circle.jobs.failed_output(PROJECT, job.number, node=2) == []
        with pytest.raises(ca.InvalidArgument, match="node must be the index of a parallel run, 0 or more, got -1"):
            await circle.jobs.failed_output(PROJECT, job.number, node=-1)


async def test_each_failed_step_and_node_is_returned_in_the_order_of_the_job() -> None:
    world = World()
    job = world.project(PROJECT).pipeline().workflow().job("test", status="failed", parallelism=3)
    job.step("Spin up environment", output="Build-agent 1.0\n")
    for node in (0, 1, 2):
        job.step(
            "pytest",
            output=f"\x1b[32mcollected 2 items\x1b[0m\r\nnode {node}\r\n",
            errors="\x1b[31;1mFAILED\x1b[0m\r\n",
            exit_code=0 if node == 1 else 1,
            node=node,
        )
    job.step("upload", output="10 %\r20 %\r30 %", status="timedout", node=2)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        assert job.number is not None
        assert await circle.jobs.failed_output(PROJECT, job.number) == [
            StepOutput(
                name="pytest",
                number=99,
                node=0,
                status=StepStatus.FAILED,
                exit_code=1,
                text="collected 2 items\nnode 0\nFAILED",
            ),
            StepOutput(
                name="pytest",
                number=99,
                node=2,
                status=StepStatus.FAILED,
                exit_code=1,
                text="collected 2 items\nnode 2\nFAILED",
            ),
            StepOutput(name="upload", number=101, node=2, status=StepStatus.TIMEDOUT, exit_code=None, text="30 %"),
        ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "\n".join(f"line {number}" for number in range(100, 300))),
        ({"tail": 2}, "line 298\nline 299"),
        ({"tail": 1, "ansi": True}, "\x1b[31mline 299\x1b[0m"),
        ({"tail": None}, "\n".join(f"line {number}" for number in range(300))),
    ],
    ids=str,
)
async def test_tail_bounds_the_lines_and_ansi_keeps_the_codes(options: dict[str, Any], text: str) -> None:
    printed = "".join(f"\x1b[31mline {number}\x1b[0m\n" for number in range(300))
    body = build([action(101, output_url="/s?signed", **FAILED)])
    async with serving([body], {"/s": stored(printed)}) as (_, circle):
        (output,) = await circle.jobs.failed_output(PROJECT, 42, **options)
        assert output.text == text


async def test_codes_that_are_split_between_messages_are_removed() -> None:
    body = build([action(101, output_url="/s?signed", **TIMED_OUT)])
    printed = stored("a\x1b", "[3", "1mb\x1b]0;ti", "tle\x07c\x1b]8;;x\x1b", "\\d\r", "\n")
    async with serving([body], {"/s": printed}) as (_, circle):
        (output,) = await circle.jobs.failed_output(PROJECT, 42)
        assert (output.text, output.status, output.exit_code) == ("abcd", "timedout", None)


async def test_without_a_failed_step_no_output_is_requested() -> None:
    body = build([action(101)], [action(102, status="canceled", canceled=True)], [action(103, status="running")])
    async with serving([body]) as (server, circle):
        assert await circle.jobs.failed_output(PROJECT, 42) == []
        assert len(server.requests) == 1


async def test_a_failed_step_without_output_has_no_text() -> None:
    body = build([action(101, has_output=False, status="infrastructure_fail", infrastructure_fail=True)])
    async with serving([body]) as (server, circle):
        (output,) = await circle.jobs.failed_output(PROJECT, 42)
        assert (output.text, output.error, output.status) == ("", None, "infrastructure_fail")
        assert len(server.requests) == 1


async def test_outputs_are_read_concurrently_within_a_bound_and_keep_their_order() -> None:
    nodes = range(3 * OUTPUTS_AT_ONCE)
    body = build([action(101, node, output_url=f"/{node}?signed", **FAILED) for node in nodes])
    files = {f"/{node}": after(0.02 * (node % 3), stored(f"node {node}")) for node in nodes}
    async with serving([body], files) as (server, circle):
        outputs = await circle.jobs.failed_output(PROJECT, 42)
        assert [(output.node, output.text) for output in outputs] == [(node, f"node {node}") for node in nodes]
        assert 1 < server.max_in_flight <= OUTPUTS_AT_ONCE


async def test_outputs_are_read_although_only_one_request_may_be_in_flight() -> None:
    body = build([action(101, node, output_url="/s?signed", **FAILED) for node in range(3)])
    files = {"/s": answer(403, "<Error/>")} | {f"{BUILD}/output/101/{node}": answer(200, "a") for node in range(3)}
    async with serving([body], files, concurrency=1) as (server, circle):
        assert [output.text for output in await circle.jobs.failed_output(PROJECT, 42)] == ["a"] * 3
        assert server.max_in_flight == 1


async def test_an_unavailable_output_has_an_error_and_does_not_affect_the_others() -> None:
    body = build(
        [
            action(101, 0, output_url="/0?signed", **FAILED),
            action(101, 1, output_url="/1?signed", **FAILED),
            action(101, 2, output_url="/2?signed", **FAILED),
        ]
    )
    files = {"/0": answer(403, "<Error/>"), "/1": stored("one"), "/2": answer(200, "<html>")}
    async with serving([body], files) as (_, circle):
        gone, well, broken = await circle.jobs.failed_output(PROJECT, 42)
        assert (gone.text, well.text, broken.text) == ("", "one", "")
        assert isinstance(gone.error, ca.NotFound)
        assert well.error is None
        assert isinstance(broken.error, ca.DecodeError)
        assert "cannot be decoded" in ca.to_dict(broken)["error"]
        assert all("5ignatur3" not in "".join(traceback.format_exception(each.error)) for each in (gone, broken))


async def test_an_unavailable_list_of_steps_is_an_error() -> None:
    async with serving(answer(404, {"message": "Build not found"})) as (_, circle):
        with pytest.raises(ca.NotFound, match="Build not found") as caught:
            await circle.jobs.failed_output(PROJECT, 42)
        assert "canceled before it started" in str(caught.value.hint)


@pytest.mark.parametrize("tail", [0, -5, True, "20"])
async def test_an_invalid_tail_is_refused_before_anything_is_sent(tail: Any) -> None:
    async with serving([build()]) as (server, circle):
        with pytest.raises(ca.InvalidArgument, match="tail must be a positive number of lines"):
            await circle.jobs.failed_output(PROJECT, 42, tail=tail)
        assert server.requests == []


async def test_a_cancellation_leaves_nothing_open() -> None:
    body = build([action(101, node, output_url="/s?signed", **FAILED) for node in range(2 * OUTPUTS_AT_ONCE)])
    async with serving([body], {"/s": hang}) as (server, circle):
        reading = asyncio.ensure_future(circle.jobs.failed_output(PROJECT, 42))
        while len(sent(server, "/s")) < OUTPUTS_AT_ONCE:
            await asyncio.sleep(0.001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await check_nothing_is_left(circle)
