"""Items of insights carry what the request determines."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import circleci_async as ca
from circleci_async import CircleCI, Paged
from circleci_async.core.codec import decode
from circleci_async.testing import FakeCircleCI, World
from tests.models.spec import example
from tests.raw_server import answer, raw_server

PROJECT, BUILD = "gh/acme/api", "build and test"

LISTS: dict[str, tuple[Callable[[CircleCI], Paged[Any]], str | None]] = {
    "getProjectWorkflowMetrics": (lambda c: c.insights.workflows("https://github.com/acme/api"), None),
    "getProjectWorkflowRuns": (lambda c: c.insights.workflow_runs("github/acme/api", BUILD), BUILD),
    "getProjectWorkflowJobMetrics": (
        lambda c: c.insights.workflow_jobs(ca.ProjectSlug.parse("gh/acme/api"), BUILD),
        BUILD,
    ),
    "getJobTimeseries": (lambda c: c.insights.job_timeseries(PROJECT, BUILD), BUILD),
}


@pytest.mark.parametrize("operation", LISTS)
async def test_items_carry_the_project_and_the_workflow_of_the_request(operation: str) -> None:
    call, workflow = LISTS[operation]
    page = {"items": [example(operation)] * 2, "next_page_token": None}
    async with raw_server(answer(200, page)) as server, CircleCI("a-token", host=server.url) as circle:
        items = await call(circle).collect()
        table = await call(circle).rows()
    assert [item.project for item in items] == [PROJECT] * 2
    assert [getattr(item, "workflow", None) for item in items] == [workflow] * 2
    assert [row["project"] for row in table] == [PROJECT] * 2

    kind = type(items[0])
    bare = decode(kind, json.dumps(example(operation)).encode())
    assert bare.project is None  # the model needs no request
    assert decode(kind, ca.to_json(items[0]).encode()) == items[0]
    assert decode(kind, ca.to_json(bare).encode()) == bare


@pytest.mark.parametrize("given", [{"slug": PROJECT}, ["x"], 7, None], ids=repr)
async def test_a_field_of_the_same_name_in_the_response_does_not_matter(given: object) -> None:
    item = {**example("getProjectWorkflowRuns"), "project": given, "workflow": given}
    page = {"items": [item], "next_page_token": None}
    async with raw_server(answer(200, page)) as server, CircleCI("a-token", host=server.url) as circle:
        run = await circle.insights.workflow_runs(PROJECT, BUILD).first()
    assert run is not None
    assert (run.project, run.workflow) == (PROJECT, BUILD)


async def test_the_items_beside_a_faulty_one_carry_them_too() -> None:
    page = {"items": [{"id": 7}, example("getProjectWorkflowRuns")], "next_page_token": None}
    async with raw_server(answer(200, page)) as server, CircleCI("a-token", host=server.url) as circle:
        with pytest.raises(ca.DecodeError) as caught:
            await circle.insights.workflow_runs(PROJECT, BUILD).collect()
    assert caught.value.page is not None
    assert [(run.project, run.workflow) for run in caught.value.page[0]] == [(PROJECT, BUILD)]


async def test_flaky_tests_have_dates() -> None:
    body: dict[str, Any] = {"flaky_tests": [example("getFlakyTests")["flaky_tests"][0]], "total_flaky_tests": 1}
    body["flaky_tests"][0]["workflow_created_at"] = "2026-07-26T23:59:55.667Z"
    async with raw_server(answer(200, body)) as server, CircleCI("a-token", host=server.url) as circle:
        report = await circle.insights.flaky_tests(PROJECT)
    assert report.flaky_tests[0].workflow_created_at == datetime(2026, 7, 26, 23, 59, 55, 667000, tzinfo=UTC)
    [row] = ca.rows(report.flaky_tests, project=PROJECT)
    assert type(row["workflow_created_at"]) is datetime


async def test_relative_times_and_dates_are_sent_as_points_in_time() -> None:
    world = World()
    project = world.project(PROJECT)
    project.pipeline(branch="main").workflow("build", status="success").job("test", duration=60)
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        begin = datetime.now(UTC)
        await circle.insights.workflow_runs(PROJECT, "build", start_date="30d", end_date="12h").collect()
        await circle.insights.job_timeseries(PROJECT, "build", start_date=begin.date()).collect()
    runs, series = fake.requests[-2:]
    start, end = (datetime.fromisoformat(runs.query[name]) for name in ("start-date", "end-date"))
    assert (end - start).total_seconds() == (30 * 24 - 12) * 3600
    assert series.query["start-date"] == f"{begin:%Y-%m-%d}T00:00:00Z"
