"""The steps of a job from API v1.1, where nearly every field can be null."""

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

import circleci_async as ca
from circleci_async.models import JobStep, StepStatus
from circleci_async.testing import FakeCircleCI
from tests.raw_server import answer

from .server import BUILD, FAILED, PROJECT, TOKEN, action, build, serving

BEGIN = datetime(2026, 11, 24, 12, tzinfo=UTC)


async def steps_of(*steps: list[dict[str, Any]], **more: Any) -> list[JobStep]:
    async with serving([build(*steps, **more)]) as (_, circle):
        return await circle.jobs.steps(PROJECT, 42).collect()


async def test_a_step_has_an_action_for_each_node() -> None:
    (step,) = await steps_of(
        [action(101, 1, name="make", **FAILED), action(101, 0, name="make", output_url="/s?signed")]
    )
    assert (step.name, step.number, step.status, step.exit_code, step.failed) == ("make", 101, "failed", 1, True)
    assert step.started_at == BEGIN
    assert step.ended_at == datetime(2026, 11, 24, 12, 0, 5, 250_000, tzinfo=UTC)
    assert [each.node for each in step.actions] == [0, 1]
    first, second = step.actions
    assert (first.status, first.failed, first.exit_code) == (StepStatus.SUCCESS, False, 0)
    assert (second.status, second.failed, second.exit_code) == (StepStatus.FAILED, True, 1)
    assert first.duration == 5250
    assert first.command == "#!/bin/bash -eo pipefail\nmake\n"
    assert (first.background, first.has_output, first.truncated, first.is_finished) == (False, True, False, True)


async def test_steps_keep_their_order_and_their_numbers_with_gaps() -> None:
    steps = await steps_of([action(0)], [action(99)], [action(101)], [action(104)])
    assert [step.number for step in steps] == [0, 99, 101, 104]
    assert not any(step.failed for step in steps)


NULLS = dict.fromkeys(action(), None)


async def test_nearly_every_field_can_be_null_or_absent() -> None:
    null, empty, bare, nothing = await steps_of(
        [NULLS | {"name": "null"}], [{"name": "empty"}], [{"name": "bare", "index": 3}], [NULLS]
    )
    for step in (null, empty, bare, nothing):
        assert (step.number, step.exit_code, step.started_at, step.ended_at) == (None,) * 4
        assert step.status == "unknown"
        assert not step.failed
        assert not step.actions[0].is_finished
    assert (bare.actions[0].name, bare.actions[0].node, nothing.name) == ("bare", 3, "")


@pytest.mark.parametrize("fields", [{"steps": None}, {"steps": []}, {}])
async def test_a_job_can_have_no_steps(fields: dict[str, Any]) -> None:
    async with serving(answer(200, {"build_num": 42, **fields})) as (_, circle):
        assert await circle.jobs.steps(PROJECT, 42).collect() == []


async def test_a_step_can_have_no_actions() -> None:
    (step,) = await steps_of(steps=[{"name": "odd", "actions": None}])
    assert (step.name, step.number, step.status, step.actions) == ("odd", None, "unknown", ())
    assert step.ended_at is None


@pytest.mark.parametrize(
    ("fields", "status", "failed"),
    [
        ({"status": "timedout", "timedout": True, "failed": None, "exit_code": None}, "timedout", True),
        ({"status": "timedout"}, "timedout", True),
        ({"status": "infrastructure_fail", "infrastructure_fail": True}, "infrastructure_fail", True),
        ({"status": "failed", "failed": None}, "failed", True),
        ({"status": "failed", "infrastructure_fail": True}, "failed", True),
        ({"status": "exploded", "failed": True}, "exploded", True),
        ({"status": "exploded"}, "exploded", False),
        ({"status": "canceled", "canceled": True}, "canceled", False),
        ({"status": None, "timedout": True}, "timedout", True),
        ({"status": None, "canceled": True}, "canceled", False),
        ({"status": "running"}, "running", False),
        ({"status": "success", "exit_code": None}, "success", False),
    ],
    ids=str,
)
async def test_the_status_or_a_flag_of_a_step_means_failure(fields: dict[str, Any], status: str, failed: bool) -> None:
    (step,) = await steps_of([action(**fields)])
    assert (step.status, step.failed, step.actions[0].failed) == (status, failed, failed)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("success", "failed", "running"), "failed"),
        (("success", "running", "canceled"), "running"),
        (("success", "canceled"), "canceled"),
        (("success", "success"), "success"),
        (("timedout", "failed"), "timedout"),
    ],
    ids=str,
)
async def test_a_step_has_the_status_of_its_worst_node(statuses: tuple[str, ...], expected: str) -> None:
    ends = {"running": None}
    actions = [
        action(node=node, status=status, exit_code=node, end_time=ends.get(status, "2026-11-24T12:00:05Z"))
        for node, status in enumerate(statuses)
    ]
    (step,) = await steps_of(actions)
    assert (step.status, step.exit_code) == (expected, statuses.index(expected))
    assert (step.ended_at is None) == ("running" in statuses)


async def test_the_list_is_requested_as_json_with_the_token() -> None:
    async with serving([build([action()])]) as (server, circle):
        await circle.jobs.steps("https://github.com/acme/api", 42).collect()
        (request,) = server.requests
        assert (request.target, request.headers["accept"]) == (BUILD, "application/json")
        assert request.headers["circle-token"] == TOKEN


async def test_slugs_of_all_kinds_are_put_into_the_path() -> None:
    async with serving(answer(404, {})) as (server, circle):
        organization, project = uuid4(), uuid4()
        for slug in (f"circleci/{organization}/{project}", "bb/acme/my api"):
            with pytest.raises(ca.NotFound):
                await circle.jobs.steps(slug, 7).collect()
        assert [request.target for request in server.requests] == [
            f"/api/v1.1/project/circleci/{organization}/{project}/7",
            "/api/v1.1/project/bb/acme/my%20api/7",
        ]


async def test_nothing_is_sent_before_an_iteration_and_each_one_requests_again() -> None:
    async with serving([build([action(0)]), build([action(0)], [action(99)])]) as (server, circle):
        steps = circle.jobs.steps(PROJECT, 42)
        assert server.requests == []
        assert [step.number async for step in steps] == [0]
        assert [step.number async for step in steps] == [0, 99]
        assert (await steps.first()) is not None


async def test_a_job_without_steps_is_not_found_with_a_hint() -> None:
    async with FakeCircleCI() as fake, fake.client() as circle:
        job = fake.world.project(PROJECT).pipeline().workflow().job("test", status="canceled")
        job.started_at = None
        assert job.number is not None
        with pytest.raises(ca.NotFound) as caught:
            await circle.jobs.steps(PROJECT, job.number).collect()
        assert "canceled before it started" in str(caught.value.hint)
        assert "canceled before it started" not in str(ca.NotFound.hint)


async def test_the_url_of_the_output_is_not_in_the_repr() -> None:
    (step,) = await steps_of([action(output_url="/s?signed")])
    assert "5ignatur3" in str(step.actions[0].output_url)
    assert "5ignatur3" not in repr(step)


@pytest.mark.parametrize("number", [0, -1, None, "42", True, 4.2])
async def test_an_invalid_job_number_is_refused_at_once(number: Any) -> None:
    async with ca.CircleCI("", host="http://localhost:1") as circle:
        for call in (circle.jobs.steps, circle.jobs.follow, partial(circle.jobs.output, step=101)):
            with pytest.raises(ca.InvalidArgument, match=r"number must be .* such as 42"):
                call(PROJECT, number)
        with pytest.raises(ca.InvalidArgument, match="number must be"):
            await circle.jobs.failed_output(PROJECT, number)
        with pytest.raises(ca.InvalidArgument, match="project"):
            circle.jobs.steps("acme", 42)


async def test_the_embedded_circleci_has_steps() -> None:
    async with FakeCircleCI() as fake, fake.client() as circle:
        job = fake.world.project(PROJECT).pipeline().workflow().job("test", status="failed", parallelism=2)
        job.step("Spin up environment", output="Build-agent 1.0\n")
        job.step("make", output="ok\n", node=0, command="make")
        job.step("make", exit_code=2, node=1)
        job.step("Tell", background=True)
        assert job.number is not None
        first, second, third = await circle.jobs.steps(PROJECT, job.number).collect()
        assert [first.number, second.number, third.number] == [0, 99, 101]
        assert [(each.node, each.status, each.exit_code) for each in second.actions] == [
            (0, "success", 0),
            (1, "failed", 2),
        ]
        assert [each.has_output for each in second.actions] == [True, False]
        assert (second.actions[0].command, third.actions[0].background) == ("make", True)
